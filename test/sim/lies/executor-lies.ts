import type { NodeId } from '../../../src/kernel/index.ts'
import {
  acting,
  bytes,
  coordinatorOf,
  forgedOutcome,
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

type Row = Body<'claims.renew'>['leases'][number]
type Result = Body<'claims.result'>

/** Nobody can bid better. */
const BEST = { runMs: 0, waitMs: 0, price: 0, qualityThousandths: 1000, preferenceThousandths: 1000, claim: false }

const RENEW_EVERY_MS = 2_500
/** A transfer that nobody else would number so. */
const TRANSFERS_FROM = 2 ** 40

function bid(to: NodeId, { offer, tasks }: Body<'claims.offer'>, change: Partial<Body<'claims.bid'>> = {}): Said {
  return say(to, 'claims.bid', { offer, bid: 1, slots: Math.max(1, tasks), ...BEST, ...change })
}

function accepted(to: NodeId, row: Row, agent = 'agent0', afterMs = 0): Said {
  return say(to, 'claims.accept', { accepted: [{ ...row, agent }], refused: [] }, afterMs)
}

function result(to: NodeId, row: Row, outcome: Result['outcome'], afterMs = 0, agent = 'agent0'): Said {
  return say(to, 'claims.result', { ...row, agent, runMs: 1, outcome }, afterMs)
}

function completed(output: Uint8Array): Result['outcome'] {
  return { kind: 'completed', output: { kind: 'inline', bytes: output } }
}

/** Gets whatever it is offered, and does with it what it likes. */
function winning(
  name: string,
  onAward: (liar: Liar, from: NodeId, row: Row) => readonly Said[],
  more: Partial<Lie> = {},
): Lie {
  return {
    name,
    ...more,
    hears: (liar, from, message) => {
      if (message.kind === 'claims.offer') return [bid(from, message.body)]
      if (message.kind !== 'claims.award') return more.hears?.(liar, from, message)
      const { epoch, tasks } = message.body
      return tasks.flatMap(({ task, attempt, seal }) => onAward(liar, from, { task, epoch, attempt, seal }))
    },
  }
}

function refusal(to: NodeId, row: Row, reason = 'no'): Said {
  return say(to, 'claims.accept', { accepted: [], refused: [{ ...row, reason }] })
}

/** Begins everything and ends nothing. */
function renewing(): Lie {
  const kept: { readonly to: NodeId; readonly row: Row }[] = []
  return winning(
    'renews-for-ever',
    (_liar, from, row) => {
      kept.push({ to: from, row })
      return [accepted(from, row)]
    },
    {
      everyMs: RENEW_EVERY_MS,
      acts: ({ random }) =>
        kept.slice(-200).map(({ to, row }) => say(to, 'claims.renew', { sequence: random.below(1e6), leases: [row] })),
    },
  )
}

function failing(): Lie {
  let count = 0
  return winning('fails-under-new-names', ({ random }, from, row) => {
    count += 1
    const agent = random.chance(0.8) ? `agent${count}` : oddText(random)
    const error = { code: 'BROKEN', message: 'it broke', retryable: true }
    return [accepted(from, row, agent), result(from, row, { kind: 'failed', error }, random.below(50), agent)]
  })
}

/** What it says of its output changes from message to message. */
const contradicting = winning('contradicts-itself', ({ random }, from, row) => {
  const outcomes = [completed(bytes('one')), completed(bytes('another')), forgedOutcome({ random } as Liar)]
  return random
    .shuffle(outcomes)
    .flatMap((outcome, i) => [
      ...(random.chance(0.5) ? [accepted(from, row, `agent${i}`, i)] : []),
      result(from, row, outcome, i * random.below(40)),
    ])
})

/** Long outputs, of which parts come that are none, too long, too short, out of order, or never. */
function noPayloads(): Lie {
  let transfers = TRANSFERS_FROM
  return winning(
    'no-payloads',
    ({ random }, from, row) => {
      const progress = { ...row, fraction: oddAmount(random), message: oddText(random), partial: noise() }
      transfers += 1
      const parts = { kind: 'parts' as const, transfer: transfers, bytes: 1 + random.below(300_000) }
      return [
        accepted(from, row),
        say(from, 'claims.progress', progress),
        result(from, row, random.chance(0.5) ? completed(noise()) : { kind: 'completed', output: parts }, 5),
      ]
    },
    {
      hears: ({ random }, from, message) => {
        if (message.kind !== 'claims.fetch' || message.body.transfer < TRANSFERS_FROM) return undefined
        const { transfer, offset } = message.body
        const length = random.pick([message.body.bytes, message.body.bytes, 0, 1, message.body.bytes >> 1])
        const at = random.chance(0.8) ? offset : oddCount(random, 2 ** 20)
        return random.chance(0.2) ? [] : [say(from, 'claims.part', { transfer, offset: at, bytes: noise(length) })]
      },
    },
  )
}

/** Names transfers by the hundred, none of which will come. */
function neverComing(): Lie {
  let transfers = 2 * TRANSFERS_FROM
  return winning('parts-never-come', ({ random }, from, row) => {
    const results = Array.from({ length: 1 + random.below(12) }, () => {
      transfers += 1
      const output = { kind: 'parts' as const, transfer: transfers, bytes: random.pick([0, 1, 70_000, 1_000_000]) }
      return result(from, row, { kind: 'completed', output }, random.below(200))
    })
    return [accepted(from, row), ...results]
  })
}

const oddBids: Lie = {
  name: 'odd-bids',
  hears: ({ random }, from, message) => {
    if (message.kind !== 'claims.offer') return undefined
    return [
      bid(from, message.body, {
        slots: oddCount(random, 4096),
        runMs: oddCount(random),
        waitMs: oddCount(random),
        price: oddAmount(random),
        claim: random.chance(0.3),
      }),
      ...(random.chance(0.5) ? [bid(from, message.body, { price: oddAmount(random) })] : []),
    ]
  },
}

/** It will have a slot at any moment, for ever. */
const holding: Lie = {
  name: 'holds-for-ever',
  hears: (_liar, from, message) =>
    message.kind === 'claims.offer' ? [bid(from, message.body, { slots: 0 })] : undefined,
}

const oddDeclines: Lie = {
  name: 'odd-declines',
  hears: ({ random }, from, message) => {
    if (message.kind !== 'claims.offer') return undefined
    const reason = random.pick(['skill', 'busy', 'failing', 'draining'] as const)
    const retryAfterMs = oddCount(random)
    const body = {
      offer: message.body.offer,
      reason,
      final: random.chance(0.5),
      retryAfterMs,
      needs: oddText(random, 1024),
    }
    return [say(from, 'claims.decline', body), ...(random.chance(0.3) ? [bid(from, message.body)] : [])]
  },
}

const unasked = acting('bids-unasked', 300, (liar) => {
  const { random, hearsay } = liar
  return liar.peers.flatMap((to) => {
    const offer = hearsay.near(to, 'offer')
    const body = { offer, bid: 1, slots: oddCount(random, 4096), ...BEST, claim: random.chance(0.5) }
    const decline = { offer, reason: 'busy' as const, final: true, retryAfterMs: oddCount(random), needs: '' }
    return [random.chance(0.8) ? say(to, 'claims.bid', body) : say(to, 'claims.decline', decline)]
  })
})

const resultsUnasked = onAttempts('results-unasked', 250, coordinatorOf, (liar, to, attempt) => [
  result(to, rowOf(tokenNear(liar, attempt)), forgedOutcome(liar)),
])

const renewsAnything = onAttempts('renews-anything', 250, coordinatorOf, (liar, to, attempt) => {
  const { random, hearsay } = liar
  const leases = [rowOf(tokenNear(liar, attempt)), rowOf(attempt)]
  const held = {
    kind: 'held' as const,
    serial: hearsay.near(liar.node, 'serial'),
    sequence: 1,
    last: random.chance(0.7),
    leases,
  }
  return [
    say(to, 'claims.renew', { sequence: random.below(1e6), leases }),
    say(to, 'claims.inventory', { ...held, serial: hearsay.near(to, 'serial') }),
  ]
})

const acceptsAnything = onAttempts('accepts-anything', 250, coordinatorOf, (liar, to, attempt) => {
  const row = rowOf(tokenNear(liar, attempt))
  return [liar.random.chance(0.5) ? accepted(to, row, oddText(liar.random)) : refusal(to, row)]
})

const progressAnything = onAttempts('progress-anything', 250, coordinatorOf, (liar, to, attempt) => {
  const row = rowOf(tokenNear(liar, attempt))
  return [say(to, 'claims.progress', { ...row, fraction: oddAmount(liar.random), message: 'forged', partial: noise() })]
})

/** What an executor may lie about. */
export const EXECUTOR_LIES: Readonly<Record<string, () => Lie>> = {
  'refuses-every-award': () => winning('refuses-every-award', (_liar, from, row) => [refusal(from, row)]),
  'answers-no-award': () => winning('answers-no-award', () => []),
  'renews-for-ever': renewing,
  'gives-back': () =>
    winning('gives-back', ({ random }, from, row) => {
      const reason = random.pick(['agent-lost', 'agent-detached', 'lease-ended', 'draining'] as const)
      return [accepted(from, row), result(from, row, { kind: 'released', reason }, random.below(20))]
    }),
  'input-never-came': () =>
    winning('input-never-came', ({ random }, from, row) => [
      ...(random.chance(0.5) ? [say(from, 'claims.renew', { sequence: 1, leases: [row] })] : []),
      result(from, row, { kind: 'released', reason: 'payload-lost' }, random.below(20)),
    ]),
  'fails-under-new-names': failing,
  'contradicts-itself': () => contradicting,
  'no-payloads': noPayloads,
  'parts-never-come': neverComing,
  'odd-bids': () => oddBids,
  'odd-declines': () => oddDeclines,
  'holds-for-ever': () => holding,
  'bids-unasked': () => unasked,
  'results-unasked': () => resultsUnasked,
  'renews-anything': () => renewsAnything,
  'accepts-anything': () => acceptsAnything,
  'progress-anything': () => progressAnything,
}
