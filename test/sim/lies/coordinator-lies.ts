import type { TaskId } from '../../../src/claims/index.ts'
import type { NodeId } from '../../../src/kernel/index.ts'
import { CONDITIONS, SKILLS } from '../claims-conditions.ts'
import {
  acting,
  bytes,
  executorOf,
  noise,
  oddAmount,
  oddCount,
  oddText,
  onAttempts,
  rowOf,
  say,
  tokenNear,
} from './making.ts'
import type { Body, Liar, Lie, Said } from './types.ts'

type Demand = Body<'claims.offer'>['demand']
type AwardedTask = Body<'claims.award'>['tasks'][number]

/** Offers of its own that its correct self does not know. */
const OFFERS_FROM = 2 ** 40
const OFFERS_AT_ONCE_MAX = 12
const FLOOD_OFFERS = 40

function demandOf({ random }: Liar, oddness: number): Demand {
  const odd = <T>(usual: T, other: () => T): T => (random.chance(oddness) ? other() : usual)
  const weight = (): number => odd(1, () => random.pick([0, 0.5, 1e6, 1e300, -1]))
  return {
    skills: odd([random.pick(SKILLS)], () => random.pick([[], ['a', 'b', 'c'], ['a', 'a'], [oddText(random)]])),
    resources: odd({}, () =>
      random.pick([{ cpu: oddAmount(random) }, { cpu: 1 }, { cpu: 2 }, { [oddText(random)]: 0 }]),
    ),
    require: odd([], () => random.pick([[random.pick(Object.keys(CONDITIONS))], ['((('], [oddText(random, 1024)]])),
    prefer: odd([], () => ['tier==gold']),
    tenant: odd(`t${random.below(3)}`, () => random.pick([oddText(random), `t${random.below(1000)}`])),
    budget: odd<number | undefined>(undefined, () => oddAmount(random)),
    objective: { throughput: weight(), latency: weight(), quality: weight(), cost: weight() },
    excluded: odd<readonly string[]>([], () => ['n0/agent0', oddText(random), 'n1']),
  }
}

function offerOf(liar: Liar, offer: number, oddness: number): Body<'claims.offer'> {
  const { random } = liar
  return {
    offer,
    epoch: oddCount(random),
    demand: demandOf(liar, oddness),
    tasks: random.pick([0, 1, 1, 2, 4096]),
    priority: random.pick([9, random.below(10)]),
    windowMs: oddCount(random),
    holdMs: oddCount(random),
    waitedMs: oddCount(random),
    runTimeoutMs: oddCount(random),
  }
}

const flood = acting('floods-with-offers', 500, (liar) =>
  liar.peers.flatMap((to) =>
    Array.from({ length: FLOOD_OFFERS }, () =>
      say(to, 'claims.offer', offerOf(liar, liar.random.below(2 ** 40), 0.3), liar.random.below(400)),
    ),
  ),
)

/** Tasks that nobody submitted, awarded to whoever bids; and what becomes of them is no concern of its. */
function inventing(): Lie {
  let offers = OFFERS_FROM
  let tasks = 0
  const rowFor = (liar: Liar): AwardedTask => {
    const { random, hearsay } = liar
    tasks += 1
    const own = `${liar.node}-x-${tasks}` as TaskId
    const [other] = hearsay.attempts(1)
    const task = random.pick([
      own,
      own,
      own,
      other?.task ?? own,
      `${liar.node}-x-${tasks >> 1}` as TaskId,
      oddText(random) as TaskId,
    ])
    return {
      task,
      attempt: random.pick([1, 1, tasks, oddCount(random)]),
      seal: 0,
      input: inputOf(liar),
      runTimeoutMs: random.pick([0, 0, 1, 2_000, 2 ** 47]),
      deadlineMs: random.pick([0, 0, 1, 2 ** 47]),
      priority: random.below(10),
      guarantee: random.chance(0.7) ? 'exactly-once' : 'at-least-once',
      trace: random.pick(['', `w${random.below(50)}`, oddText(random, 512)]),
    }
  }
  return {
    name: 'invents-work',
    everyMs: 700,
    acts: (liar) =>
      liar.peers.flatMap((to) =>
        Array.from({ length: 1 + liar.random.below(OFFERS_AT_ONCE_MAX) }, () => {
          offers += 1
          return say(to, 'claims.offer', offerOf(liar, offers, 0.1), liar.random.below(600))
        }),
      ),
    hears: (liar, from, message) => {
      const { random } = liar
      if (message.kind === 'claims.bid' && message.body.offer >= OFFERS_FROM) {
        if (random.chance(0.2)) return []
        const { offer, bid, slots } = message.body
        const rows = Array.from({ length: 1 + random.below(Math.min(8, slots + 2)) }, () => rowFor(liar))
        const leaseMs = random.pick([10_000, 10_000, 0, 1, 2 ** 47])
        return [
          say(
            from,
            'claims.award',
            { offer, bid, epoch: 1, serial: random.below(5), leaseMs, tasks: rows },
            random.below(30),
          ),
        ]
      }
      if (message.kind === 'claims.renew') {
        const { sequence, leases } = message.body
        const lost = random.chance(0.2) ? leases : []
        return [say(from, 'claims.renewed', { sequence, leaseMs: random.pick([10_000, 0, 2 ** 47]), lost })]
      }
      if (message.kind !== 'claims.result' || !message.body.task.startsWith(`${liar.node}-x-`)) return undefined
      const { task, epoch, attempt } = message.body
      const verdict = random.pick(['accepted', 'stale', 'unknown'] as const)
      return random.chance(0.5) ? [] : [say(from, 'claims.ack', { task, epoch, attempt, verdict })]
    },
  }
}

function inputOf({ random }: Liar): AwardedTask['input'] {
  const kind = random.below(6)
  if (kind === 0) return { kind: 'inline', bytes: noise() }
  if (kind === 1)
    return { kind: 'parts', transfer: random.below(2 ** 40), bytes: random.pick([0, 1, 70_000, 1_000_000]) }
  return { kind: 'inline', bytes: bytes(`invented ${random.below(1000)}`) }
}

/** Awards that nobody bid for, or that somebody bid for and that are another's tasks. */
const awardsUnbidden = acting('awards-unbidden', 300, (liar) =>
  liar.peers.flatMap((to): readonly Said[] => {
    const { random, hearsay } = liar
    const tasks = hearsay.attempts(3).map(
      ({ task, attempt }): AwardedTask => ({
        task,
        attempt: attempt + random.below(2),
        seal: 0,
        input: { kind: 'inline', bytes: bytes('usurped') },
        runTimeoutMs: 0,
        deadlineMs: 0,
        priority: 9,
        guarantee: 'exactly-once',
        trace: `w${random.below(50)}`,
      }),
    )
    const offer = random.chance(0.5) ? hearsay.near(liar.node, 'offer') : random.below(2 ** 32)
    const bid = random.chance(0.5) ? hearsay.near(liar.node, 'bid') : random.below(2 ** 32)
    const numbers = { offer, bid, epoch: oddCount(random), serial: oddCount(random) }
    return [say(to, 'claims.award', { ...numbers, leaseMs: 10_000, tasks })]
  }),
)

/** As if those tasks were its own. */
const usurping: Lie = {
  name: 'usurps-tasks',
  sends: (liar, to, message) => {
    if (message.kind !== 'claims.award') return [{ to, message }]
    const others = liar.hearsay.attempts(message.body.tasks.length)
    const tasks = message.body.tasks.map((task, i) => ({ ...task, task: others[i]?.task ?? task.task }))
    return [say(to, 'claims.award', { ...message.body, tasks })]
  },
}

const oddLeases: Lie = {
  name: 'odd-leases',
  sends: ({ random }, to, message) => {
    const leaseMs = random.pick([0, 1, 400, 2 ** 47])
    if (message.kind === 'claims.award') return [say(to, 'claims.award', { ...message.body, leaseMs })]
    if (message.kind === 'claims.renewed') return [say(to, 'claims.renewed', { ...message.body, leaseMs })]
    return [{ to, message }]
  },
}

const silentCoordinator: Lie = {
  name: 'never-acknowledges',
  sends: (_liar, to, message) =>
    message.kind === 'claims.ack' || message.kind === 'claims.withdraw' ? [] : [{ to, message }],
}

function toExecutor(
  name: string,
  says: (liar: Liar, to: NodeId, row: ReturnType<typeof rowOf>) => readonly Said[],
): Lie {
  return onAttempts(name, 250, executorOf, (liar, to, attempt) => says(liar, to, rowOf(tokenNear(liar, attempt))))
}

/** What a coordinator may lie about. */
export const COORDINATOR_LIES: Readonly<Record<string, () => Lie>> = {
  'floods-with-offers': () => flood,
  'invents-work': inventing,
  'awards-unbidden': () => awardsUnbidden,
  'usurps-tasks': () => usurping,
  'odd-leases': () => oddLeases,
  'never-acknowledges': () => silentCoordinator,
  'withdraws-anything': () =>
    toExecutor('withdraws-anything', ({ hearsay }, to, row) => {
      const leases = [{ ...row, reason: 'forged' }]
      return [say(to, 'claims.withdraw', { offers: [hearsay.near(to, 'offer')], leases })]
    }),
  'asks-for-inventories': () =>
    acting('asks-for-inventories', 400, ({ random, peers }) =>
      peers.map((to) =>
        say(to, 'claims.inventory', { kind: 'ask', epoch: oddCount(random), serial: oddCount(random) }),
      ),
    ),
  'renews-for-others': () =>
    toExecutor('renews-for-others', ({ random, hearsay }, to, row) => [
      say(to, 'claims.renewed', {
        sequence: hearsay.near(to, 'sequence'),
        leaseMs: random.pick([0, 2 ** 47]),
        lost: random.chance(0.5) ? [row] : [],
      }),
    ]),
  'acknowledges-anything': () =>
    toExecutor('acknowledges-anything', ({ random }, to, row) => [
      say(to, 'claims.ack', { ...row, verdict: random.pick(['accepted', 'stale', 'unknown'] as const) }),
    ]),
}
