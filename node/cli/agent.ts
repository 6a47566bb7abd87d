import { type Command, Option } from 'commander'
import type { CommandAgentEvent } from '../agents/command-agent.ts'
import { CLIENT_NAME } from '../version.ts'
import { visibleText } from '../visible-text.ts'
import { action, type Context, needed } from './command.ts'
import type { Terminal } from './terminal.ts'
import { collectAmount, collectLabel, collectSkill, parseAmount, parseCount, type SkillFlag } from './values.ts'

interface AgentFlags {
  readonly skill: readonly SkillFlag[]
  readonly name?: string
  readonly slots: number
  readonly resource?: Readonly<Record<string, number>>
  readonly label?: Readonly<Record<string, string>>
  readonly price?: number
  readonly kind?: 'specialised' | 'generalist' | 'monitoring' | 'backup'
  readonly text?: boolean
}

const KINDS = ['specialised', 'generalist', 'monitoring', 'backup']

/** As the protocol has it. */
const SLOTS_MAX = 10_000

const EXPLANATION = `
For each task CMD runs once: the input as JSON and a newline on its standard input, its output on standard output (JSON
if it parses, else text without its last newline). Exit 0 is done, 75 asks to be tried again, anything else has failed
with the end of standard error as the message. SWARM_TASK_ID, SWARM_SKILL, SWARM_ATTEMPT and, if there is one,
SWARM_DEADLINE (ISO 8601) are set. A cancelled task ends the whole process group. SIGINT, SIGTERM,
SIGHUP or SIGQUIT detaches and lets what runs end; a second one ends it.

  swarm-node agent --skill shout -- tr a-z A-Z
  swarm-node agent --skill words --text --slots 4 -- wc -w`

export function registerAgent(program: Command): void {
  program
    .command('agent')
    .description('attach a command as an agent: it runs once for every task')
    .usage('--skill S[=P]… [options] -- CMD ARG…')
    .argument('<command...>', 'what to run, after --')
    .addOption(needed('--skill <skill[=p]>', 'a skill, and how good at it from 0 to 1; several times', collectSkill))
    .option('--name <name>', "what it is called (default: the command's name)")
    .option('--slots <n>', 'tasks at once', parseCount(1, SLOTS_MAX), 1)
    .option('--resource <k=v>', 'what it has of a resource, for example memory=8; several times', collectAmount)
    .option('--label <k=v>', 'a label that expressions can name; several times', collectLabel)
    .option('--price <x>', 'of one task, in whatever unit the swarm uses', parseAmount)
    .addOption(new Option('--kind <kind>', 'what it is for').choices(KINDS))
    .option('--text', 'a text goes to CMD as it is instead of as JSON, and what CMD writes is text')
    .addHelpText('after', EXPLANATION)
    .action((words: readonly string[], ...rest) =>
      action<AgentFlags>((context, flags) => attach(words, context, flags))(...rest),
    )
}

async function attach(words: readonly string[], context: Context, flags: AgentFlags): Promise<number> {
  const { terminal, socket, token, env } = context
  const { skill: skills, name, slots, resource: resources = {}, label: labels = {}, price, kind, text } = flags
  const [command = '', ...args] = words
  const { runCommandAgent } = await import('../agents/command-agent.ts')
  await runCommandAgent({
    connection: { socket, token, client: CLIENT_NAME },
    spec: {
      skills,
      slots,
      resources: { ...resources },
      labels: { ...labels },
      ...(name === undefined ? {} : { name }),
      ...(price === undefined ? {} : { price }),
      ...(kind === undefined ? {} : { kind }),
    },
    command,
    args,
    isText: text === true,
    env,
    onEvent: (event) => tell(event, skills, terminal),
    onError: (bytes) => process.stderr.write(bytes),
  })
  return 0
}

function tell(event: CommandAgentEvent, skills: readonly SkillFlag[], terminal: Terminal): void {
  const { colours } = terminal
  if (terminal.json || event.kind === 'ended') {
    terminal.result(event, (shown) => describeEnded(shown as Extract<CommandAgentEvent, { kind: 'ended' }>, terminal))
    return
  }
  switch (event.kind) {
    case 'attached': {
      const names = skills.map(({ name }) => name).join(', ')
      terminal.say(`${colours.green('●')} ${event.agent} at ${event.node} waits for tasks: ${names} (Ctrl-C detaches)`)
      return
    }
    case 'lost':
      terminal.say(`the daemon is away and what ran is lost; trying to come back (${visibleText(event.message)})`)
      return
    case 'draining':
      terminal.say('this node drains: no new tasks will come')
      return
    case 'detaching':
      if (event.running > 0) terminal.say(`detaching; ${event.running} tasks still run, interrupt again to end them`)
      return
    case 'detached':
      terminal.say('detached')
  }
}

function describeEnded(
  { task, attempt, skill, ms, error }: Extract<CommandAgentEvent, { kind: 'ended' }>,
  { colours }: Terminal,
): string {
  const about = `${task} ${skill}${attempt > 1 ? ` attempt ${attempt}` : ''}`
  if (error === undefined) return `${colours.green('✓')} ${about} ${ms} ms`
  const again = error.retryable ? ', to be tried again' : ''
  return `${colours.red('✗')} ${about} ${ms} ms: ${error.message} [${error.code}]${again}`
}
