import type { Signer } from '../identity/types.ts'
import type { Millis, NodeId, WallMillis } from '../kernel/index.ts'
import type { Group } from './group.ts'
import type { Hashing } from './hashing.ts'
import { Inspection } from './inspection.ts'
import type { ConsensusParams } from './params.ts'
import type { LogRecord } from './records.ts'
import type { Rules } from './rules.ts'
import { voteBytes } from './statements.ts'
import type { CastVote, Claim, ConsensusObservation, Digest, Effect, Event, Message, Seat, Vote } from './types.ts'

const NO_EFFECTS: Effect[] = []

/** What every desk of one core shares: who we are, what time it is, and the list of effects of the current step. */
export class Context {
  readonly self: NodeId
  readonly params: ConsensusParams
  readonly rules: Rules
  readonly hashing: Hashing
  readonly signer: Signer
  /** Blocks above the stable checkpoint that the log holds already. */
  readonly logged = new Set<Digest>()
  readonly #inspection: Inspection
  #effects = NO_EFFECTS
  /** How many of them are signature checks. */
  #asked = 0
  #mark = 0
  #others: readonly NodeId[] = []
  #seat: Seat | undefined
  #group: Group
  #clock: { readonly wall: number; readonly at: Millis } | undefined
  now = 0 as Millis

  constructor(options: {
    readonly signer: Signer
    readonly params: ConsensusParams
    readonly rules: Rules
    readonly hashing: Hashing
    readonly group: Group
  }) {
    this.self = options.signer.node
    this.signer = options.signer
    this.params = options.params
    this.rules = options.rules
    this.hashing = options.hashing
    this.#inspection = new Inspection(options.params.inspectionsMax)
    this.#group = options.group
    this.group = options.group
  }

  /** The current epoch's membership. */
  get group(): Group {
    return this.#group
  }

  set group(group: Group) {
    this.#group = group
    this.#others = group.members.filter((node) => node !== this.self)
    this.#seat = group.seatOf(this.self)
  }

  get others(): readonly NodeId[] {
    return this.#others
  }

  get member(): boolean {
    return this.#seat !== undefined
  }

  /** Ours in the current epoch. */
  get seat(): Seat | undefined {
    return this.#seat
  }

  /** The mark of what was last written. */
  get mark(): number {
    return this.#mark
  }

  get outstanding(): number {
    return this.#inspection.outstanding
  }

  /** Our estimate of the wall clock, if the host has told. */
  get wall(): WallMillis | undefined {
    return this.#clock === undefined
      ? undefined
      : (Math.floor(this.#clock.wall + this.now - this.#clock.at) as WallMillis)
  }

  setClock(wall: WallMillis): void {
    this.#clock = { wall, at: this.now }
  }

  /** Most steps that ask for something ask for one thing: a list that has grown has room for many. */
  #put(effect: Effect): void {
    if (this.#effects === NO_EFFECTS) this.#effects = [effect]
    else this.#effects.push(effect)
  }

  send(to: NodeId, message: Message): void {
    if (to !== this.self) this.#put({ kind: 'send', to, message })
  }

  /** To all other members of the epoch. */
  broadcast(message: Message): void {
    this.tell(this.#others, message)
  }

  /** To some of the other members. */
  tell(to: readonly NodeId[], message: Message): void {
    if (to.length > 0) this.#put({ kind: 'broadcast', to, message })
  }

  /** The mark after which the record is durable. */
  persist(record: LogRecord): number {
    this.#mark += 1
    this.#put({ kind: 'persist', mark: this.#mark, record })
    return this.#mark
  }

  compact(records: readonly LogRecord[]): void {
    this.#mark += 1
    this.#put({ kind: 'compact', mark: this.#mark, records })
  }

  sign(vote: Vote): CastVote {
    return { vote, signature: this.signer.sign('consensus-vote', voteBytes(this.#group.id, vote)).signature }
  }

  /**
   * Asks for signatures to be checked; with none to check, concludes at once. False: too much is outstanding, of the peer
   * whose message causes it, or (undefined) of ourselves.
   */
  inspect(peer: NodeId | undefined, claims: readonly Claim[], conclude: (valid: readonly boolean[]) => void): boolean {
    if (claims.length === 0) {
      conclude([])
      return true
    }
    const isMember = peer !== undefined && this.#group.seatOf(peer) !== undefined
    const cause = { peer, members: isMember ? this.#group.size : undefined }
    const id = this.#inspection.open(cause, claims, conclude)
    if (id === undefined) return false
    this.#put({ kind: 'verify', id, claims })
    this.#asked += 1
    return true
  }

  conclude(id: number, valid: readonly boolean[]): void {
    this.#inspection.close(id, valid)
  }

  penalise(peer: NodeId, points: number, reason: string): void {
    if (peer !== this.self) this.#put({ kind: 'penalise', peer, points, reason })
  }

  badSignature(from: NodeId, what: string): void {
    this.penalise(from, 20, `a bad signature on ${what}`)
    this.observe({ kind: 'consensus.bad-signature', from, what })
  }

  refuse(from: NodeId, points: number, why: string): void {
    this.penalise(from, points, why)
    this.observe({ kind: 'consensus.refused', from, why })
  }

  effect(effect: Effect): void {
    this.#put(effect)
  }

  emit(event: Event): void {
    this.#put({ kind: 'event', event })
  }

  observe(observation: ConsensusObservation): void {
    this.#put({ kind: 'observe', observation })
  }

  /** Whether this step has asked for anything but signatures to be checked. */
  get changed(): boolean {
    return this.#effects.length > this.#asked
  }

  /** Hands over what the step has asked for, in order. */
  take(): readonly Effect[] {
    const effects = this.#effects
    this.#effects = NO_EFFECTS
    this.#asked = 0
    return effects
  }
}
