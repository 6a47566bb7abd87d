import type { Millis, NodeId, Observation } from '../kernel/index.ts'
import type { Checker } from './checker.ts'
import type { Machine } from './machine.ts'
import type { Program } from './program.ts'
import type { Simulation } from './simulation.ts'

/** What the checker reads of a program: its view of the swarm, and nothing else. */
export interface MembershipReading {
  members(): Iterable<ViewedMember>
  self(): ViewedMember
  neighbours(): readonly NodeId[]
  /** Local health: 0 is well; above it the node's own time-outs are stretched (M-15). */
  readonly health: number
}

export interface ViewedMember {
  readonly node: NodeId
  readonly state: 'alive' | 'suspect' | 'dead' | 'left'
  readonly incarnation: number
}

export interface MembershipProgram extends Program {
  readonly membership: MembershipReading
}

export interface MembershipCheckerOptions {
  /** Most entries a view may hold, and most neighbours a node may have (M-4). */
  readonly membersMax: number
  readonly linksMax: number
  /** How often each machine's view is read; 0 means after every turn. */
  readonly readEveryMs: number
  /** A second machine has the key of the first: what concerns that key is not judged by M-8. */
  readonly twins: boolean
  /** The greatest incarnation that a machine's log, as it is on the disk now, has reserved (M-8). */
  reservedOn(machine: Machine): number
  /** No suspicion ends in death sooner than this, whoever claims what (M-10); 0 where views are not read every turn. */
  readonly suspicionMsMin: number
  /** Whether bodies are corrupted: only then may a peer that does nothing wrong be cut off. */
  readonly corrupted: boolean
}

const RANK = { alive: 0, suspect: 1, dead: 2, left: 3 } as const

/** The state order of membership's README as one number: a view may only ever grow in it. */
function rankOf(member: ViewedMember): number {
  return member.incarnation * 4 + RANK[member.state]
}

/**
 * M-1, M-2, M-4, M-8 and M-20 as safety, and the counts that M-6 is about. Reads views only; knows from the
 * simulation which machines run, which is the truth that views are about.
 */
export class MembershipChecker<P extends MembershipProgram> implements Checker<P> {
  readonly #sim: Simulation<P>
  readonly #options: MembershipCheckerOptions
  /** Greatest rank seen of each node in the view of each running machine. */
  readonly #seen = new Map<number, Map<NodeId, number>>()
  /** Greatest incarnation that a node itself has claimed, in all its lives. */
  readonly #claimed = new Map<NodeId, number>()
  /** Greatest incarnation of a node that any other has believed: so it was published. */
  readonly #published = new Map<NodeId, number>()
  /** When each machine began to doubt each node. */
  readonly #doubtedAt = new Map<string, Millis>()
  /** With which incarnation the present life of a node began. */
  readonly #bornAt = new Map<NodeId, number>()
  readonly #programs = new Map<number, P>()
  readonly #readAt: number[] = []
  /** Machines that run with each key: one, or two while there is a twin. */
  readonly #machinesOf = new Map<NodeId, Set<number>>()
  readonly #startedAt = new Map<number, Millis>()
  readonly #false = new Set<string>()
  #nodeMs = 0
  #refutations = 0

  constructor(sim: Simulation<P>, options: MembershipCheckerOptions) {
    this.#sim = sim
    this.#options = options
  }

  /** Nodes declared dead while they ran, once per incarnation, whoever believed it (M-6). */
  get falseDeaths(): number {
    return this.#false.size
  }

  /** How often a running node had to contradict its suspicion or death. */
  get refutations(): number {
    return this.#refutations
  }

  /** Hours that machines ran, all together. */
  get nodeHours(): number {
    let ms = this.#nodeMs
    for (const startedAt of this.#startedAt.values()) ms += this.#sim.now - startedAt
    return ms / 3_600_000
  }

  onBoot(machine: Machine, program: P): void {
    this.#programs.set(machine.index, program)
    this.#startedAt.set(machine.index, this.#sim.now)
    const machines = this.#machinesOf.get(machine.node) ?? new Set()
    this.#machinesOf.set(machine.node, machines.add(machine.index))
    this.#seen.set(machine.index, new Map())
    const published = this.#published.get(machine.node)
    const own = program.membership.self().incarnation
    this.#bornAt.set(machine.node, own)
    if (published !== undefined && own <= published && !this.#options.twins) {
      this.#violate('M-8', machine, `${machine.node} restarts at ${own}, but has published ${published} before`)
    }
  }

  onDown(machine: Machine): void {
    this.#ask(this.#programs.get(machine.index))
    this.#programs.delete(machine.index)
    this.#nodeMs += this.#sim.now - (this.#startedAt.get(machine.index) ?? this.#sim.now)
    this.#startedAt.delete(machine.index)
    this.#machinesOf.get(machine.node)?.delete(machine.index)
    this.#seen.delete(machine.index)
  }

  onTurn(machine: Machine, program: P): void {
    const { readEveryMs } = this.#options
    if (readEveryMs > 0) {
      if (this.#sim.now < (this.#readAt[machine.index] ?? 0)) return
      this.#readAt[machine.index] = this.#sim.now + readEveryMs
    }
    this.#read(machine, program)
  }

  onObserve(_machine: Machine, observation: Observation): void {
    if (observation.kind === 'refuted') this.#refutations += 1
  }

  onLinkDown(machine: Machine, peer: NodeId, reason: string): void {
    const accused = reason === 'protocol-violation' || reason === 'certificate-revoked'
    if (accused && !this.#options.corrupted) {
      this.#violate('M-3', machine, `${peer}, which did nothing wrong, was cut off: ${reason}`)
    }
  }

  #read(machine: Machine, program: P): void {
    const seen = this.#seen.get(machine.index)
    if (seen === undefined) return
    let count = 0
    for (const member of program.membership.members()) {
      count += 1
      const rank = rankOf(member)
      const before = seen.get(member.node)
      if (before === rank) continue
      seen.set(member.node, rank)
      this.#changed(machine, member, rank, before)
    }
    if (count < seen.size) this.#violate('M-4', machine, `an entry has gone long before its time: ${count} are left`)
    if (count > this.#options.membersMax) this.#violate('M-4', machine, `the table holds ${count} members`)
    const neighbours = program.membership.neighbours().length
    if (neighbours > this.#options.linksMax) this.#violate('M-4', machine, `${neighbours} neighbours`)
  }

  #changed(machine: Machine, member: ViewedMember, rank: number, before: number | undefined): void {
    const { node, state, incarnation } = member
    if (before !== undefined && rank < before) {
      // Dead is superseded by a greater incarnation only, and so is everything else (M-20).
      const clause = Math.floor(before / 4) > incarnation ? 'M-1' : 'M-2'
      this.#violate(clause, machine, `${node} went back from ${textOf(before)} to ${textOf(rank)}`)
    }
    const claimed = this.#claimOf(member)
    if (claimed === undefined || incarnation > claimed) {
      this.#violate('M-1', machine, `${node} is believed at ${incarnation}, but has only claimed ${claimed}`)
    }
    if (node !== machine.node) this.#publishes(machine, node, incarnation)
    this.#timesDoubt(machine, member)
    // The death of an earlier life is no mistake, however late it is noticed.
    const isOfThisLife = incarnation >= (this.#bornAt.get(node) ?? Number.POSITIVE_INFINITY)
    if (state === 'dead' && isOfThisLife && (this.#machinesOf.get(node)?.size ?? 0) > 0)
      this.#false.add(`${node} ${incarnation}`)
  }

  /** M-10: whoever is called dead had its time to contradict. A clock that runs slow by 1% is forgiven. */
  #timesDoubt(machine: Machine, { node, state, incarnation }: ViewedMember): void {
    const key = `${machine.index} ${node}`
    if (state === 'suspect') this.#doubtedAt.set(key, this.#sim.now)
    if (state !== 'dead' || node === machine.node) return
    const doubtedMs = this.#sim.now - (this.#doubtedAt.get(key) ?? this.#sim.now)
    if (doubtedMs < this.#options.suspicionMsMin * 0.99) {
      this.#violate('M-10', machine, `${node}(${incarnation}) is dead after ${doubtedMs.toFixed(0)} ms of doubt`)
    }
  }

  /** Somebody else believes it, so it was published: and so it must have been durable before (M-8, R-1). */
  #publishes(at: Machine, node: NodeId, incarnation: number): void {
    if (incarnation <= (this.#published.get(node) ?? -1)) return
    this.#published.set(node, incarnation)
    const holders = this.#sim.machines.filter((machine) => machine.node === node)
    const reserved = Math.max(...holders.map((machine) => this.#options.reservedOn(machine)))
    if (incarnation > reserved) {
      this.#violate('M-8', at, `${node} has published ${incarnation}, but only ${reserved} is reserved in its log`)
    }
  }

  /** What a node has claimed; whoever holds its key is asked when what is known cannot be all. */
  #claimOf({ node, incarnation, state }: ViewedMember): number | undefined {
    const known = this.#claimed.get(node)
    if (known !== undefined && known >= incarnation && state !== 'dead') return known
    for (const machine of this.#machinesOf.get(node) ?? []) this.#ask(this.#programs.get(machine))
    return this.#claimed.get(node)
  }

  #ask(program: P | undefined): void {
    const own = program?.membership.self()
    if (own !== undefined && own.incarnation > (this.#claimed.get(own.node) ?? -1)) {
      this.#claimed.set(own.node, own.incarnation)
    }
  }

  #violate(clause: string, machine: Machine, text: string): void {
    this.#sim.violate(clause, text, machine.index)
  }
}

function textOf(rank: number): string {
  return `${Object.keys(RANK)[rank % 4]}(${Math.floor(rank / 4)})`
}

/** Why the views of the machines of a core differ from the truth; undefined when they do not (M-7). */
export function disagreement<P extends MembershipProgram>(
  sim: Simulation<P>,
  core: readonly number[],
): string | undefined {
  const truth = new Map<NodeId, number>()
  for (const machine of core) {
    const program = sim.programOf(machine)
    if (program === undefined) return `machine ${machine} does not run`
    const self = program.membership.self()
    truth.set(self.node, self.incarnation)
  }
  for (const machine of core) {
    const wrong = wrongIn(sim.programOf(machine)?.membership, truth)
    if (wrong !== undefined) return `on machine ${machine}: ${wrong}`
  }
  return undefined
}

function wrongIn(view: MembershipReading | undefined, truth: ReadonlyMap<NodeId, number>): string | undefined {
  let found = 0
  for (const { node, state, incarnation } of view?.members() ?? []) {
    const expected = truth.get(node)
    if (expected === undefined) {
      if (state === 'alive' || state === 'suspect') return `${node} is ${state}(${incarnation}), but does not run`
      continue
    }
    found += 1
    if (state !== 'alive' || incarnation !== expected)
      return `${node} is ${state}(${incarnation}), not alive(${expected})`
  }
  return found === truth.size ? undefined : `only ${found} of ${truth.size} members are known`
}
