import {
  type Addressed,
  type ConsensusCore,
  type Message as ConsensusMessage,
  type Decision,
  type Effect,
  type Event,
  type GroupId,
  type Input,
  KIND_OF_MESSAGE,
  type Outcome,
  type View,
} from '../consensus/index.ts'
import { after, earliest, type Millis, type NodeId, type Tick } from '../kernel/index.ts'
import type { Height } from '../wire/index.ts'
import type { Message } from './codec.ts'
import { type Decided, type GroupLog, type GroupRecord, rewriting } from './group-log.ts'
import type { SwarmEffect } from './types.ts'

/** Longest reason that is kept of a refusal. */
const REASON_CHARACTERS_MAX = 1000
/** Of all reasons in one block so much is kept: a block of refusals is little longer than what they refuse. */
const REASONS_CHARACTERS_MAX = 65_536

/** Followers hear of the latest decision at most so often: one announcement reaches every node of the swarm. */
const ANNOUNCE_INTERVAL_MS = 100
/** How much longer each further member waits whether one before it announces what there is to announce. */
const ANNOUNCE_RANK_MS = 50

/** What a step of a group came to, beside its effects. */
export interface GroupNews {
  readonly outcomes: readonly { readonly id: number; readonly outcome: Outcome }[]
  readonly events: readonly Event[]
}

const NOTHING: GroupNews = { outcomes: [], events: [] }

type Announcement = Extract<Effect, { kind: 'announce' }>

/**
 * One group's consensus among the other cores of a node: its effects as effects of the node, its log in the node's log.
 *
 * GR-2: only a vote binds its signer, so only what is sent after a vote waits for the disk, until that vote is durable and
 * with it all that was written before it. The rest of what is written tells this node where it was, and others can tell it.
 */
export class GroupHost {
  readonly id: GroupId
  readonly self: NodeId
  readonly core: ConsensusCore
  readonly log: GroupLog
  /** Marks of the last vote that was written, and of the last known to be durable. */
  #voted = 0
  #durable = 0
  #announcement: Announcement | undefined
  #announceAt = 0 as Millis
  /** The latest height that was announced, by whomever. */
  #announced = 0

  constructor(id: GroupId, self: NodeId, core: ConsensusCore, log: GroupLog) {
    this.id = id
    this.self = self
    this.core = core
    this.log = log
  }

  get isMember(): boolean {
    return this.core.isMember
  }

  /** Whether this is a group of this node whose present membership has that one: the next may take its vote (GR-11). */
  needs(node: NodeId): boolean {
    return this.isMember && this.core.members.includes(node)
  }

  deadline(): Millis {
    const at = this.core.deadline()
    return this.#announcement === undefined ? at : earliest(at, this.#announceAt)
  }

  step(now: Millis, input: Input | Tick, effects: SwarmEffect[]): GroupNews {
    if (input.kind === 'durable') this.#durable = Math.max(this.#durable, input.mark)
    const asked = this.core.step(now, input)
    const news = asked.length === 0 ? NOTHING : this.#take(now, asked, effects)
    if (this.#announcement !== undefined && now >= this.#announceAt) {
      effects.push({ kind: 'publish', message: announcement(this.id, this.#announcement) })
      this.#wasAnnounced(now, this.#announcement.height)
    }
    return news
  }

  /**
   * GR-6: somebody announces a height. If it is one that this node was about to announce, that is done; what is not final
   * here proves nothing, and a lie must not keep a member silent.
   */
  heard(now: Millis, height: Height): void {
    if (height <= this.core.height && height > this.#announced) this.#wasAnnounced(now, height)
  }

  #wasAnnounced(now: Millis, height: Height): void {
    this.#announced = height
    this.#announceAt = after(now, ANNOUNCE_INTERVAL_MS + this.#rankMs)
    if (this.#announcement !== undefined && this.#announcement.height <= height) this.#announcement = undefined
  }

  #announce(now: Millis, latest: Announcement): void {
    if (this.#announcement === undefined)
      this.#announceAt = Math.max(this.#announceAt, after(now, this.#rankMs)) as Millis
    this.#announcement = latest
  }

  /** One member speaks for all; who is none does it last. */
  get #rankMs(): number {
    const rank = this.core.members.indexOf(this.self)
    return (rank < 0 ? this.core.members.length : rank) * ANNOUNCE_RANK_MS
  }

  #take(now: Millis, asked: readonly Effect[], effects: SwarmEffect[]): GroupNews {
    const outcomes: { id: number; outcome: Outcome }[] = []
    const events: Event[] = []
    const written: SwarmEffect[] = []
    const held: SwarmEffect[] = []
    const votedBefore = this.#voted
    for (const effect of asked) {
      if (effect.kind === 'outcome') outcomes.push(effect)
      else if (effect.kind === 'event') events.push(effect.event)
      else if (effect.kind === 'announce') this.#announce(now, effect)
      else if (effect.kind === 'persist') this.#persist(effect, written)
      else if (effect.kind === 'compact') {
        for (const record of rewriting(this.id, effect.records)) this.#append(record, written)
      } else this.#forward(effect, this.#voted > this.#durable && isSending(effect) ? held : effects)
    }
    for (const decided of decidedBy(events)) this.#append(this.log.recordOf(this.id, decided), written)
    for (const event of events) {
      if (event.kind !== 'state-transferred') continue
      // GR-9: the decisions that led to this state were not seen here.
      const height = (event.height + 1) as Height
      this.#append({ kind: 'decisions-from', group: this.id, height, why: { kind: 'snapshot' } }, written)
    }
    effects.push(...written)
    if (held.length > 0 && this.#voted === votedBefore) effects.push({ kind: 'barrier' })
    effects.push(...held)
    if (this.#voted > votedBefore) effects.push({ kind: 'settle', group: this.id, mark: this.#voted })
    return { outcomes, events }
  }

  #persist({ mark, record }: Extract<Effect, { kind: 'persist' }>, written: SwarmEffect[]): void {
    if (record.kind === 'vote') this.#voted = mark
    this.#append({ kind: 'group', group: this.id, record }, written)
  }

  #forward(effect: Forwarded, effects: SwarmEffect[]): void {
    switch (effect.kind) {
      case 'send':
        effects.push({ kind: 'send', to: effect.to, message: this.#addressed(effect.message) })
        return
      case 'broadcast': {
        // One object for all: the host encodes it once.
        const message = this.#addressed(effect.message)
        for (const to of effect.to) effects.push({ kind: 'send', to, message })
        return
      }
      case 'verify':
        effects.push({ ...effect, group: this.id })
        return
      default:
        effects.push(effect)
    }
  }

  #append(record: GroupRecord, written: SwarmEffect[]): void {
    this.log.take(record)
    written.push({ kind: 'persist', record })
  }

  #addressed(message: ConsensusMessage): Message {
    const body: Addressed = { group: this.id, message }
    return { kind: KIND_OF_MESSAGE[message.kind], body } as Message
  }
}

type Forwarded = Exclude<Effect, { kind: 'outcome' | 'event' | 'announce' | 'persist' | 'compact' }>

function isSending(effect: Effect): boolean {
  return effect.kind === 'send' || effect.kind === 'broadcast'
}

/** The same from every member, whatever view it is in: gossip passes it on once. */
function announcement(group: GroupId, { epoch, height }: Announcement): Message {
  return { kind: 'consensus.announce', body: { group, message: { kind: 'status', epoch, view: 0 as View, height } } }
}

/** Those of the blocks finalised in one step that decided something or convicted somebody, each with the headers up to its certificate. */
function decidedBy(events: readonly Event[]): readonly Decided[] {
  const decisions = events.flatMap((event) => (event.kind === 'finalised' ? [event.decision] : []))
  return decisions.flatMap((decision, i) => {
    if (decision.results.length === 0 && decision.block.evidence.length === 0) return []
    const above = decisions.slice(i + 1, 1 + indexOfCertified(decisions, i)).map(({ block }) => block.header)
    return [{ block: decision.block, headers: above, commit: decision.certificate, outcomes: outcomesOf(decision) }]
  })
}

function indexOfCertified(decisions: readonly Decision[], from: number): number {
  const { digest } = (decisions[from] as Decision).certificate
  return decisions.findIndex((decision) => decision.digest === digest)
}

/** GR-13: who proposed hears the whole reason. */
function outcomesOf({ results }: Decision): readonly (readonly Outcome[])[] {
  let left = REASONS_CHARACTERS_MAX
  return results.map(({ outcomes }) =>
    outcomes.map((outcome) => {
      if (outcome.kind !== 'refused') return outcome
      // The cut may go through a character.
      const reason = outcome.reason.slice(0, Math.min(left, REASON_CHARACTERS_MAX)).toWellFormed()
      left -= reason.length
      return { ...outcome, reason }
    }),
  )
}
