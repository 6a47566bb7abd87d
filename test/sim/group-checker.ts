import type { CastVote, GroupId, Message, Outcome } from '../../src/consensus/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import type { Checker, Machine, Simulation, SwarmProgram } from '../../src/sim/index.ts'
import { BODIES, type CouncilDesk, type Decided, decodeNodeRecord } from '../../src/swarm/index.ts'
import { decode, type MessageKind, type Shape } from '../../src/wire/index.ts'
import { Signed, voteKey } from '../byzantine/signed.ts'
import type { GroupProofs } from './group-proofs.ts'
import type { Model } from './model.ts'

/** One group as a node has it: what the checker reads. */
export interface GroupReading<V> {
  readonly host: CouncilDesk['host']
  readonly view: V
}

export interface GroupCheckerOptions<V> {
  readonly sim: Simulation<SwarmProgram>
  readonly group: GroupId
  readonly proofs: GroupProofs
  readonly model: Model<V>
  read(program: SwarmProgram): GroupReading<V> | undefined
  /** Whether somebody has proposed this in that name. */
  wasProposed(client: NodeId, operation: Uint8Array): boolean
  /** Machines that lie: what they say is not judged, only what others make of it. */
  isLiar(machine: number): boolean
}

interface Known {
  readonly digest: string
  readonly outcomes: string
}

/** What one start of a machine has shown so far. */
interface Reading {
  height: number
  epoch: number
  last: Decided | undefined
}

/**
 * The clauses of a group, judged after every turn of every node: agreement (B-1, B-6), validity (B-2), certificates (B-3),
 * votes that are durable before they are sent and never contradict each other (B-4, B-19), and what followers believe
 * (GR-4). Reads messages, disks and read-only views; reckons all of it by itself.
 */
export class GroupChecker<V> implements Checker<SwarmProgram> {
  readonly #options: GroupCheckerOptions<V>
  readonly #decided = new Map<number, Known>()
  readonly #states = new Map<number, { readonly print: string; readonly machine: number }>()
  readonly #readings = new Map<number, Reading>()
  /** By node and epoch: votes of different epochs never contradict each other. */
  readonly #signed = new Map<string, Signed>()
  readonly #durableVotes = new Map<number, Set<string>>()
  readonly #applied = new Map<string, number>()
  /** Height of the highest decision. */
  height = 0

  constructor(options: GroupCheckerOptions<V>) {
    this.#options = options
    for (const { index, log } of options.sim.machines) log.watchers.push((bytes) => this.#onDurable(index, bytes))
  }

  /** Decisions so far. */
  get decisions(): number {
    return this.#decided.size
  }

  onBoot(machine: Machine): void {
    this.#readings.delete(machine.index)
  }

  onSend(machine: Machine, _to: NodeId, kind: MessageKind, body: Uint8Array): void {
    if ((kind !== 'consensus.vote' && kind !== 'consensus.proposal') || this.#options.isLiar(machine.index)) return
    const decoded = decode(BODIES[kind] as Shape<unknown>, body)
    if (!decoded.ok) {
      this.#violate('B-9', machine, `sent a ${kind} that does not decode: ${decoded.error}`)
      return
    }
    const { group, message } = decoded.value as Addressed
    if (group !== this.#options.group) return
    if (message.kind === 'votes') for (const cast of message.votes) this.#onVote(machine, cast)
    else {
      const { epoch, view, block, signature } = message
      const digest = this.#options.proofs.digestOf(block.header)
      this.#onVote(machine, { vote: { kind: 'prepare', epoch, view, digest }, signature })
    }
  }

  onTurn(machine: Machine, program: SwarmProgram): void {
    const read = this.#options.read(program)
    if (read === undefined) return
    const { core, log } = read.host
    const known = this.#readings.get(machine.index)
    const reading = known ?? { height: -1, epoch: 0, last: undefined }
    this.#readings.set(machine.index, reading)
    const last = log.lastDecision
    if (core.height === reading.height && core.epoch === reading.epoch && last === reading.last) return
    if (core.epoch !== reading.epoch) this.#onEpoch(machine, read)
    for (const decided of log.decisionsAfter(reading.last)) this.#onDecision(machine, decided)
    if (core.height < reading.height) {
      this.#violate('B-1', machine, `height ${reading.height} was final here, and now only ${core.height} is`)
    }
    Object.assign(reading, { height: core.height, epoch: core.epoch, last })
    this.#onState(machine, read)
  }

  /** A client has heard what became of its operation. */
  heard(machine: Machine, program: SwarmProgram, operation: Uint8Array, outcome: Outcome): void {
    if (outcome.kind !== 'applied') return
    const { log } = this.#options.read(program)?.host ?? {}
    const decided = log?.decisionAt(outcome.height)
    const isThere = decided?.block.requests.some(({ request }) =>
      request.operations.some((bytes) => textOf(bytes) === textOf(operation)),
    )
    // What was decided while this node took over a state is in no log of its own.
    if (isThere === true || (log?.complete?.height ?? 0) > outcome.height) return
    this.#violate('B-2', machine.index, `a client heard of a decision at height ${outcome.height} that is not there`)
  }

  /** B-19, B-4. */
  #onVote(machine: Machine, cast: CastVote): void {
    if (!this.#options.proofs.isOf(machine.node, cast)) {
      this.#violate('B-3', machine, `sent a vote that it has not signed: ${voteKey(cast.vote)}`)
      return
    }
    if (!this.#durable(machine.index).has(voteKey(cast.vote))) {
      this.#violate('B-19', machine, `sent a vote that is not on its disk: ${voteKey(cast.vote)}`)
    }
    const place = `${machine.node} ${cast.vote.epoch}`
    const signed = this.#signed.get(place) ?? new Signed()
    this.#signed.set(place, signed)
    signed.note(cast.vote)
    const [contradiction] = signed.contradictions()
    if (contradiction !== undefined) this.#violate('B-4', machine, `signed ${contradiction}`)
  }

  /** All votes that were ever durable on a machine: a log is cut when they do not matter any more. */
  #durable(machine: number): Set<string> {
    const votes = this.#durableVotes.get(machine) ?? new Set<string>()
    this.#durableVotes.set(machine, votes)
    return votes
  }

  #onDurable(machine: number, bytes: Uint8Array): void {
    const entry = decodeNodeRecord(bytes)
    if (!entry.ok || entry.value.kind !== 'group' || entry.value.group !== this.#options.group) return
    const { record } = entry.value
    if (record.kind === 'vote') this.#durable(machine).add(voteKey(record.cast.vote))
    else if (record.kind === 'proposal') {
      const { epoch, view, block } = record.proposal
      const digest = this.#options.proofs.digestOf(block.header)
      this.#durable(machine).add(voteKey({ kind: 'prepare', epoch, view, digest }))
    }
  }

  #onEpoch(machine: Machine, { host }: GroupReading<V>): void {
    const { proofs } = this.#options
    const fault = proofs.learn(host.core.handovers)
    if (fault !== undefined) this.#violate('B-7', machine, fault)
    const members = proofs.membersOf(host.core.epoch)
    if (members?.join() !== host.core.members.join()) {
      const held = host.core.members.join(' ')
      this.#violate('B-7', machine, `epoch ${host.core.epoch} has the members ${held} here, shown was ${members}`)
    }
  }

  #onDecision(machine: Machine, decided: Decided): void {
    const { proofs } = this.#options
    const { header } = decided.block
    const digest = proofs.digestOf(header)
    const outcomes = JSON.stringify(decided.outcomes, (_key, value) => (isBytes(value) ? textOf(value) : value))
    const known = this.#decided.get(header.height)
    if (known !== undefined) {
      if (known.digest !== digest) this.#violate('B-1', machine, `another decision at height ${header.height}`)
      else if (known.outcomes !== outcomes) {
        this.#violate('B-6', machine, `other outcomes at height ${header.height}: ${outcomes}, were ${known.outcomes}`)
      }
    }
    const fault = proofs.faultOf(decided)
    if (fault !== undefined) this.#violate('B-3', machine, `the decision at height ${header.height} ${fault}`)
    if (known !== undefined) return
    if (header.height <= this.height) {
      this.#violate('B-1', machine, `a decision at height ${header.height}, which nobody had when ${this.height} was`)
    }
    this.height = header.height
    this.#decided.set(header.height, { digest, outcomes })
    this.#judge(machine, decided)
  }

  /** B-2: proposed by whom it names, once, and of an effect that it may have. */
  #judge(machine: Machine, { block, outcomes }: Decided): void {
    const { height } = block.header
    for (const [i, { request }] of block.requests.entries()) {
      const { client, session, nonce } = request
      const place = `${client} ${session} ${nonce}`
      const results = outcomes[i] ?? []
      if (results.length > 0) {
        const before = this.#applied.get(place)
        if (before !== undefined) this.#violate('B-2', machine, `${place} counts at ${before} and again at ${height}`)
        this.#applied.set(place, height)
      }
      for (const [j, outcome] of results.entries()) {
        const operation = request.operations[j] as Uint8Array
        if (!this.#options.wasProposed(client, operation)) {
          this.#violate('B-2', machine, `${client} never proposed what was decided in its name at height ${height}`)
        }
        const wrong = this.#options.model.apply(client, operation, outcome)
        if (wrong !== undefined) this.#violate('B-2', machine, `height ${height}: ${wrong}`)
      }
    }
  }

  /** B-6: one state at one height, however a node came by it; and it is what was decided. */
  #onState(machine: Machine, { host, view }: GroupReading<V>): void {
    const { height } = host.core
    const print = host.core.machine.snapshot().map(textOf).join(' ')
    const known = this.#states.get(height)
    if (known === undefined) this.#states.set(height, { print, machine: machine.index })
    else if (known.print !== print)
      this.#violate('B-6', machine, `the state at height ${height} is not that of machine ${known.machine}`)
    // The model is where the highest decision is: a node further down has its state compared when it was there first.
    if (height < this.height) return
    const difference = this.#options.model.difference(view)
    if (difference !== undefined) this.#violate('B-6', machine, `at height ${height} ${difference}`)
  }

  #violate(clause: string, machine: Machine | number, text: string): void {
    this.#options.sim.violate(clause, text, typeof machine === 'number' ? machine : machine.index)
  }
}

type Addressed = {
  readonly group: GroupId
  readonly message:
    | { readonly kind: 'votes'; readonly votes: readonly CastVote[] }
    | Extract<Message, { readonly kind: 'proposal' }>
}

function isBytes(value: unknown): value is Uint8Array {
  return value instanceof Uint8Array
}

export function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('latin1')
}
