import { type Command, Option } from 'commander'
import type { SubmitOptions } from '../../src/index.ts'
import { action, type Context } from './command.ts'
import { collect, collectAmount, parseAmount, parseCount, parseDuration } from './values.ts'

interface SubmitFlags {
  readonly input?: string
  readonly text?: boolean
  readonly wait?: boolean
  readonly timeout?: number
  readonly priority?: number
  readonly deadline?: number
  readonly queueTimeout?: number
  readonly runTimeout?: number
  readonly retries?: number
  readonly guarantee?: 'exactly-once' | 'at-least-once'
  readonly resource?: Readonly<Record<string, number>>
  readonly require?: readonly string[]
  readonly prefer?: readonly string[]
  readonly key?: string
  readonly tenant?: string
  readonly budget?: number
  readonly volatile?: boolean
}

const RETRIES_MAX = 100

const EXPLANATION = `
The input is JSON if it parses, else a text; @FILE and - (standard input) read it from there. Exit codes with --wait: 4
when the task failed, was cancelled or is dead-lettered, 5 when --timeout passed (the task goes on); 6 when refused.

  swarm-node submit shout --input hello --wait
  swarm-node submit ocr --input @page.json --require 'region==eu-west' --resource memory=4 --priority 8`

export function registerSubmit(program: Command): void {
  program
    .command('submit')
    .description('submit a task; prints its id, or with --wait its output')
    .argument('<skill>', 'what an agent must be able to do')
    .option('--input <text|@file|->', 'the input: JSON if it parses, else a text')
    .option('--text', 'the input is a text, whatever it looks like')
    .option('--wait', 'wait until it has ended, and print its output')
    .option('--timeout <duration>', 'how long --wait waits', parseDuration)
    .option('--priority <0..9>', '9 is the most urgent (default: 5)', parseCount(0, 9))
    .option('--deadline <duration>', 'it must have ended within it, or it fails', parseDuration)
    .option('--queue-timeout <duration>', 'it must have begun within it, or it fails', parseDuration)
    .option('--run-timeout <duration>', 'how long one attempt may take', parseDuration)
    .option('--retries <n>', 'further attempts after one that may be repeated', parseCount(0, RETRIES_MAX))
    .addOption(new Option('--guarantee <guarantee>', 'of execution').choices(['exactly-once', 'at-least-once']))
    .option('--resource <k=v>', 'what it needs of a resource, for example memory=8; several times', collectAmount)
    .option('--require <expr>', "where it may run, for example 'region==eu-west'; several times", collect)
    .option('--prefer <expr>', 'where it had better run; several times', collect)
    .option('--key <key>', 'the same key again is the same task')
    .option('--tenant <tenant>', 'for whom')
    .option('--budget <x>', 'the highest price', parseAmount)
    .option('--volatile', 'kept in memory only: faster, and lost when this node stops')
    .addHelpText('after', EXPLANATION)
    .action((skill: string, ...rest) => action<SubmitFlags>((context, flags) => submit(skill, context, flags))(...rest))
}

async function submit(skill: string, context: Context, flags: SubmitFlags): Promise<number> {
  const { terminal, sameDaemon } = context
  if (flags.timeout !== undefined && flags.wait !== true) {
    const { SwarmError } = await import('../../src/index.ts')
    const message = '--timeout is how long --wait waits; for the task itself there are --deadline and --run-timeout'
    throw new SwarmError('BAD_USAGE', message)
  }
  const { readInput } = await import('./task-input.ts')
  const { printOutcome, withSwarm } = await import('./awaited.ts')
  const isText = flags.text === true
  const input = flags.input === undefined ? undefined : await readInput(flags.input, isText, process.stdin)
  return withSwarm(context, async (swarm) => {
    const submitted = await swarm.submit(skill, input, optionsOf(flags))
    if (flags.wait === true) return printOutcome(context, swarm, submitted.task, flags.timeout)
    if (submitted.duplicate) terminal.say('This key was used before: it is the same task.')
    if (terminal.isWatched)
      terminal.say(`Its output, once it has ended: swarm-node task wait ${submitted.task}${sameDaemon}`)
    terminal.result(submitted, ({ task }) => task)
    return 0
  })
}

function optionsOf(flags: SubmitFlags): SubmitOptions {
  const { priority, retries, guarantee, key, tenant, budget, resource, require, prefer } = flags
  const given = {
    priority,
    deadlineMs: flags.deadline,
    queueTimeoutMs: flags.queueTimeout,
    runTimeoutMs: flags.runTimeout,
    retries,
    guarantee,
    resources: resource,
    require,
    prefer,
    key,
    tenant,
    budget,
    durable: flags.volatile === true ? false : undefined,
  }
  return Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)) as SubmitOptions
}
