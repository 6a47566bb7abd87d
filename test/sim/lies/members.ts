import { CLAIMS_BODIES, type ClaimsMessage } from '../../../src/claims/index.ts'
import { type NodeId, Random } from '../../../src/kernel/index.ts'
import {
  type Boot,
  bootSwarm,
  type Host,
  type Machine,
  type Scenario,
  type Simulation,
  type SwarmBootOptions,
  SwarmProgram,
  simNodeId,
} from '../../../src/sim/index.ts'
import { decode, type MessageKind, type NetworkPort, type Shape } from '../../../src/wire/index.ts'
import { type Attempt, Hearsay } from './hearsay.ts'
import { LIES } from './index.ts'
import { frameOf } from './making.ts'
import type { ClaimsKind, Liar, Lie, Said } from './types.ts'

/** With so many nodes a second one may lie: never a third of them, and never the first, which can do everything. */
const NODES_FOR_TWO = 6
const TWO_SHARE = 0.4
/** Of the liars, those that have one habit only. */
const SINGLE_SHARE = 0.5
const HABITS_MAX = 5
/** How old what a liar knows of others' tasks may be. */
const SPIED_EVERY_MS = 400
const SPIED_MAX = 400

/** Who lies in a scenario, and how: drawn from its seed. */
export function liarsOf({ seed, nodes }: Pick<Scenario, 'seed' | 'nodes'>): ReadonlyMap<number, readonly string[]> {
  const random = new Random(`liars/${seed}`)
  const count = nodes >= NODES_FOR_TWO && random.chance(TWO_SHARE) ? 2 : 1
  const machines = random.sample(
    Array.from({ length: nodes - 1 }, (_, i) => i + 1),
    count,
  )
  const habits = (): number => (random.chance(SINGLE_SHARE) ? 1 : 2 + random.below(HABITS_MAX - 1))
  return new Map(machines.map((machine) => [machine, habitsOf(`${seed}/${machine}`, habits())]))
}

/** Each lie has its own draw, so that one that is added changes few seeds. */
function habitsOf(seed: string, count: number): readonly string[] {
  const drawn = Object.keys(LIES).map((name) => ({ name, at: new Random(`${name}/${seed}`).float() }))
  const inOrder = drawn.sort((a, b) => a.at - b.at)
  return inOrder.slice(0, count).map(({ name }) => name)
}

/** Members of the swarm that lie about claims: correct ones whose words are changed on their way. */
export class LyingMembers {
  readonly #members = new Map<number, Member>()
  #sim: Simulation<SwarmProgram> | undefined
  #spied: { readonly at: number; readonly attempts: readonly Attempt[] } = {
    at: Number.NEGATIVE_INFINITY,
    attempts: [],
  }

  constructor(scenario: Pick<Scenario, 'seed' | 'nodes'>) {
    const random = new Random(`lies/${scenario.seed}`)
    for (const [machine, names] of liarsOf(scenario)) {
      const lies = names.map((name) => (LIES[name] as () => Lie)())
      this.#members.set(machine, new Member(this, simNodeId(machine), lies, random.fork(`${machine}`)))
    }
  }

  get machines(): readonly number[] {
    return [...this.#members.keys()]
  }

  isLiar(machine: number): boolean {
    return this.#members.has(machine)
  }

  /** How many messages were lies. */
  get lies(): number {
    let lies = 0
    for (const member of this.#members.values()) lies += member.lies
    return lies
  }

  begin(sim: Simulation<SwarmProgram>): void {
    this.#sim = sim
    sim.check({ onBoot: (machine) => this.#members.get(machine.index)?.begin(machine) })
  }

  /** Starts liars as such, and everyone else as they are. */
  boot(options: SwarmBootOptions): Boot<SwarmProgram> {
    const others = bootSwarm(options)
    return (host) => {
      const member = this.#members.get(host.machine)
      return member === undefined ? others(host) : new LyingProgram(host, options, member)
    }
  }

  get sim(): Simulation<SwarmProgram> {
    if (this.#sim === undefined) throw new Error('the run has not begun')
    return this.#sim
  }

  /** Open tasks of those that do not lie. */
  attempts(): readonly Attempt[] {
    const { sim } = this
    if (sim.now - this.#spied.at < SPIED_EVERY_MS) return this.#spied.attempts
    const attempts: Attempt[] = []
    for (const { index, node } of sim.machines) {
      const claims = this.isLiar(index) ? undefined : sim.programOf(index)?.claims
      for (const { task, attempts: attempt, endedAt, executor } of claims?.tasks() ?? []) {
        if (endedAt !== undefined && attempts.length % 8 !== 0) continue
        attempts.push({ task, epoch: claims?.epoch ?? 0, attempt, coordinator: node, executor: executor?.node })
        if (attempts.length >= SPIED_MAX) attempts.shift()
      }
    }
    this.#spied = { at: sim.now, attempts }
    return attempts
  }
}

/** One liar, through all its starts. */
class Member implements Liar {
  readonly node: NodeId
  readonly random: Random
  readonly hearsay: Hearsay
  readonly #lies: readonly Lie[]
  readonly #all: LyingMembers
  #machine: Machine | undefined
  lies = 0

  constructor(all: LyingMembers, node: NodeId, lies: readonly Lie[], random: Random) {
    this.#all = all
    this.node = node
    this.#lies = lies
    this.random = random
    this.hearsay = new Hearsay(random.fork('hearsay'), () => all.attempts())
  }

  get peers(): readonly NodeId[] {
    return this.#machine === undefined ? [] : (this.#all.sim.network.portOf(this.#machine.index)?.linkedPeers ?? [])
  }

  begin(machine: Machine): void {
    this.#machine = machine
    for (const lie of this.#lies) if (lie.acts !== undefined) this.#actLater(machine, lie)
  }

  #actLater(machine: Machine, lie: Lie): void {
    const { sim } = this.#all
    sim.processOf(machine.index)?.later(
      () => {
        this.#tell(lie.acts?.(this) ?? [])
        this.#actLater(machine, lie)
      },
      sim.now + this.random.exponential(lie.everyMs ?? 1_000),
    )
  }

  /** Says something else instead, if any of its habits wants it to. */
  says(network: NetworkPort, to: NodeId, kind: ClaimsKind, body: Uint8Array): ReturnType<NetworkPort['send']> {
    const truth = decoded(kind, body)
    if (truth === undefined) return network.send(to, kind, body)
    this.hearsay.say(to, truth)
    let said: readonly Said[] = [{ to, message: truth }]
    for (const { sends } of this.#lies) {
      if (sends === undefined) continue
      said = said.flatMap((each) =>
        'bytes' in each.message ? [each] : later(sends(this, each.to, each.message), each),
      )
    }
    const [only] = said
    if (only !== undefined && said.length === 1 && only.message === truth && only.to === to && !isLate(only))
      return network.send(to, kind, body)
    this.#tell(said)
    return 'queued'
  }

  /** Whether it keeps from its correct self what it has heard. */
  hears(from: NodeId, kind: ClaimsKind, body: Uint8Array): boolean {
    const message = decoded(kind, body)
    if (message === undefined) return false
    this.hearsay.hear(from, message)
    for (const { hears } of this.random.shuffle(this.#lies)) {
      const said = hears?.(this, from, message)
      if (said === undefined) continue
      this.#tell(said)
      return true
    }
    return false
  }

  #tell(said: readonly Said[]): void {
    const { sim } = this.#all
    const index = this.#machine?.index ?? -1
    for (const { to, message, afterMs = 0 } of said) {
      const bytes = frameOf(message)
      if (bytes === undefined) continue
      this.lies += 1
      const send = (): void => {
        sim.network.portOf(index)?.send(to, message.kind, bytes)
      }
      if (afterMs === 0) send()
      else sim.processOf(index)?.later(send, sim.now + afterMs)
    }
  }
}

/** A correct program with a liar between it and the others. */
class LyingProgram extends SwarmProgram {
  readonly #member: Member

  constructor(host: Host, options: SwarmBootOptions, member: Member) {
    super({ ...host, network: new Mouth(host.network, member) }, options)
    this.#member = member
  }

  override onMessage(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    if (isClaims(kind) && this.#member.hears(from, kind, body)) return
    super.onMessage(from, kind, body)
  }
}

class Mouth implements NetworkPort {
  readonly #network: NetworkPort
  readonly #member: Member

  constructor(network: NetworkPort, member: Member) {
    this.#network = network
    this.#member = member
  }

  send(to: NodeId, kind: MessageKind, body: Uint8Array): ReturnType<NetworkPort['send']> {
    return isClaims(kind) ? this.#member.says(this.#network, to, kind, body) : this.#network.send(to, kind, body)
  }

  publish(...published: Parameters<NetworkPort['publish']>): void {
    this.#network.publish(...published)
  }

  connect(...wanted: Parameters<NetworkPort['connect']>): void {
    this.#network.connect(...wanted)
  }

  disconnect(...ended: Parameters<NetworkPort['disconnect']>): void {
    this.#network.disconnect(...ended)
  }

  renewed(...renewed: Parameters<NetworkPort['renewed']>): void {
    this.#network.renewed(...renewed)
  }

  penalise(...penalty: Parameters<NetworkPort['penalise']>): void {
    this.#network.penalise(...penalty)
  }
}

function isClaims(kind: MessageKind): kind is ClaimsKind {
  return kind in CLAIMS_BODIES
}

export function decoded(kind: ClaimsKind, body: Uint8Array): ClaimsMessage | undefined {
  const value = decode(CLAIMS_BODIES[kind] as Shape<unknown>, body)
  return value.ok ? ({ kind, body: value.value } as ClaimsMessage) : undefined
}

function isLate({ afterMs = 0 }: Said): boolean {
  return afterMs > 0
}

/** What one habit has put off, the next does not bring forward. */
function later(said: readonly Said[], { afterMs = 0 }: Said): readonly Said[] {
  return afterMs === 0 ? said : said.map((each) => ({ ...each, afterMs: (each.afterMs ?? 0) + afterMs }))
}
