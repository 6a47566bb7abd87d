import type { GroupId } from '../consensus/index.ts'
import type { TicketLedger } from '../identity/index.ts'
import type { NodeId, Result } from '../kernel/index.ts'
import type { MemberFacts } from '../membership/index.ts'
import type {
  ClaimsHostEffect,
  ClaimsHostInput,
  HostObservation,
  IssueRequest,
  LoadSample,
  NodeRecord,
  Proposal,
  Swarm,
} from '../swarm/index.ts'
import { coreRecords, SwarmHost, type SwarmHostOptions } from '../swarm/index.ts'
import type { LogPort, LogRefusal, NetworkPort } from '../wire/index.ts'
import { Alarm, type Clock } from './clock.ts'
import { LoadMeter } from './load.ts'
import type { NodeState } from './node-state.ts'

export interface NodeRuntimeOptions {
  readonly swarm: Swarm
  readonly network: NetworkPort
  readonly log: LogPort
  readonly clock: Clock
  readonly state: NodeState
  /** Uses of tickets that this node made. */
  readonly ledger: TicketLedger
  readonly compactAfterBytes: number
  observe(observation: HostObservation): void
  /** What the claims ask for. What it says to them in turn goes through {@link NodeRuntime.claims}. */
  perform(effect: ClaimsHostEffect): void
  /** Checks signatures, at once or later. */
  verify: SwarmHostOptions['verify']
  /** What became of an operation that was proposed here. */
  decided: NonNullable<SwarmHostOptions['decided']>
  /** Signs a certificate, or says why not. */
  issue(request: IssueRequest): Result<Uint8Array>
  /** Other keys speak for organisations from now on: facts, links and tickets that rest on them are to be looked at. */
  authoritiesChanged(): void
  /** This node's certificate was renewed, durably: handshakes are to show it. */
  certified(certificate: Uint8Array): void
  /** Must end the process; nothing is stepped after it was called (U-4, U-5). */
  fatal(cause: unknown): void
}

/** How often the process's own load is measured, and with it the wall clock told and the log's size looked at. */
const SAMPLE_INTERVAL_MS = 2000

/** The log is rewritten when it has grown by so many times what it takes to say the same. */
const SNAPSHOTS_BETWEEN = 3

/** One node on a real host: the loop with a real clock and one timer, load samples, and compaction. */
export class NodeRuntime {
  readonly host: SwarmHost
  readonly #options: NodeRuntimeOptions
  readonly #alarm: Alarm
  readonly #meter: LoadMeter
  #sampler: NodeJS.Timeout | undefined
  #load: LoadSample
  #snapshotBytes = 0
  #proposals = new Map<GroupId, Proposal[]>()
  #halted = false

  constructor(options: NodeRuntimeOptions) {
    this.#options = options
    this.#meter = new LoadMeter(options.clock)
    this.#load = this.#meter.sample()
    this.#alarm = new Alarm(options.clock, (lateMs) => {
      this.#meter.late(lateMs)
      this.#guard(() => this.host.ring())
    })
    this.host = new SwarmHost({
      swarm: options.swarm,
      network: options.network,
      log: options.log,
      now: () => options.clock.now(),
      wallNow: () => options.clock.wallNow(),
      schedule: (at) => this.#alarm.set(at),
      observe: (observation) => options.observe(observation),
      perform: (effect) => options.perform(effect),
      verify: (claims, then) => options.verify(claims, (valid) => this.#guard(() => then(valid))),
      decided: (id, outcome) => options.decided(id, outcome),
      recorded: (record) => this.#recorded(record),
      issue: (request) => this.#issue(request),
      // Not at once: what it says of itself may change, and the host is in the middle of a step.
      authoritiesChanged: () => queueMicrotask(() => this.#guard(() => options.authoritiesChanged())),
      certified: (certificate) => options.certified(certificate),
      fatal: (cause) => this.#halt(cause),
    })
  }

  /** The latest sample of the process's own load. */
  get load(): LoadSample {
    return this.#load
  }

  start(): void {
    this.#sampler = setInterval(() => this.#guard(() => this.#sample()), SAMPLE_INTERVAL_MS)
    this.#guard(() => this.host.tick())
  }

  /** What this node says about itself has changed. */
  updateFacts(facts: MemberFacts): void {
    this.#guard(() => this.host.input({ kind: 'facts', facts }))
  }

  /** Somebody came across a peer of this swarm: on the LAN, in the bootstrap list, in the DHT. A hint. */
  introduce(peer: NodeId, addresses: readonly string[]): void {
    this.#guard(() => this.host.input({ kind: 'introduce', peer, addresses }))
  }

  /** Why this node takes no new requests, or only such as write nothing (U-8). */
  refusal(writes: boolean): LogRefusal | undefined {
    if (this.host.isCrowded) return 'OVERLOADED'
    return writes ? this.#options.log.refusal() : undefined
  }

  /** Somebody was refused for a key that this node does not know. */
  authorityUnknown(): void {
    this.#guard(() => this.host.post({ kind: 'authority-unknown' }))
  }

  /** What agents and clients say of tasks; also from inside `perform`. */
  claims(input: ClaimsHostInput): void {
    this.#guard(() => this.host.post({ kind: 'claims', input }))
  }

  /** Has a group decide on an operation, together with all that is proposed in this turn of the loop. */
  propose(group: GroupId, proposal: Proposal): void {
    if (this.#proposals.size === 0) setImmediate(() => this.#guard(() => this.#proposeAll()))
    const proposals = this.#proposals.get(group)
    if (proposals === undefined) this.#proposals.set(group, [proposal])
    else proposals.push(proposal)
  }

  #proposeAll(): void {
    const all = this.#proposals
    this.#proposals = new Map()
    for (const [group, proposals] of all) this.host.input({ kind: 'propose', group, proposals })
  }

  /** Says good-bye to the swarm, so that nobody has to find out. */
  leave(): void {
    this.#guard(() => this.host.input({ kind: 'leave' }))
  }

  /** No more ticks and samples. What waits for the disk is still performed by whoever closes the log. */
  stop(): void {
    clearInterval(this.#sampler)
    this.#alarm.cancel()
  }

  #sample(): void {
    this.#load = this.#meter.sample()
    this.host.input({ kind: 'load', sample: this.#load })
    this.#compactWhenDue()
  }

  /** A snapshot costs what it holds: it is worth its price once much more than that was written since the last one. */
  #compactWhenDue(): void {
    const { log, state, ledger, compactAfterBytes } = this.#options
    if (log.bytesSinceCompaction <= Math.max(compactAfterBytes, SNAPSHOTS_BETWEEN * this.#snapshotBytes)) return
    const records = state.snapshot(ledger.records(), coreRecords(this.host.swarm))
    this.#snapshotBytes = records.reduce((sum, record) => sum + record.length, 0)
    log.compact(records)
  }

  /** Not at once: the host is in the middle of the step that asked for it. */
  #issue(request: IssueRequest): void {
    queueMicrotask(() => {
      this.#guard(() => this.host.input({ kind: 'issued', id: request.id, outcome: this.#options.issue(request) }))
    })
  }

  #recorded(record: NodeRecord): void {
    // The rest is kept by the ledger and the cores, which also know when it no longer matters.
    if (record.kind === 'genesis' || record.kind === 'certificate' || record.kind === 'membership') {
      this.#options.state.apply(record)
    }
  }

  #guard(turn: () => void): void {
    if (this.#halted) return
    try {
      turn()
    } catch (cause) {
      this.#halt(cause)
    }
  }

  #halt(cause: unknown): void {
    if (this.#halted) return
    this.#halted = true
    this.stop()
    this.#options.fatal(cause)
  }
}
