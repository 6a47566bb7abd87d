import type { WallMillis } from '../../../src/kernel/index.ts'
import type { Attempt } from './hearsay.ts'
import {
  acting,
  bytes,
  coordinatorOf,
  executorOf,
  noise,
  oddCount,
  oddText,
  onAttempts,
  say,
  tokenNear,
  USURPED,
} from './making.ts'
import type { Body, Liar, Lie, Said } from './types.ts'

type Answer = Body<'claims.reply'>['answer']

const WAITS_AT_ONCE = 25

const cancels = onAttempts('cancels-anything', 3_000, coordinatorOf, ({ random }, to, { task }) => [
  say(to, 'claims.query', { query: random.below(100), ask: { kind: 'cancel', task, reason: oddText(random, 256) } }),
])

/** With a token, as only its coordinator may, and without. */
function steers(name: string, to: typeof coordinatorOf | typeof executorOf): Lie {
  return onAttempts(name, 200, to, (liar, node, attempt) => {
    const { random } = liar
    const { epoch, attempt: at } = tokenNear(liar, attempt)
    const token = to === executorOf ? { epoch, attempt: at } : undefined
    const input = random.chance(0.3) ? noise() : token === undefined ? bytes('by a liar') : USURPED
    return [
      say(node, 'claims.query', { query: random.below(100), ask: { kind: 'steer', task: attempt.task, token, input } }),
    ]
  })
}

function waits(): Lie {
  let query = 0
  return onAttempts('waits-for-everything', 250, coordinatorOf, ({ random }, to, { task }) =>
    Array.from({ length: WAITS_AT_ONCE }, () => {
      query += 1
      const timeoutMs = random.pick([0, 1, 5_000, 2 ** 47])
      return say(to, 'claims.query', { query, ask: { kind: 'wait', task, timeoutMs } })
    }),
  )
}

const asksOddly = acting('asks-oddly', 300, ({ random, peers, hearsay }) =>
  peers.map((to) => {
    const [attempt] = hearsay.attempts(1)
    const task = (random.chance(0.3) ? oddText(random) : (attempt?.task ?? 'n0-1-1')) as Attempt['task']
    const kind = random.pick(['get', 'why', 'history'] as const)
    return say(to, 'claims.query', { query: oddCount(random), ask: { kind, task } })
  }),
)

/** News of a task that ended as nobody knows it, with an output that may be none. */
function forgedReport(liar: Liar, task: Attempt['task']): Answer {
  const { random } = liar
  const output = random.chance(0.5)
    ? { kind: 'inline' as const, bytes: random.chance(0.5) ? noise() : bytes('forged') }
    : { kind: 'parts' as const, transfer: random.below(2 ** 40), bytes: random.below(200_000) }
  return {
    kind: 'report',
    report: {
      task,
      tenant: oddText(random),
      skills: ['a'],
      state: random.pick(['completed', 'completed', 'failed', 'waiting'] as const),
      priority: random.below(10),
      attempts: oddCount(random),
      submittedAt: 1 as WallMillis,
      startedAt: undefined,
      endedAt: random.chance(0.8) ? 2 : undefined,
      coordinator: liar.node,
      executor: { node: liar.node, agent: oddText(random) },
      output,
      error: undefined,
      guarantee: 'exactly-once',
      executions: oddCount(random),
      executionsUncertain: false,
    },
  }
}

function forgedAnswer(liar: Liar): Answer {
  const { random, hearsay } = liar
  const [attempt] = hearsay.attempts(1)
  return random.pick<Answer>([
    forgedReport(liar, attempt?.task ?? ('n0-1-1' as Attempt['task'])),
    { kind: 'cancelled', state: 'cancelled' },
    { kind: 'steered' },
    { kind: 'why', state: 'waiting', reasons: [], placement: undefined },
    { kind: 'history', entries: [] },
    { kind: 'error', code: oddText(random), message: oddText(random, 1024) },
  ])
}

const answersOthers = acting('answers-others-questions', 200, (liar) =>
  liar.peers.flatMap((to) => {
    const replies = [0, 1].map(() =>
      say(to, 'claims.reply', { query: liar.hearsay.near(to, 'query'), answer: forgedAnswer(liar) }),
    )
    return replies
  }),
)

/** Whoever asks it is told of something else, and twice. */
const falseAnswers: Lie = {
  name: 'false-answers',
  hears: (liar, from, message): readonly Said[] | undefined => {
    if (message.kind !== 'claims.query') return undefined
    const { query, ask } = message.body
    const answers = [forgedAnswer(liar), liar.random.chance(0.5) ? forgedReport(liar, ask.task) : forgedAnswer(liar)]
    return answers.map((answer, i) => say(from, 'claims.reply', { query, answer }, i * liar.random.below(30)))
  },
}

const fetches = acting('fetches-anything', 200, ({ random, peers, hearsay }) =>
  peers.flatMap((to) => {
    const transfer = hearsay.near(to, 'transfer')
    const offset = oddCount(random, 2 ** 20)
    return [
      say(to, 'claims.fetch', { transfer, offset, bytes: oddCount(random, 96 * 1024) }),
      say(to, 'claims.part', { transfer, offset, bytes: noise(random.below(100_000)) }),
    ]
  }),
)

/** What anybody may ask, and be asked. */
export const ASKING_LIES: Readonly<Record<string, () => Lie>> = {
  'cancels-anything': () => cancels,
  'steers-at-coordinators': () => steers('steers-at-coordinators', coordinatorOf),
  'steers-at-executors': () => steers('steers-at-executors', executorOf),
  'waits-for-everything': waits,
  'asks-oddly': () => asksOddly,
  'answers-others-questions': () => answersOthers,
  'false-answers': () => falseAnswers,
  'fetches-anything': () => fetches,
}
