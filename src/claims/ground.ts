import { after, type Millis, type NodeId, type Random, type WallMillis } from '../kernel/index.ts'
import { type Alarm, Alarms } from './alarms.ts'
import type { ClaimsMessage } from './messages.ts'
import type { ClaimsParams } from './params.ts'
import type { ClaimsRecord } from './records.ts'
import type { ClaimsEffect, ClaimsObservation, ClaimsOptions, ClaimsPeers } from './types.ts'

/** What all parts of the core stand on: time, alarms, and the effects of the present step. */
export class Ground {
  readonly node: NodeId
  readonly epoch: number
  readonly params: ClaimsParams
  readonly random: Random
  readonly peers: ClaimsPeers
  readonly self: ClaimsOptions['self']
  readonly isPayload: (bytes: Uint8Array) => boolean
  readonly seal: (text: string) => number
  readonly alarms = new Alarms()
  now = 0 as Millis
  #wallOffset = 0
  #effects: ClaimsEffect[] = []
  #records: ClaimsRecord[] = []
  #dependents: ClaimsEffect[] = []
  #needsBarrier = false
  /** Of this step's records, some are to be durable soon. */
  #isUrgent = false
  /** Earlier records wait for company. */
  #commitAlarm: Alarm | undefined
  /** Peers for whom something waits for the disk in this step: what follows must not overtake it. */
  readonly #deferred = new Set<NodeId>()

  constructor(options: ClaimsOptions) {
    this.node = options.node
    this.epoch = options.epoch
    this.params = options.params
    this.random = options.random
    this.peers = options.peers
    this.self = options.self
    this.isPayload = options.isPayload
    this.seal = options.seal
  }

  /** The wall clock, reckoned on from when the host last told it. */
  get wall(): WallMillis {
    return Math.max(0, Math.floor(this.now + this.#wallOffset)) as WallMillis
  }

  setWall(wallNow: WallMillis): void {
    this.#wallOffset = wallNow - this.now
  }

  in(delayMs: number, run: () => void): ReturnType<Alarms['set']> {
    return this.alarms.set(after(this.now, delayMs), run)
  }

  /** Performed whatever becomes of the disk. */
  emit(effect: ClaimsEffect): void {
    this.#effects.push(effect)
  }

  /** @param isUrgent false for what nobody has been told of: it goes with the next record, or after `commitDelayMs` (CL-14) */
  persist(record: ClaimsRecord, isUrgent = true): void {
    this.#records.push(record)
    if (isUrgent) this.#isUrgent = true
  }

  /** What this step persists is urgent after all. */
  commit(): void {
    this.#isUrgent = true
  }

  /** Performed once all records of this step are durable. */
  emitAfter(effect: ClaimsEffect): void {
    this.#dependents.push(effect)
  }

  /** The same, and what earlier steps persisted counts too: for whoever is told of an end. */
  emitAfterAll(effect: ClaimsEffect): void {
    this.#needsBarrier = true
    this.#dependents.push(effect)
  }

  observe(observation: ClaimsObservation): void {
    this.#effects.push({ kind: 'observe', observation })
  }

  sendNow(to: NodeId, message: ClaimsMessage): void {
    if (this.#deferred.has(to)) this.sendAfter(to, message)
    else this.#effects.push({ kind: 'send', to, message })
  }

  /** From here on, what this step sends to that peer waits for what it persists; `ofAll`: for what earlier steps did, too. */
  deferTo(peer: NodeId, ofAll = false): void {
    this.#deferred.add(peer)
    if (ofAll) this.#needsBarrier = true
  }

  sendAfter(to: NodeId, message: ClaimsMessage): void {
    this.#dependents.push({ kind: 'send', to, message })
  }

  /** The effects of the step: what depends on nothing, one persist, what depends on it. */
  flush(): readonly ClaimsEffect[] {
    const effects = this.#effects
    this.#effects = []
    if (this.#records.length > 0) {
      const mayWait = !this.#isUrgent && !this.#needsBarrier && this.#dependents.length === 0
      effects.push({ kind: 'persist', records: this.#records, ...(mayWait ? { mayWait } : {}) })
      this.#records = []
      if (mayWait) this.#commitLater()
      else this.#committed()
    } else if (this.#needsBarrier) {
      effects.push({ kind: 'barrier' })
      this.#committed()
    }
    this.#needsBarrier = false
    this.#isUrgent = false
    this.#deferred.clear()
    if (this.#dependents.length > 0) {
      for (const effect of this.#dependents) effects.push(effect)
      this.#dependents = []
    }
    return effects
  }

  #commitLater(): void {
    this.#commitAlarm ??= this.in(this.params.commitDelayMs, () => {
      this.#commitAlarm = undefined
      this.#needsBarrier = true
    })
  }

  #committed(): void {
    this.alarms.cancel(this.#commitAlarm)
    this.#commitAlarm = undefined
  }
}
