import { setTimeout as delay } from 'node:timers/promises'
import { LocalSwarm, type RunningNode } from '../../node/local-swarm.ts'
import { ControlClient } from '../../src/index.ts'
import { bundledProgram } from './work-daemon.ts'

const COUNCIL_TIMEOUT_MS = 180_000
const POLL_MS = 100

const spawned = new Set<number>()
process.on('exit', () => {
  for (const pid of spawned) killProcess(pid)
})
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

/** Real daemons on this machine, all of them in the council, and their end when the work is done. */
export interface CouncilSwarm {
  readonly swarm: LocalSwarm
  /** The founder first: it alone holds the authority's key. */
  readonly nodes: readonly RunningNode[]
  /** Of the founder. */
  readonly client: ControlClient
  /** Takes note that the process is gone. */
  forget(pid: number): void
}

export async function withCouncil<T>(
  count: number,
  at: string,
  run: (council: CouncilSwarm) => Promise<T>,
): Promise<T> {
  const pids = new Set<number>()
  const swarm = new LocalSwarm({
    directory: at,
    program: await bundledProgram(),
    detached: false,
    // As `swarm-node start` starts them.
    frugal: false,
    onSpawned: (pid) => {
      spawned.add(pid)
      pids.add(pid)
    },
  })
  const forget = (pid: number) => {
    spawned.delete(pid)
    pids.delete(pid)
  }
  try {
    const nodes = await swarm.up(count, { started: () => {}, seen: () => {} })
    const [founder] = nodes
    if (founder === undefined) throw new Error('no node')
    const client = await connectTo(founder)
    await client
      .call('council.propose', { kind: 'parameter', body: { name: 'council.sizeMax', value: nodes.length } })
      .catch(() => undefined)
    await seat(client, nodes)
    const result = await run({ swarm, nodes, client, forget })
    client.close()
    return result
  } finally {
    for (const pid of pids) killProcess(pid)
  }
}

export function connectTo(node: RunningNode): Promise<ControlClient> {
  return ControlClient.connect({ socket: node.socket, client: 'bench/1', token: undefined })
}

/** Seats all of them, as far as a step may go, and waits until they vote. */
export async function seat(client: ControlClient, nodes: readonly RunningNode[]): Promise<void> {
  const wanted = nodes.map(({ status }) => status.node)
  const until = performance.now() + COUNCIL_TIMEOUT_MS
  for (;;) {
    const { members } = await client.call('council.status', {})
    const missing = wanted.filter((node) => !members.some((member) => member.node === node))
    if (missing.length === 0 && members.every(({ state }) => state === 'voting')) return
    if (performance.now() > until) {
      const states = members.map(({ node, state, height }) => `${node} ${state} at ${height}`)
      throw new Error(`the council does not become ${wanted.join(' ')}: it has ${states.join(', ')}`)
    }
    const [next] = missing
    if (next !== undefined) {
      await client
        .call('council.propose', { kind: 'validator', body: { add: [next], remove: [] } })
        .catch(() => undefined)
    }
    await delay(POLL_MS)
  }
}

export function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // It has ended already.
  }
}
