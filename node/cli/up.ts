import type { Command } from 'commander'
import type { LocalSwarm, RunningNode } from '../local-swarm.ts'
import { isShutOut, SHUT_OUT_WORDS, type ShutOutState } from '../shut-out.ts'
import { action, type Context, quoted } from './command.ts'
import { table } from './table.ts'
import { parseCount } from './values.ts'

/** As many processes as one machine has been seen to carry (design/quality.md, "scale"). */
const NODES_MAX = 100

export function registerUp(program: Command): void {
  program
    .command('up')
    .description('a local swarm of separate processes on loopback, for development')
    .option('--nodes <n>', 'how many (default: up.nodes of the configuration)', parseCount(1, NODES_MAX))
    .action(action<{ readonly nodes?: number }>((context, { nodes }) => up(context, nodes)))
}

async function up(context: Context, wanted: number | undefined): Promise<number> {
  const { terminal, data, token, config, program } = context
  const nodeCount = await judged(context, wanted)
  const { LocalSwarm } = await import('../local-swarm.ts')
  const { Spawned } = await import('../spawned.ts')
  const down = `swarm-node down ${placeOf(context, data)}`
  const starting = terminal.meter('starting', nodeCount)
  const finding = terminal.meter('finding each other', nodeCount)
  const spawned = new Spawned((signal, isAgain) => {
    finding.end()
    const what = `${signal}: stopping the nodes that this command has started`
    terminal.say(isAgain ? `They may still run; stop them with: ${down}` : what)
  })
  const directory = LocalSwarm.directoryOf(data)
  const onSpawned = (pid: number) => spawned.add(pid)
  const swarm = new LocalSwarm({ directory, program, detached: true, config, token, onSpawned })
  starting.update(0)
  try {
    const nodes = await spawned.during(
      swarm.up(nodeCount, {
        started: (node, count) => starting.update(count, node.name),
        seen: (count) => finding.update(count),
      }),
    )
    finding.end()
    show(context, swarm, nodes, down)
    return 0
  } catch (cause) {
    finding.end()
    if (spawned.isAnyRunning) terminal.say(`Those that did start still run; stop them with: ${down}`)
    throw cause
  }
}

/** With the file that may hold the token. */
function placeOf({ config }: Context, data: string): string {
  return `--data ${quoted(data)}${config === undefined ? '' : ` --config ${quoted(config)}`}`
}

function show(context: Context, swarm: LocalSwarm, nodes: readonly RunningNode[], down: string): void {
  const { terminal } = context
  const rows = nodes.map(({ name, data: directory, socket, status }) => {
    return { name, node: status.node, data: directory, socket, addresses: status.addresses, pid: status.pid }
  })
  terminal.result({ nodes: rows }, () => {
    const cells = rows.map((row) => [row.name, row.node, String(row.pid), row.addresses[0] ?? '-'])
    return table(['NAME', 'NODE', 'PID', 'ADDRESS'], cells, terminal.columns)
  })
  for (const node of nodes) {
    const { state } = node.status
    if (isShutOut(state)) terminal.say(shutOutWords(context, swarm, node, state, down))
  }
  terminal.say(`Look around: swarm-node peers ${placeOf(context, rows[0]?.data ?? '')}\nStop them:   ${down}`)
}

/** The first one is where the others get their tickets. */
function shutOutWords(
  context: Context,
  { directory }: LocalSwarm,
  { name, data, status }: RunningNode,
  state: ShutOutState,
  down: string,
): string {
  const what = `${name} (${status.node}) runs, but nobody talks to it: ${SHUT_OUT_WORDS[state].what}.`
  return name === 'node-1'
    ? `${what} It founded this swarm: to begin anew, ${down}; rm -r ${quoted(directory)}`
    : `${what} To have another node in its place: swarm-node stop ${placeOf(context, data)}; rm -r ${quoted(data)}; and up again`
}

/**
 * How many are to come up, of a configuration that several can share.
 *
 * @throws SwarmError BAD_CONFIGURATION
 */
async function judged({ config: file, given, env }: Context, wanted: number | undefined): Promise<number> {
  if (wanted !== undefined && file === undefined) return wanted
  const { resolveSettings } = await import('../settings.ts')
  const { SwarmError } = await import('../../src/index.ts')
  const { config } = resolveSettings({ config: file, ...given, listen: [], labels: {} }, env)
  const nodeCount = wanted ?? config.up.nodes
  const { log, http } = config
  const own = [
    ...(http.listen === undefined || http.listen.endsWith(':0') ? [] : [`http.listen (${http.listen})`]),
    ...(log.file === undefined ? [] : [`log.file (${log.file})`]),
  ]
  if (nodeCount === 1 || own.length === 0) return nodeCount
  const message = `${nodeCount} nodes cannot share ${own.join(' and ')}: leave it out for up, where each has a log of its own`
  throw new SwarmError('BAD_CONFIGURATION', message)
}
