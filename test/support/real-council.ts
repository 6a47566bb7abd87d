import { createHash } from 'node:crypto'
import {
  ConsensusCore,
  type Decision,
  type Digest,
  decisionProofShape,
  type Effect,
  type Input,
  type Outcome,
  proofOf,
} from '../../src/consensus/index.ts'
import { type Act, CouncilMachine, encodeOperation } from '../../src/council/index.ts'
import {
  certificateReader,
  createSigner,
  type Founding,
  type KeyPair,
  publicKeyOf,
  verifyStatement,
} from '../../src/identity/index.ts'
import { type Millis, type NodeId, TICK, type Tick } from '../../src/kernel/index.ts'
import { COUNCIL } from '../../src/swarm/index.ts'
import { encode } from '../../src/wire/index.ts'

export const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Digest

interface Seat {
  readonly core: ConsensusCore
  readonly machine: CouncilMachine
}

/** A council with real keys in one process: links lose nothing, disks are durable at once, time moves when told to. */
export class RealCouncil {
  readonly decisions: Decision[] = []
  readonly outcomes = new Map<number, Outcome>()
  readonly #founding: Founding
  readonly #wallMs: number
  readonly #seats = new Map<NodeId, Seat>()
  readonly #queue: { readonly to: NodeId; readonly input: Input | Tick }[] = []
  #nowMs = 0
  #submits = 0

  constructor(founding: Founding, wallMs: number, keys: readonly KeyPair[], authority: KeyPair) {
    this.#founding = founding
    this.#wallMs = wallMs
    for (const key of keys) this.#add(key, authority)
  }

  #add(key: KeyPair, authority: KeyPair): void {
    const { swarm, genesis } = this.#founding
    const [founder] = genesis.organisations
    if (founder === undefined) throw new Error('a genesis has an organisation')
    const machine = new CouncilMachine(
      {
        founder: founder.name,
        organisations: genesis.organisations.map(({ validatorSeatsMax: seatsMax, ...rest }) => ({ ...rest, seatsMax })),
        parameters: {},
        validators: genesis.validators,
      },
      { readCertificate: certificateReader(swarm), isKey: (node) => publicKeyOf(node) !== undefined },
    )
    const core = new ConsensusCore({
      group: COUNCIL,
      genesis: swarm as string as Digest,
      genesisMembers: genesis.validators.map(({ node }) => node),
      machine,
      signer: createSigner(key, swarm),
      clients: [createSigner(authority, swarm)],
      hash: sha256,
      session: 1 + this.#seats.size,
    })
    this.#seats.set(key.node, { core, machine })
    this.#step(key.node, { kind: 'clock', wall: this.#wallMs as never })
  }

  get members(): readonly NodeId[] {
    return [...this.#seats.values()][0]?.core.members ?? []
  }

  /** Proposes at a node, in a name whose key it holds; how it ended. */
  propose(at: NodeId, act: Act, as: NodeId = at): Outcome | undefined {
    const id = this.submit(at, act, as)
    for (let i = 0; i < 400 && !this.outcomes.has(id); i++) this.pass(25)
    this.pass(2000)
    return this.outcomes.get(id)
  }

  /** Proposes and does not wait; the id of its outcome. */
  submit(at: NodeId, act: Act, as: NodeId): number {
    const id = ++this.#submits
    const operation = encodeOperation({ expect: undefined, act })
    this.#step(at, { kind: 'submit', submissions: [{ id, operation, as }] })
    return id
  }

  /** Time goes on. */
  pass(ms: number): void {
    const until = this.#nowMs + ms
    while (this.#nowMs < until) {
      const soonest = Math.min(...[...this.#seats.values()].map(({ core }) => core.deadline()))
      this.#nowMs = Math.min(until, Math.max(this.#nowMs + 1, soonest))
      for (const [node, { core }] of this.#seats) if (core.deadline() <= this.#nowMs) this.#step(node, TICK)
    }
  }

  /** The proof of what was decided last, in bytes. */
  proof(): { readonly genesis: Uint8Array; readonly proof: Uint8Array } {
    const [seat] = this.#seats.values()
    const last = this.decisions.findLastIndex(({ results }) => results.length > 0)
    const proof = proofOf(this.decisions.slice(last), seat?.core.handovers ?? [])
    if (proof === undefined) throw new Error('nothing was decided')
    return { genesis: this.#founding.bytes, proof: encode(decisionProofShape, proof) }
  }

  #step(to: NodeId, first: Input | Tick): void {
    this.#queue.push({ to, input: first })
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      const seat = this.#seats.get(next.to)
      if (seat === undefined) continue
      let mark = 0
      for (const effect of seat.core.step(this.#nowMs as Millis, next.input)) {
        if (effect.kind === 'persist' || effect.kind === 'compact') mark = effect.mark
        else this.#perform(next.to, effect)
      }
      if (mark > 0) this.#queue.push({ to: next.to, input: { kind: 'durable', mark } })
    }
  }

  #perform(from: NodeId, effect: Effect): void {
    if (effect.kind === 'send' || effect.kind === 'broadcast') {
      const to = effect.kind === 'send' ? [effect.to] : effect.to
      for (const node of to) {
        this.#queue.push({ to: node, input: { kind: 'message', from, message: effect.message } })
      }
    } else if (effect.kind === 'verify') {
      const { swarm } = this.#founding
      const valid = effect.claims.map(({ domain, statement }) => verifyStatement(domain, swarm, statement))
      this.#queue.push({ to: from, input: { kind: 'verified', id: effect.id, valid } })
    } else if (effect.kind === 'outcome') this.outcomes.set(effect.id, effect.outcome)
    else if (effect.kind === 'event' && effect.event.kind === 'finalised') {
      const [first] = this.#seats.keys()
      if (from === first) this.decisions.push(effect.event.decision)
    } else if (effect.kind === 'announce') {
      const message = { kind: 'status', epoch: effect.epoch, view: 0 as never, height: effect.height } as const
      for (const node of this.#seats.keys()) {
        if (node !== from) this.#queue.push({ to: node, input: { kind: 'message', from, message } })
      }
    }
  }
}
