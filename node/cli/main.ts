import { Command, CommanderError } from 'commander'
import { VERSION } from '../version.ts'
import { visibleText } from '../visible-text.ts'
import { registerAgent } from './agent.ts'
import { registerAgents } from './agents.ts'
import { registerAuthority } from './authority.ts'
import { registerConfig } from './config.ts'
import { registerCouncil } from './council.ts'
import { registerDown } from './down.ts'
import { registerDrain } from './drain.ts'
import { registerEvents } from './events.ts'
import { registerPeers } from './peers.ts'
import { registerSelftest } from './selftest.ts'
import { registerStart } from './start.ts'
import { registerStatus } from './status.ts'
import { registerStop } from './stop.ts'
import { registerSubmit } from './submit.ts'
import { registerTask } from './task.ts'
import { registerTasks } from './tasks.ts'
import { registerTicket } from './ticket.ts'
import { registerTop } from './top.ts'
import { registerUp } from './up.ts'
import { parsePath } from './values.ts'
import { registerVersion } from './version.ts'

/** Bad usage (spec/interfaces.md, "exit"). */
const EXIT_USAGE = 2

/** Runs the command line and leaves the exit code in `process.exitCode`; the process ends when nothing is left to do. */
export async function main(argv: readonly string[]): Promise<void> {
  // A reader that has seen enough (`| head`) is no error. Nor is a terminal that is gone: SIGHUP tells those it concerns.
  process.stdout.on('error', (cause: NodeJS.ErrnoException) => {
    if (cause.code === 'EPIPE') process.exit(0)
    if (cause.code === 'EIO') return
    process.stderr.write(`swarm-node: the output cannot be written: ${cause.message}\n`)
    process.exit(1)
  })
  // There is nowhere else to say so.
  process.stderr.on('error', () => {})
  try {
    await createProgram().parseAsync(argv)
  } catch (cause) {
    process.exitCode = await report(cause, argv)
  }
}

export function createProgram(): Command {
  const program: Command = new Command('swarm-node')
    .description('A daemon, one per host, that makes a fleet of agents coordinate itself with no server in the middle.')
    .version(VERSION, '-V, --version', 'print the version')
    .option('--json', 'print one JSON document (streams: one per line) and nothing else')
    .option('--data <dir>', 'data directory (SWARM_NODE_DATA)', parsePath)
    .option('--socket <path>', 'socket of the daemon (SWARM_NODE_SOCKET)', parsePath)
    .option('--config <file>', 'configuration file, YAML or JSON', parsePath)
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('Add --help to see what there is.')
    .exitOverride()
    .addHelpText('beforeAll', ({ command }) => demandMeant(program, command))
    .addHelpText('after', FIRST_STEPS)
  for (const register of COMMANDS) register(program)
  return program
}

/**
 * Help is of the command that was named: of a word that is none, commander shows what there is and does not say that the
 * word is unknown (`help stauts`, `stauts --help`), and of a command below another it shows that of the other.
 *
 * @param shown whose help is about to be shown
 * @returns nothing to be said before it
 */
function demandMeant(program: Command, shown: Command): string {
  let meant = program
  for (const word of program.args.filter((word) => word !== 'help')) {
    if (word.startsWith('-') || meant.commands.length === 0) break
    const next = meant.commands.find((command) => command.name() === word)
    // It says so itself, and which one is near.
    if (next === undefined) meant.parse([word], { from: 'user' })
    meant = next ?? meant
  }
  if (meant !== shown) meant.help()
  return ''
}

const COMMANDS = [
  registerStart,
  registerStop,
  registerDrain,
  registerUp,
  registerDown,
  registerTicket,
  registerAuthority,
  registerStatus,
  registerPeers,
  registerAgents,
  registerTop,
  registerEvents,
  registerAgent,
  registerSubmit,
  registerTask,
  registerTasks,
  registerCouncil,
  registerConfig,
  registerSelftest,
  registerVersion,
]

const FIRST_STEPS = `
First steps:
  swarm-node start                    a swarm of one, useful at once
  swarm-node ticket create            a ticket for the next host, where it is:
  swarm-node start --join TICKET      joins it
  swarm-node up --nodes 5             or a whole swarm on this machine, to play with

Give it work:
  swarm-node agent --skill shout -- tr a-z A-Z        any command is an agent
  swarm-node submit shout --input hello --wait        on any node of the swarm`

/** Says what went wrong, and returns the exit code for it. */
async function report(cause: unknown, argv: readonly string[]): Promise<number> {
  const json = argv.slice(0, argv.includes('--') ? argv.indexOf('--') : undefined).includes('--json')
  if (cause instanceof CommanderError) {
    if (cause.exitCode === 0) return 0
    // commander has said it on standard error already.
    if (json) printError('BAD_USAGE', usageText(cause), {})
    return EXIT_USAGE
  }
  const { InvariantError, SwarmError } = await import('../../src/index.ts')
  const known = cause instanceof SwarmError
  const code = known ? cause.code : cause instanceof InvariantError ? 'INVARIANT' : 'INTERNAL'
  const message = cause instanceof Error ? cause.message : String(cause)
  if (json) printError(code, message, known ? cause.data : {})
  process.stderr.write(visibleText(errorText(code, message, known ? cause.data : {}), '\n'))
  if (known) return cause.exitCode
  const stack = cause instanceof Error ? (cause.stack ?? '') : ''
  process.stderr.write(`${visibleText(stack, '\n')}\nThis is a bug; please report it.\n`)
  return code === 'INVARIANT' ? 70 : 1
}

/** Help that is shown because no command was named has no words of its own. */
function usageText({ code, message }: CommanderError): string {
  if (code === 'commander.help') return 'no command is named, or not all of it; see --help'
  return message.replace(/^error: /, '')
}

function printError(code: string, message: string, data: Readonly<Record<string, unknown>>): void {
  process.stdout.write(`${JSON.stringify({ error: { ...data, code, message } })}\n`)
}

/** The sentence with its code; below it the single problems of an error that has several. */
function errorText(code: string, message: string, data: Readonly<Record<string, unknown>>): string {
  const [sentence = '', ...below] = message.split('\n')
  const { problems } = data
  // A message of several lines has its problems in it already.
  const listed =
    below.length === 0 && Array.isArray(problems)
      ? problems.filter((problem) => !isSaid(problem, message)).map((problem) => `  ${describe(problem)}`)
      : below
  return [`swarm-node: ${sentence} [${code}]`, ...listed, ''].join('\n')
}

/** Each problem is told once. */
function isSaid(problem: unknown, message: string): boolean {
  const words = typeof problem === 'object' && problem !== null && 'problem' in problem ? problem.problem : problem
  return typeof words === 'string' && message.includes(words)
}

function describe(problem: unknown): string {
  if (typeof problem !== 'object' || problem === null) return String(problem)
  return Object.values(problem).join(': ')
}
