import type { Command } from 'commander'
import type { Trial } from '../../src/index.ts'
import type { SelfCheck } from '../self-checks.ts'
import { action, type Context } from './command.ts'
import type { Colours } from './terminal.ts'

const SEED_DEFAULT = '1'

interface SelftestOptions {
  readonly byzantine?: boolean
  readonly seed: string
}

export function registerSelftest(program: Command): void {
  program
    .command('selftest')
    .description('whether this machine has what a node needs; needs no daemon')
    .option('--byzantine', 'four members in this process, one of them lying in each known way in turn')
    .option('--seed <text>', 'chance and keys of --byzantine: the same seed, the same run', SEED_DEFAULT)
    .action(
      action<SelftestOptions>((context, { byzantine, seed }) =>
        byzantine === true ? tryLiars(context, seed) : checkMachine(context),
      ),
    )
}

async function checkMachine({ terminal, data }: Context): Promise<number> {
  const { runSelfChecks } = await import('../self-checks.ts')
  const checks = await runSelfChecks(data)
  const passed = checks.every((check) => check.passed)
  terminal.result({ passed, checks }, () => describeChecks(checks, terminal.colours))
  return passed ? 0 : 1
}

function describeChecks(checks: readonly SelfCheck[], colours: Colours): string {
  const rows = checks.map(({ name, passed, detail }) => `${mark(passed, colours)} ${name.padEnd(9)} ${detail}`)
  const failed = checks.filter((check) => !check.passed).length
  return [...rows, summary(checks.length - failed, failed)].join('\n')
}

/** People read each trial as it ends; programs get one document. */
async function tryLiars({ terminal }: Context, seed: string): Promise<number> {
  const { byzantineTrials } = await import('../../src/index.ts')
  const trials: Trial[] = []
  if (!terminal.json) {
    terminal.result(
      undefined,
      () => 'Four members with real keys in virtual time; the second one lies, a fifth follows.',
    )
  }
  for await (const trial of byzantineTrials(seed)) {
    trials.push(trial)
    if (!terminal.json) terminal.result(trial, () => describeTrial(trial, terminal.colours))
  }
  const failed = trials.filter((trial) => !trial.passed).length
  const convicted = trials.filter((trial) => trial.convicted).length
  const passed = failed === 0
  terminal.result(
    { passed, seed, trials },
    () => `${summary(trials.length - failed, failed)}; ${convicted} lies left evidence, and the group convicted for it`,
  )
  return passed ? 0 : 1
}

function describeTrial(trial: Trial, colours: Colours): string {
  const { lie, words, passed, problems, blocks, operations, viewsLost, virtualMs, refused, evidence } = trial
  const lost = viewsLost === 0 ? 'no view lost' : `${viewsLost} ${viewsLost === 1 ? 'view' : 'views'} lost`
  const lines = [
    `${mark(passed, colours)} ${lie.padEnd(24)} ${words}`,
    `     ${blocks} blocks, ${operations} operations in ${virtualMs} ms, ${lost}${refused > 0 ? `, ${refused} messages refused by the codec` : ''}`,
    ...evidence.map((votes) => `     ${colours.yellow('convicted')}: ${votes}`),
    ...problems.map((problem) => `     ${colours.red(problem)}`),
  ]
  return lines.join('\n')
}

function mark(passed: boolean, colours: Colours): string {
  return passed ? colours.green('ok  ') : colours.red('FAIL')
}

function summary(passed: number, failed: number): string {
  return `${passed} passed, ${failed} failed`
}
