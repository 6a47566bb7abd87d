import type { NodeId } from '../kernel/index.ts'
import type { Group } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { BidBody, PlacementBody } from './messages.ts'
import { type Offered, scoreAll } from './score.ts'

/** What came of asking a peer; `silent`: its window is over, and it may still bid. */
export type Answer =
  | { readonly kind: 'bid'; slots: number; readonly body: BidBody }
  | { readonly kind: 'hold'; readonly body: BidBody }
  | { readonly kind: 'decline'; readonly reason: string; readonly final: boolean; readonly retryAfterMs: number }
  | { readonly kind: 'silent' }

export const SILENT: Answer = { kind: 'silent' }

/** Everybody asked, and what they said so far. */
type Answers = ReadonlyMap<NodeId, Answer | undefined>

interface Bid {
  readonly node: NodeId
  readonly slots: number
  readonly body: BidBody
}

/** Reads bids side by side: by what they say, and by what outcomes have taught of those who say it (AGT-7). */
export class Appraisal {
  readonly #ground: Ground
  readonly #tracks: Tracks

  constructor(ground: Ground, tracks: Tracks) {
    this.#ground = ground
    this.#tracks = tracks
  }

  /** The best bid first. */
  ranked(group: Group, answers: Answers): readonly Bid[] {
    const bids = bidsIn(answers)
    const scores = this.#scores(group, bids)
    const order = bids
      .map((_, i) => i)
      .sort((a, b) => (scores[b] as number) - (scores[a] as number) || (isBefore(bids, a, b) ? -1 : 1))
    return order.map((i) => bids[i] as Bid)
  }

  read(group: Group, node: NodeId, body: BidBody): Offered {
    const track = this.#tracks.find(node, group.demand.skill)
    const claimed = body.qualityThousandths / 1000
    return {
      runMs: (track?.corrected(body.runMs) ?? body.runMs) + (this.#ground.peers.rttMs(node) ?? 0),
      waitMs: body.waitMs,
      price: Math.min(PRICE_MAX, Math.max(0, body.price)),
      quality: track === undefined ? claimed : track.quality(claimed),
      load: 0,
      preference: body.preferenceThousandths / 1000,
    }
  }

  /** Why it was this one: what everybody said, for `task why`. */
  placement(
    { group, asked, eligible }: { readonly group: Group; readonly asked: Answers; readonly eligible: number },
    node: NodeId,
    claim: boolean,
  ): PlacementBody {
    const bids = bidsIn(asked)
    const scores = this.#scores(group, bids)
    const rows = [...asked].map(([peer, answer]) => {
      const at = bids.findIndex((bid) => bid.node === peer)
      const body = answer?.kind === 'bid' || answer?.kind === 'hold' ? answer.body : undefined
      return {
        node: peer as string,
        score: at < 0 ? 0 : (scores[at] as number),
        runMs: body?.runMs ?? 0,
        waitMs: body?.waitMs ?? 0,
        price: body?.price ?? 0,
        answer: wordFor(answer),
      }
    })
    return { kind: claim ? 'claim' : 'round', node, agent: '', candidates: eligible, bids: rows }
  }

  #scores(group: Group, bids: readonly Bid[]): readonly number[] {
    const offered = bids.map(({ node, body }) => this.read(group, node, body))
    return scoreAll(offered, group.demand.objective)
  }
}

/** Beyond it one bid is as dear as another: scores stay numbers, whatever peers bid. */
const PRICE_MAX = 1e12
const REASON_LENGTH_MAX = 40

function wordFor(answer: Answer | undefined): string {
  if (answer === undefined || answer.kind === 'silent') return 'none in time'
  return answer.kind === 'decline' ? answer.reason.slice(0, REASON_LENGTH_MAX) : answer.kind
}

function bidsIn(answers: Answers): readonly Bid[] {
  const bids: Bid[] = []
  for (const [node, answer] of answers) if (answer?.kind === 'bid') bids.push({ node, ...answer })
  return bids
}

export function countOf(answers: Answers, kind: Answer['kind']): number {
  let count = 0
  for (const answer of answers.values()) if (answer?.kind === kind) count += 1
  return count
}

export function hasAnswer(answers: Answers, kind: Answer['kind']): boolean {
  return countOf(answers, kind) > 0
}

/** Whether somebody may still bid. */
export function isHopeful(answers: Answers): boolean {
  return hasAnswer(answers, 'hold') || hasAnswer(answers, 'silent')
}

/** Whether it thinks that it may still bid. */
export function isPending(answer: Answer | undefined): boolean {
  return answer === undefined || answer.kind === 'hold' || answer.kind === 'silent'
}

function isBefore(bids: readonly Bid[], a: number, b: number): boolean {
  return (bids[a] as Bid).node < (bids[b] as Bid).node
}
