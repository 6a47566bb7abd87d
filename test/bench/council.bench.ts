import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { RunningNode } from '../../node/local-swarm.ts'
import type { ControlClient, CouncilStatusReport } from '../../src/index.ts'
import { commandArguments } from '../support/arguments.ts'
import { exchangeFloor } from './council-floor.ts'
import { type CouncilSwarm, withCouncil } from './council-swarm.ts'
import { type Figure, latencyOf, sum, tableOf } from './figures.ts'
import { EtcdCluster } from './peers/etcd.ts'
import { MissingPeer } from './peers/program.ts'
import { cpuSeconds } from './processor.ts'

/**
 * The council of real daemons with real links and fsync against etcd's three members on the same machine and in the same
 * run: sequential commits, throughput with 256 clients, and the time until the next decision after the primary fell silent
 * (SIGSTOP) or was killed. Beside each figure stands what it took of the processors, all members together: on two cores
 * four members are never idle, so that is what the latency follows. The floor of a commit is an exchange of as many
 * processes that does nothing else (council-floor.ts).
 *
 * Usage: npm run bench -- council [--members 4,7,10,16] [--commits 500] [--seconds 5] [--kills 50] [--directory DIR] [--json]
 */

const CLIENTS = 256
/** An operation of about 200 bytes: an override's subject and action. */
const SUBJECT = 'x'.repeat(116)
const ACTION = 'a'.repeat(52)
/** Until the code of all members is compiled, as etcd's is from the start: so many decisions, or as many as fit. */
const WARM_UP_COMMITS = 3_000
const WARM_UP_MS = 30_000
const WARM_UP_TOGETHER_MS = 5_000
const HOUR_MS = 3_600_000
const COUNCIL_TIMEOUT_MS = 180_000
const POLL_MS = 20

const { values } = commandArguments({
  options: {
    members: { type: 'string', default: '4,7,10,16' },
    commits: { type: 'string', default: '500' },
    seconds: { type: 'string', default: '5' },
    kills: { type: 'string', default: '50' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const [commits, seconds, kills] = [Number(values.commits), Number(values.seconds), Number(values.kills)]

/** What etcd does here and now; undefined if it is not installed. */
interface Peer {
  readonly p50Ms: number
  readonly rate: number
}

let ttl = HOUR_MS
const directory = mkdtempSync(join(values.directory, 'swarm-node-council-'))
try {
  const peer = await measureEtcd(join(directory, 'etcd'))
  const figures: Figure[] = []
  for (const members of values.members.split(',').map(Number)) {
    // Each size stands for itself: what was measured before is shown, whatever becomes of a larger one.
    try {
      const found = await measure(members, join(directory, `${members}`), peer)
      console.error(tableOf(found))
      figures.push(...found)
    } catch (cause) {
      console.error(`council of ${members}: not measured: ${cause instanceof Error ? cause.message : cause}`)
      process.exitCode = 1
    }
  }
  if (values.json) console.log(JSON.stringify({ bench: 'council', figures }))
  else console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}\n${tableOf(figures)}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exit(process.exitCode)

async function measureEtcd(at: string): Promise<Peer | undefined> {
  let cluster: EtcdCluster
  try {
    cluster = await EtcdCluster.start(at)
  } catch (cause) {
    if (!(cause instanceof MissingPeer)) throw cause
    console.error(`etcd left out: ${cause.message}`)
    return undefined
  }
  try {
    const { p50Ms } = await cluster.sequential(commits)
    return { p50Ms, rate: await cluster.throughput(CLIENTS, seconds) }
  } finally {
    await cluster.stop()
  }
}

async function measure(count: number, at: string, peer: Peer | undefined): Promise<readonly Figure[]> {
  const part = `council of ${count}`
  const bare = await exchangeFloor(count, 'bare', commits, join(at, 'floor'))
  const whole = await exchangeFloor(count, 'whole', commits, join(at, 'floor'))
  const beside = peer === undefined ? undefined : { name: 'etcd', value: peer.p50Ms }
  const floors: Figure[] = [
    { part, what: `exchange of ${count}, p50`, value: bare.p50Ms, unit: 'ms', peer: beside },
    { part, what: `the same, signed and on disk, p50`, value: whole.p50Ms, unit: 'ms', peer: beside },
  ]
  const floor = { name: 'exchange, signed and on disk', value: whole.p50Ms }
  return withCouncil(count, join(at, 'nodes'), async (council) => {
    const figures = [
      ...floors,
      ...(await sequential(council, part, { peer, floor })),
      ...(await throughput(council, part, peer)),
    ]
    // With four, as etcd's figure was taken; the founder is spared, for it alone holds the authority's key.
    if (count === 4 && kills > 0) {
      figures.push(...(await failovers(council, part, 'stopped')), ...(await failovers(council, part, 'killed')))
    }
    return figures
  })
}

/** Each one changes something: another expiry. */
async function decide(client: ControlClient, who: number): Promise<void> {
  ttl += 1
  const action = `${ACTION}${String(who).padStart(4, '0')}`
  await client.call('council.propose', { kind: 'override', body: { subject: SUBJECT, action, ttlMs: ttl } })
}

async function sequential(
  council: CouncilSwarm,
  part: string,
  { peer, floor }: { readonly peer: Peer | undefined; readonly floor: Figure['peer'] },
): Promise<readonly Figure[]> {
  const { client } = council
  const warmAt = performance.now() + WARM_UP_MS
  for (let i = 0; i < WARM_UP_COMMITS && performance.now() < warmAt; i++) await decide(client, 0)
  const times: number[] = []
  const before = cpuMs(council)
  for (let i = 0; i < commits; i++) {
    const startedAt = performance.now()
    await decide(client, 0)
    times.push(performance.now() - startedAt)
  }
  const cpuEach = (cpuMs(council) - before) / commits
  const { p50Ms, p99Ms } = latencyOf(times)
  const judged = part === 'council of 4' ? { target: { atMost: 2.5 }, judged: 'ratio' as const } : {}
  const beside = peer === undefined ? undefined : { name: 'etcd', value: peer.p50Ms }
  return [
    { part, what: `${part}, commit p50`, value: p50Ms, unit: 'ms', peer: beside, ...judged },
    { part, what: 'the same, against its floor', value: p50Ms, unit: 'ms', peer: floor },
    { part, what: `${part}, commit p99`, value: p99Ms, unit: 'ms' },
    { part, what: `${part}, processor time of a commit`, value: cpuEach, unit: 'ms' },
  ]
}

async function throughput(council: CouncilSwarm, part: string, peer: Peer | undefined): Promise<readonly Figure[]> {
  // What many at once take is compiled only now.
  await decideTogether(council, WARM_UP_TOGETHER_MS)
  const before = cpuMs(council)
  const startedAt = performance.now()
  const decided = await decideTogether(council, seconds * 1000)
  const value = decided / ((performance.now() - startedAt) / 1000)
  const judged = part === 'council of 4' ? { target: { atLeast: 3 }, judged: 'ratio' as const } : {}
  const beside = peer === undefined ? undefined : { name: 'etcd', value: peer.rate }
  const cpuEach = (cpuMs(council) - before) / decided
  return [
    { part, what: `${part}, commits with ${CLIENTS} clients`, value, unit: '/s', peer: beside, ...judged },
    { part, what: `${part}, processor time of one of those`, value: cpuEach, unit: 'ms' },
  ]
}

/** How much all clients together had decided in so long, each with one operation on its way. */
async function decideTogether({ client }: CouncilSwarm, forMs: number): Promise<number> {
  const until = performance.now() + forMs
  let decided = 0
  const run = async (who: number): Promise<void> => {
    while (performance.now() < until) {
      await decide(client, who)
      decided += 1
    }
  }
  await Promise.all(Array.from({ length: CLIENTS }, (_, who) => run(who)))
  return decided
}

/** Processor time of all members so far. */
function cpuMs({ nodes }: CouncilSwarm): number {
  return sum(nodes.map(({ status }) => cpuSeconds(status.pid))) * 1000
}

/** Silences primaries, one after the other, and takes the time until the next decision. */
async function failovers(
  { client, swarm, nodes, forget }: CouncilSwarm,
  part: string,
  how: 'killed' | 'stopped',
): Promise<readonly Figure[]> {
  const times: number[] = []
  let running = nodes
  for (let i = 0; i < kills; i++) {
    const victim = await primaryBeside(client, running)
    const { pid } = victim.status
    process.kill(pid, how === 'killed' ? 'SIGKILL' : 'SIGSTOP')
    const silentAt = performance.now()
    await decide(client, 0)
    times.push(performance.now() - silentAt)
    if (how === 'killed') {
      while (existsSync(`/proc/${pid}`)) await delay(POLL_MS)
      forget(pid)
      running = await swarm.up(nodes.length, { started: () => {}, seen: () => {} })
    } else process.kill(pid, 'SIGCONT')
    await allVote(client)
  }
  const { p50Ms, p99Ms } = latencyOf(times)
  const what = `${part}, primary ${how} ${kills} times`
  return [
    { part, what: `${what}, p50`, value: p50Ms, unit: 'ms', target: { atMost: 1_000 } },
    { part, what: `${what}, p99`, value: p99Ms, unit: 'ms', target: { atMost: 2_000 } },
  ]
}

/** Decides on until the primary is another than the founder. */
async function primaryBeside(client: ControlClient, nodes: readonly RunningNode[]): Promise<RunningNode> {
  for (;;) {
    const status: CouncilStatusReport = await client.call('council.status', {})
    const found = nodes.slice(1).find((node) => node.status.node === status.primary)
    if (found !== undefined) return found
    await decide(client, 0)
  }
}

async function allVote(client: ControlClient): Promise<void> {
  const until = performance.now() + COUNCIL_TIMEOUT_MS
  for (;;) {
    const { members } = await client.call('council.status', {})
    if (members.every(({ state }) => state === 'voting')) return
    if (performance.now() > until) throw new Error('a killed member does not come back')
    // Members show by their votes that they vote.
    await decide(client, 0)
    await delay(POLL_MS)
  }
}
