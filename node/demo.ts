import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { stopDaemon } from './cli/stop.ts'
import { table } from './cli/table.ts'
import { openTerminal, type Terminal } from './cli/terminal.ts'
import { LocalSwarm, peersOf, type RunningNode } from './local-swarm.ts'
import { endProcess, isRunning } from './processes.ts'

/** `npm run demo`: a swarm of separate processes, shown as each of them sees it, and gone without a trace afterwards. */

const NODE_COUNT = 5

/** Latencies are measured and loads are told within a few probes of the first meeting. */
const MEASURE_TIMEOUT_MS = 20_000
const POLL_MS = 200

/** How long a process that is told to end may take before it is made to. */
const GRACE_MS = 5_000

const PROGRAM = fileURLToPath(new URL('./bin.ts', import.meta.url))

type PeerReport = Awaited<ReturnType<typeof peersOf>>[number]

/** What one node says of the others. */
interface View {
  readonly node: RunningNode
  readonly peers: readonly PeerReport[]
}

async function main(): Promise<number> {
  const directory = await mkdtemp(join(tmpdir(), 'swarm-demo-'))
  const pids: number[] = []
  let interrupted = false
  const cleanUp = async () => {
    // More may start while the first are ending.
    while (pids.some(isRunning)) await Promise.all(pids.map((pid) => endProcess(pid, GRACE_MS)))
    await rm(directory, { recursive: true, force: true, maxRetries: 5 })
  }
  for (const signal of ['SIGINT', 'SIGTERM'] as const) {
    process.once(signal, () => {
      interrupted = true
      process.stderr.write('\ninterrupted: ending the processes\n')
      void cleanUp().finally(() => process.exit(1))
    })
  }
  try {
    return await demonstrate(openTerminal(false), directory, (pid) => {
      pids.push(pid)
      if (interrupted) throw new Error('it was interrupted')
    })
  } catch (cause) {
    process.stderr.write(`the demonstration failed: ${cause instanceof Error ? cause.message : String(cause)}\n`)
    return 1
  } finally {
    await cleanUp()
  }
}

async function demonstrate(terminal: Terminal, directory: string, onSpawned: (pid: number) => void): Promise<number> {
  const { colours, columns } = terminal
  const print = (text: string) => process.stdout.write(`${text}\n`)
  const startedAt = performance.now()
  const seconds = () => `${((performance.now() - startedAt) / 1000).toFixed(1)} s`

  print(colours.bold(`A swarm of ${NODE_COUNT} processes on this machine`))
  const nodes = await bringUp(terminal, new LocalSwarm({ directory, program: PROGRAM, detached: false, onSpawned }))
  print(`${colours.green('✓')} ${NODE_COUNT} nodes run and see each other after ${seconds()}\n`)

  const names = new Map(nodes.map(({ name, status }) => [status.node, name]))
  const views = await measuredViews(nodes)
  for (const { node, peers } of views) {
    const place = `${node.status.node}, process ${node.status.pid}`
    print(`${colours.bold(node.name)} ${colours.dim(place)} sees`)
    print(
      `${indented(
        table(
          HEADINGS,
          peers.map((peer) => rowOf(peer, names)),
          columns - 2,
        ),
      )}\n`,
    )
  }

  const problems = problemsOf(views, names)
  const meter = terminal.meter('stopping', NODE_COUNT)
  for (const [i, node] of nodes.entries()) {
    meter.update(i, node.name)
    await stopDaemon({ socket: node.socket, token: undefined })
  }
  meter.end()
  print(`${colours.green('✓')} all stopped in order after ${seconds()}`)
  for (const problem of problems) print(`${colours.red('✗')} ${problem}`)
  if (problems.length > 0) return 1
  print(`\nTo keep one: ${colours.bold(`npx swarm-node up --nodes ${NODE_COUNT}`)}`)
  return 0
}

async function bringUp(terminal: Terminal, swarm: LocalSwarm): Promise<readonly RunningNode[]> {
  const starting = terminal.meter('starting', NODE_COUNT)
  const finding = terminal.meter('finding each other', NODE_COUNT)
  starting.update(0)
  try {
    return await swarm.up(NODE_COUNT, {
      started: (node, count) => starting.update(count, `${node.name} ${node.status.addresses[0] ?? ''}`),
      seen: (count) => finding.update(count),
    })
  } finally {
    finding.end()
  }
}

/** What every node sees once latencies and loads are known everywhere, or when the time for that is over. */
async function measuredViews(nodes: readonly RunningNode[]): Promise<readonly View[]> {
  const until = performance.now() + MEASURE_TIMEOUT_MS
  for (;;) {
    const views = await Promise.all(nodes.map(async (node) => ({ node, peers: await othersOf(node) })))
    const complete = views.every(({ peers }) => peers.every((peer) => peer.rttMs !== null && peer.load !== null))
    if (complete || performance.now() > until) return views
    await delay(POLL_MS)
  }
}

async function othersOf(node: RunningNode): Promise<readonly PeerReport[]> {
  return (await peersOf(node)).filter((peer) => peer.node !== node.status.node)
}

/** Why this is not what was promised; empty when it is. */
function problemsOf(views: readonly View[], names: ReadonlyMap<string, string>): readonly string[] {
  return views.flatMap(({ node, peers }) => {
    const about = (peer: PeerReport) => names.get(peer.node) ?? peer.node
    const missing = NODE_COUNT - 1 - peers.length
    return [
      ...(missing === 0 ? [] : [`${node.name} knows ${peers.length} others instead of ${NODE_COUNT - 1}`]),
      ...peers
        .filter((peer) => peer.state !== 'alive')
        .map((peer) => `${node.name} takes ${about(peer)} for ${peer.state}`),
      ...peers.filter((peer) => peer.rttMs === null).map((peer) => `${node.name} knows no latency to ${about(peer)}`),
      ...peers.filter((peer) => peer.load === null).map((peer) => `${node.name} knows no load of ${about(peer)}`),
    ]
  })
}

const HEADINGS = ['MEMBER', 'STATE', 'ROLES', 'LATENCY', 'LOAD', 'NODE']

function rowOf(peer: PeerReport, names: ReadonlyMap<string, string>): readonly string[] {
  return [
    names.get(peer.node) ?? '?',
    peer.state,
    peer.roles.join(','),
    peer.rttMs === null ? '-' : `${peer.rttMs.toFixed(2)} ms`,
    peer.load === null ? '-' : `${Math.round(peer.load * 100)}%`,
    peer.node,
  ]
}

function indented(text: string): string {
  return text
    .split('\n')
    .map((line) => `  ${line}`)
    .join('\n')
}

process.exitCode = await main()
