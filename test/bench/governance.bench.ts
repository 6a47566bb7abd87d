import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { RunningNode } from '../../node/local-swarm.ts'
import { statusOf } from '../../node/spawn-daemon.ts'
import type { ControlClient, CouncilStatusReport } from '../../src/index.ts'
import { commandArguments } from '../support/arguments.ts'
import { type CouncilSwarm, connectTo, killProcess, seat, withCouncil } from './council-swarm.ts'
import { type Figure, latencyOf, tableOf } from './figures.ts'
import type { RogueOrders, RogueReport } from './rogue-child.ts'
import { bundledProgram } from './work-daemon.ts'

/**
 * What governance promises, with real daemons: how soon a revoked member is connected to nobody, and that it stays out;
 * what a validator gone rogue, which floods the others with signed votes, costs them in memory and decisions; and how long
 * the next decision takes when the primary proposes one thing to some and another to the rest, until it is convicted.
 *
 * Usage: npm run bench -- governance [--part revocation,flood,equivocation] [--members 4] [--revoke 3] [--seconds 20]
 *   [--liars 10] [--json]
 */

const LIAR = fileURLToPath(new URL('../support/lying-member.ts', import.meta.url))
const ROGUE = fileURLToPath(new URL('./rogue-child.ts', import.meta.url))
const KIB_PER_MIB = 1024
const POLL_MS = 20
const SAMPLE_MS = 250
const WAIT_MS = 60_000
/** Each decision changes something: another expiry. */
let ttlMs = 3_600_000

const { values } = commandArguments({
  options: {
    part: { type: 'string', default: 'revocation,flood,equivocation' },
    members: { type: 'string', default: '4' },
    revoke: { type: 'string', default: '3' },
    seconds: { type: 'string', default: '20' },
    liars: { type: 'string', default: '10' },
    json: { type: 'boolean', default: false },
  },
})
const [members, revokeCount, seconds] = [Number(values.members), Number(values.revoke), Number(values.seconds)]
const liarCount = Number(values.liars)

const directory = mkdtempSync(join(tmpdir(), 'snb-governance-'))
try {
  const figures: Figure[] = []
  if (values.part.includes('revocation')) {
    figures.push(...(await withCouncil(members + revokeCount, join(directory, 'revocation'), revocations)))
  }
  if (values.part.includes('flood')) figures.push(...(await withCouncil(members, join(directory, 'flood'), flooding)))
  if (values.part.includes('equivocation')) {
    figures.push(...(await withCouncil(members, join(directory, 'equivocation'), equivocations)))
  }
  if (values.json) console.log(JSON.stringify({ bench: 'governance', figures }))
  else console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}\n${tableOf(figures)}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
process.exit()

async function revocations({ nodes, client, forget }: CouncilSwarm): Promise<readonly Figure[]> {
  const [decided, everywhere]: [number[], number[]] = [[], []]
  let stayedOut = 0
  let rest = [...nodes]
  for (let i = 0; i < revokeCount; i++) {
    const victim = rest.pop()
    if (victim === undefined) break
    const { node, pid } = victim.status
    const { out } = await watched(rest, node)
    const startedAt = performance.now()
    await client.call('council.propose', { kind: 'revoke', body: { node } })
    decided.push(performance.now() - startedAt)
    everywhere.push((await out) - startedAt)
    // Its process is killed and started again: by then nobody lets it in.
    killProcess(pid)
    while (existsSync(`/proc/${pid}`)) await delay(POLL_MS)
    forget(pid)
    if (await keptOut(client, victim)) stayedOut += 1
    rest = rest.filter((one) => one !== victim)
  }
  const part = 'revocation'
  const [answer, end] = [latencyOf(decided), latencyOf(everywhere)]
  return [
    { part, what: `revoked, decided, p50 of ${decided.length}`, value: answer.p50Ms, unit: 'ms' },
    { part, what: 'out everywhere, p50', value: end.p50Ms, unit: 'ms', target: { atMost: 2_000 } },
    { part, what: 'out everywhere, slowest', value: Math.max(...everywhere), unit: 'ms', target: { atMost: 2_000 } },
    { part, what: 'started again and kept out', value: stayedOut, unit: 'nodes', target: { atLeast: decided.length } },
  ]
}

/** Resolves with the moment at which the last of them has put that node out. */
async function watched(nodes: readonly RunningNode[], node: string): Promise<{ readonly out: Promise<number> }> {
  const clients = await Promise.all(nodes.map(connectTo))
  const seen = clients.map(() => Promise.withResolvers<number>())
  await Promise.all(
    clients.map((client, i) =>
      client.subscribe({}, (event) => {
        if (event.kind === 'member-down' && event.node === node) seen[i]?.resolve(performance.now())
      }),
    ),
  )
  const all = Promise.all(seen.map(({ promise }) => promise))
  return {
    out: all.then((times) => {
      for (const client of clients) client.close()
      return Math.max(...times)
    }),
  }
}

/** Starts it again; whether it finds out that it is out, and the founder does not have it among those that are up. */
async function keptOut(founder: ControlClient, { data, socket, status }: RunningNode): Promise<boolean> {
  const child = spawn(process.execPath, [await bundledProgram(), 'start', '--data', data, '--profile', 'local'], {
    stdio: 'ignore',
  })
  try {
    const until = performance.now() + WAIT_MS
    while (performance.now() < until) {
      const { peers } = await founder.call('node.peers', {})
      if (peers.find(({ node }) => node === status.node)?.state === 'alive') return false
      if ((await statusOf(socket))?.state === 'revoked') return true
      await delay(POLL_MS)
    }
    return false
  } finally {
    child.kill('SIGKILL')
  }
}

/** One of them goes rogue; the others decide on meanwhile. */
async function flooding({ nodes, client, forget }: CouncilSwarm): Promise<readonly Figure[]> {
  const rogue = nodes.at(-1)
  const honest = nodes.slice(0, -1)
  if (rogue === undefined) throw new Error('no rogue')
  const before = await decideFor(client, seconds / 2)
  const { epoch, view } = await client.call('council.status', {})
  killProcess(rogue.status.pid)
  while (existsSync(`/proc/${rogue.status.pid}`)) await delay(POLL_MS)
  forget(rogue.status.pid)
  const calm = new Map(honest.map(({ status }) => [status.pid, rssMiB(status.pid)]))
  const victims = honest.map(({ status }) => ({
    node: status.node,
    addresses: status.addresses.map((address) => address.replace(/\/p2p\/.*$/, '')),
  }))
  const orders: RogueOrders = { data: rogue.data, epoch, view, victims }
  const child = fork(ROGUE, [JSON.stringify(orders)])
  try {
    const memory = watchMemory([...calm.keys()])
    await reported(child, ({ met, votesSent }) => met === honest.length && votesSent > 0)
    const during = await decideFor(client, seconds)
    const last = await reported(child, () => true)
    const growth = [...memory.stop()].map(([pid, most]) => most - (calm.get(pid) ?? 0))
    const part = 'flood'
    return [
      { part, what: 'votes sent by the rogue', value: last.votesSent, unit: '' },
      { part, what: 'links of it that were cut', value: last.cutOff, unit: '' },
      {
        part,
        what: 'memory of an honest one grew, most',
        value: Math.max(...growth),
        unit: 'MiB',
        target: { atMost: 64 },
      },
      { part, what: 'decisions without it', value: before, unit: '/s' },
      { part, what: 'decisions while it floods', value: during, unit: '/s', target: { atLeast: 1 } },
    ]
  } finally {
    child.kill('SIGKILL')
  }
}

/** Validators that lie in their turn, one after the other; each is convicted for it, and a new node takes its seat. */
async function equivocations({ swarm, nodes, client, forget }: CouncilSwarm): Promise<readonly Figure[]> {
  const [times, untilConvicted]: [number[], number[]] = [[], []]
  let seated = nodes
  for (let i = 0; i < liarCount; i++) {
    const victim = seated.at(-1)
    if (victim === undefined) break
    const { node, pid, addresses } = victim.status
    killProcess(pid)
    while (existsSync(`/proc/${pid}`)) await delay(POLL_MS)
    forget(pid)
    const liar = fork(LIAR, [victim.data, addresses[0]?.replace(/\/p2p\/.*$/, '') ?? '', 'equivocate-by-subset'], {
      stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
    })
    try {
      await decideUntil(client, ({ primary, members }) => primary === node && members.every(isVoting))
      liar.send('lie')
      await once(liar, 'message')
      await decideUntil(client, ({ primary }) => primary === node)
      const startedAt = performance.now()
      await decideOnce(client)
      times.push(performance.now() - startedAt)
      await decideUntil(client, ({ members }) => members.every((member) => member.node !== node))
      untilConvicted.push(performance.now() - startedAt)
    } finally {
      liar.kill('SIGKILL')
    }
    // What is left of it is started again with the others, as an honest node without a seat.
    await once(liar, 'exit')
    seated = seated.filter((one) => one !== victim)
    const up = await swarm.up(members + i + 1, { started: () => {}, seen: () => {} })
    const newcomer = up.at(-1)
    if (newcomer === undefined) break
    await seat(client, [...seated, newcomer])
    seated = [...seated, newcomer]
  }
  const part = 'equivocation'
  const { p50Ms } = latencyOf(times)
  return [
    {
      part,
      what: `lying primaries, next decision, p50 of ${times.length}`,
      value: p50Ms,
      unit: 'ms',
      target: { atMost: 1_000 },
    },
    { part, what: 'next decision, slowest', value: Math.max(...times), unit: 'ms', target: { atMost: 2_000 } },
    { part, what: 'convicted and out of the council, slowest', value: Math.max(...untilConvicted), unit: 'ms' },
  ]
}

function isVoting({ state }: CouncilStatusReport['members'][number]): boolean {
  return state === 'voting'
}

/** Decides on until the council is so, as the founder sees it. */
async function decideUntil(client: ControlClient, holds: (status: CouncilStatusReport) => boolean): Promise<void> {
  const until = performance.now() + WAIT_MS
  while (!holds(await client.call('council.status', {}))) {
    if (performance.now() > until) throw new Error('the council does not become what it is to be')
    await decideOnce(client)
  }
}

async function decideOnce(client: ControlClient): Promise<void> {
  ttlMs += 1
  await client.call('council.propose', { kind: 'override', body: { subject: 'bench', action: 'none', ttlMs } })
}

/** Decisions per second, one after the other. */
async function decideFor(client: ControlClient, forSeconds: number): Promise<number> {
  const startedAt = performance.now()
  let decided = 0
  while (performance.now() < startedAt + forSeconds * 1000) {
    await decideOnce(client)
    decided += 1
  }
  return decided / ((performance.now() - startedAt) / 1000)
}

/** The next of its reports of which that holds. */
async function reported(child: ChildProcess, holds: (report: RogueReport) => boolean): Promise<RogueReport> {
  const signal = AbortSignal.timeout(WAIT_MS)
  for (;;) {
    const [report] = (await once(child, 'message', { signal })) as [RogueReport]
    if (holds(report)) return report
  }
}

/** The most that each process holds from now on. */
function watchMemory(pids: readonly number[]): { stop(): ReadonlyMap<number, number> } {
  const most = new Map<number, number>()
  const look = () => {
    for (const pid of pids) most.set(pid, Math.max(most.get(pid) ?? 0, rssMiB(pid)))
  }
  const timer = setInterval(look, SAMPLE_MS)
  return {
    stop: () => {
      clearInterval(timer)
      look()
      return most
    },
  }
}

function rssMiB(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / KIB_PER_MIB
}
