import {
  type Addressed,
  type ConsensusCore,
  type Message as ConsensusMessage,
  type Decision,
  type Effect,
  type Epoch,
  type Event,
  type GroupId,
  type Input,
  KIND_OF_MESSAGE,
  type Outcome,
  type View,
} from '../consensus/index.ts'
import type { Millis, NodeId, Tick } from '../kernel/index.ts'
import type { Height } from '../wire/index.ts'
import type { Message } from './codec.ts'
import { type Decided, type GroupLog, type GroupRecord, rewriting } from './group-log.ts'
import type { SwarmEffect } from './types.ts'

/** Longest reason that is kept of a refusal. */
const REASON_CHARACTERS_MAX = 1000

/** What a step of a group came to, beside its effects. */
export interface GroupNews {
  readonly outcomes: readonly { readonly id: number; readonly outcome: Outcome }[]
  readonly events: readonly Event[]
}

/**
 * One group's consensus among the other cores of a node: its effects as effects of the node, its log in the node's log.
 * GR-2: what it sends waits for all that it has persisted, in this step or an earlier one.
 */
export class GroupHost {
  readonly id: GroupId
  readonly core: ConsensusCore
  readonly log: GroupLog
  /** Marks of what was persisted, and of what is known to be durable. */
  #persisted = 0
  #durable = 0

  readonly self: NodeId

  constructor(id: GroupId, self: NodeId, core: ConsensusCore, log: GroupLog) {
    this.id = id
    this.self = self
    this.core = core
    this.log = log
  }

  get isMember(): boolean {
    return this.core.members.includes(this.self)
  }

  step(now: Millis, input: Input | Tick, effects: SwarmEffect[]): GroupNews {
    if (input.kind === 'durable') this.#durable = Math.max(this.#durable, input.mark)
    const outcomes: { id: number; outcome: Outcome }[] = []
    const events: Event[] = []
    const asked = this.core.step(now, input)
    // Checking signatures says nothing to anyone, so it need not wait for the disk.
    for (const effect of asked) if (effect.kind === 'verify') effects.push({ ...effect, group: this.id })
    const before = this.#persisted
    let isHeld = this.#durable >= this.#persisted
    for (const effect of asked) {
      if (!isHeld && isSending(effect) && before === this.#persisted) {
        effects.push({ kind: 'barrier' })
        isHeld = true
      }
      if (effect.kind === 'outcome') outcomes.push(effect)
      else if (effect.kind === 'event') events.push(effect.event)
      else this.#forward(effect, effects)
    }
    for (const decided of decidedBy(events)) this.#append({ kind: 'decided', group: this.id, decided }, effects)
    for (const event of events) {
      if (event.kind !== 'state-transferred') continue
      // GR-6: the decisions that led to this state were not seen here.
      const height = (event.height + 1) as Height
      this.#append({ kind: 'decisions-from', group: this.id, height, why: { kind: 'snapshot' } }, effects)
    }
    if (this.#persisted > before) effects.push({ kind: 'settle', group: this.id, mark: this.#persisted })
    return { outcomes, events }
  }

  #forward(effect: Exclude<Effect, { kind: 'outcome' | 'event' }>, effects: SwarmEffect[]): void {
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
      case 'persist':
        this.#persisted = effect.mark
        this.#append({ kind: 'group', group: this.id, record: effect.record }, effects)
        return
      case 'compact':
        this.#persisted = effect.mark
        for (const record of rewriting(this.id, effect.records)) this.#append(record, effects)
        return
      case 'announce':
        effects.push({ kind: 'publish', message: announcement(this.id, effect.epoch, effect.height) })
        return
      case 'verify':
        return
      default:
        effects.push(effect)
    }
  }

  #append(record: GroupRecord, effects: SwarmEffect[]): void {
    this.log.take(record)
    effects.push({ kind: 'persist', record })
  }

  #addressed(message: ConsensusMessage): Message {
    const body: Addressed = { group: this.id, message }
    return { kind: KIND_OF_MESSAGE[message.kind], body } as Message
  }
}

function isSending(effect: Effect): boolean {
  return effect.kind === 'send' || effect.kind === 'broadcast' || effect.kind === 'announce'
}

/** The same from every member, whatever view it is in: gossip passes it on once. */
function announcement(group: GroupId, epoch: Epoch, height: Height): Message {
  return { kind: 'consensus.announce', body: { group, message: { kind: 'status', epoch, view: 0 as View, height } } }
}

/** Those of the blocks finalised in one step that decided something, each with the headers up to its certificate. */
function decidedBy(events: readonly Event[]): readonly Decided[] {
  const decisions = events.flatMap((event) => (event.kind === 'finalised' ? [event.decision] : []))
  return decisions.flatMap((decision, i) => {
    if (decision.results.length === 0) return []
    const above = decisions.slice(i + 1, 1 + indexOfCertified(decisions, i)).map(({ block }) => block.header)
    return [{ block: decision.block, headers: above, commit: decision.certificate, outcomes: outcomesOf(decision) }]
  })
}

function indexOfCertified(decisions: readonly Decision[], from: number): number {
  const { digest } = (decisions[from] as Decision).certificate
  return decisions.findIndex((decision) => decision.digest === digest)
}

function outcomesOf({ results }: Decision): readonly (readonly Outcome[])[] {
  return results.map(({ outcomes }) =>
    outcomes.map((outcome) => {
      if (outcome.kind !== 'refused') return outcome
      return { ...outcome, reason: outcome.reason.slice(0, REASON_CHARACTERS_MAX) }
    }),
  )
}
