import {
  ConsensusCore,
  type ConsensusParams,
  type Decision,
  type Effect,
  type Evidence,
  type GroupId,
  type Input,
  type LogRecord,
  type Message,
  type Outcome,
  RULES,
  type Rules,
  type View,
} from '../../src/consensus/index.ts'
import type { Signer } from '../../src/identity/types.ts'
import { type Millis, type NodeId, Random, TICK, type Tick, type WallMillis } from '../../src/kernel/index.ts'
import { fakeHash, fakeSigner, operation, Register, verifies } from './fakes.ts'

export const GROUP = 'council' as GroupId
export const GENESIS = fakeHash(new TextEncoder().encode('genesis'))

/** Times of the harness, in virtual milliseconds: a network of 1 to 4, so that a view takes about 10. */
export const PARAMS: Partial<ConsensusParams> = {
  viewTimeoutMs: 60,
  viewTimeoutMaxMs: 2_000,
  commitWaitMs: 15,
  statusMs: 250,
  fetchTimeoutMs: 40,
  replyIntervalMs: 5,
  submitTimeoutMs: 60_000,
  segmentBlocksMax: 5,
}

/** One message on its way. */
export interface Envelope {
  readonly from: Host
  readonly to: Host
  readonly message: Message
}

/** A wrapper around a correct member that lies in one way (B-*). */
export interface Behaviour {
  readonly name: string
  /** What it really sends when the correct member would send this to that node; an empty list withholds. */
  readonly sends?: (
    host: Host,
    to: NodeId,
    message: Message,
  ) => readonly { readonly to: NodeId; readonly message: Message }[]
  /** Extra delay in ms of what it sends. */
  readonly delays?: (host: Host, message: Message) => number
  /** What the correct member inside gets to see; undefined swallows it. */
  readonly hears?: (host: Host, from: NodeId, message: Message) => Message | undefined
  /** What it does on its own about every `everyMs`. */
  readonly acts?: (host: Host) => readonly { readonly to: NodeId; readonly message: Message }[]
  readonly everyMs?: number
  /** Rules of the member inside. */
  readonly rules?: (rules: Rules) => Rules
}

export interface Host {
  readonly index: number
  readonly node: NodeId
  readonly signer: Signer
  readonly honest: boolean
  readonly behaviour: Behaviour | undefined
  readonly random: Random
  core: ConsensusCore
  machine: Register
  alive: boolean
  /** Counts starts: events of an earlier life are void. */
  life: number
  readonly disk: Disk
  tickAt: number
  /** Effects that wait for the disk. */
  held: { readonly mark: number; readonly effect: Effect }[]
}

/** A log of records of which the last ones may not be on disk yet. */
export interface Disk {
  durable: LogRecord[]
  buffered: { readonly mark: number; readonly records: readonly LogRecord[]; readonly compacts: boolean }[]
  syncing: boolean
}

/** What checkers are told: everything ever sent and decided. */
export interface Watcher {
  onSend(host: Host, message: Message): void
  onDecision(host: Host, decision: Decision): void
  onEpoch(host: Host, epoch: number, members: readonly NodeId[]): void
  onConvicted(host: Host, evidence: Evidence): void
  onTransferred(host: Host, height: number): void
  onPersist(host: Host, record: LogRecord): void
}

export interface WorldOptions {
  readonly seed: string
  readonly members: readonly NodeId[]
  /** One per host; twins share a node id. */
  readonly hosts: readonly {
    readonly node: NodeId
    readonly behaviour?: Behaviour | undefined
    readonly honest?: boolean
  }[]
  readonly params?: Partial<ConsensusParams>
  readonly rules?: Rules
  /** Disk latency in ms; 0: at once. */
  readonly diskMs?: number
  /** Whether sends wait for the disk; false is a planted bug. */
  readonly barrier?: boolean
  /** Whether own votes come back once they are durable; false is a planted bug. */
  readonly countsOwn?: boolean
  /** Whether signing a checkpoint cuts the log; true is a planted bug. */
  readonly cutsEarly?: boolean
  /** What the network does to a message: its delay, or undefined if it is lost. */
  readonly route?: (envelope: Envelope, world: World) => number | undefined
}

interface Scheduled {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** Virtual time, a network that a scenario bends, disks that forget what was not synced. Same options, same run. */
export class World {
  readonly random: Random
  readonly hosts: Host[]
  readonly members: readonly NodeId[]
  readonly params: Partial<ConsensusParams>
  readonly options: WorldOptions
  readonly outcomes = new Map<number, Outcome>()
  watcher: Watcher | undefined
  now = 0
  events = 0
  messages = 0
  route: ((envelope: Envelope, world: World) => number | undefined) | undefined
  readonly #heap: Scheduled[] = []
  readonly #byNode = new Map<NodeId, Host[]>()
  #order = 0
  #submits = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.random = new Random(options.seed)
    this.members = options.members
    this.params = { ...PARAMS, ...options.params }
    this.route = options.route
    this.hosts = options.hosts.map(({ node, behaviour, honest }, index) => {
      const machine = new Register(options.members)
      const host: Host = {
        index,
        node,
        signer: fakeSigner(node),
        honest: honest ?? behaviour === undefined,
        behaviour,
        random: this.random.fork(`host ${index}`),
        machine,
        core: this.#core(node, machine, behaviour, 1, [], 'intact'),
        alive: true,
        life: 1,
        disk: { durable: [], buffered: [], syncing: false },
        tickAt: Number.POSITIVE_INFINITY,
        held: [],
      }
      return host
    })
    for (const host of this.hosts) this.#byNode.set(host.node, [...(this.#byNode.get(host.node) ?? []), host])
    for (const host of this.hosts) this.#begin(host)
  }

  get honest(): readonly Host[] {
    return this.hosts.filter((host) => host.honest)
  }

  #core(
    node: NodeId,
    machine: Register,
    behaviour: Behaviour | undefined,
    life: number,
    records: readonly LogRecord[],
    log: 'intact' | 'suspect',
  ): ConsensusCore {
    const rules = this.options.rules ?? RULES
    return new ConsensusCore({
      group: GROUP,
      genesis: GENESIS,
      genesisMembers: this.members,
      machine,
      signer: fakeSigner(node),
      hash: fakeHash,
      params: this.params,
      rules: behaviour?.rules?.(rules) ?? rules,
      session: life,
      records,
      log,
    })
  }

  #begin(host: Host): void {
    this.step(host, { kind: 'clock', wall: (1_000_000 + this.now) as WallMillis })
    const { behaviour } = host
    if (behaviour?.acts !== undefined) this.#act(host, behaviour.acts, behaviour.everyMs ?? 20)
  }

  #act(host: Host, acts: NonNullable<Behaviour['acts']>, everyMs: number): void {
    const { life } = host
    this.after(everyMs * (0.5 + host.random.float()), () => {
      if (!host.alive || host.life !== life) return
      for (const { to, message } of acts(host)) this.#transmit(host, to, message)
      this.#act(host, acts, everyMs)
    })
  }

  after(delayMs: number, run: () => void): void {
    this.#push({ at: this.now + delayMs, order: this.#order++, run })
  }

  /** Submits an operation at a host; the outcome is found under the id returned. */
  submit(host: Host, text: string): number {
    const id = ++this.#submits
    this.step(host, { kind: 'submit', id, operation: operation(text) })
    return id
  }

  step(host: Host, first: Input | Tick): void {
    if (!host.alive) return
    const inputs: (Input | Tick)[] = [first]
    let durable = 0
    for (let input = inputs.shift(); input !== undefined; input = inputs.shift()) {
      for (const effect of host.core.step(this.now as Millis, input)) {
        if (effect.kind === 'verify') {
          inputs.push({ kind: 'verified', id: effect.id, valid: effect.claims.map(verifies) })
        } else if (effect.kind === 'persist' || effect.kind === 'compact') {
          durable = this.#write(host, effect, durable)
        } else this.#hold(host, effect)
      }
      if (inputs.length === 0 && durable > 0) {
        if (this.options.countsOwn !== false) inputs.push({ kind: 'durable', mark: durable })
        durable = 0
      }
    }
    this.#schedule(host)
  }

  #write(host: Host, effect: Extract<Effect, { kind: 'persist' | 'compact' }>, durable: number): number {
    const { disk } = host
    const compacts = effect.kind === 'compact'
    const records = effect.kind === 'compact' ? effect.records : [effect.record]
    if (this.options.cutsEarly === true) cutEarly(host, records)
    if (host.honest) for (const record of records) this.watcher?.onPersist(host, record)
    if ((this.options.diskMs ?? 0) === 0) {
      disk.durable = compacts ? [...records] : disk.durable
      if (!compacts) for (const record of records) disk.durable.push(record)
      return effect.mark
    }
    disk.buffered.push({ mark: effect.mark, records, compacts })
    if (!disk.syncing) this.#sync(host)
    return durable
  }

  /** One group commit: all that was buffered when it began. */
  #sync(host: Host): void {
    const { disk, life } = host
    const group = disk.buffered.slice()
    disk.syncing = true
    this.after((this.options.diskMs ?? 0) * (0.5 + host.random.float()), () => {
      if (host.life !== life || !host.alive) return
      disk.syncing = false
      disk.buffered.splice(0, group.length)
      for (const { records, compacts } of group) disk.durable = compacts ? [...records] : [...disk.durable, ...records]
      if (disk.buffered.length > 0) this.#sync(host)
      const mark = group.at(-1)?.mark ?? 0
      const released = host.held.filter((held) => held.mark <= mark)
      host.held = host.held.filter((held) => held.mark > mark)
      for (const { effect } of released) this.#perform(host, effect)
      if (this.options.countsOwn !== false) this.step(host, { kind: 'durable', mark })
    })
  }

  #hold(host: Host, effect: Effect): void {
    const last = host.disk.buffered.at(-1)
    const waits = last !== undefined && this.options.barrier !== false
    if (waits) host.held.push({ mark: last.mark, effect })
    else this.#perform(host, effect)
  }

  #perform(host: Host, effect: Effect): void {
    switch (effect.kind) {
      case 'send':
        this.#emit(host, [effect.to], effect.message)
        return
      case 'broadcast':
        this.#emit(host, effect.to, effect.message)
        return
      case 'outcome':
        if (host.honest) this.outcomes.set(effect.id, effect.outcome)
        return
      case 'event': {
        if (!host.honest) return
        const { event } = effect
        if (event.kind === 'finalised') this.watcher?.onDecision(host, event.decision)
        else if (event.kind === 'epoch-started') this.watcher?.onEpoch(host, event.epoch, event.members)
        else if (event.kind === 'convicted') this.watcher?.onConvicted(host, event.evidence)
        else this.watcher?.onTransferred(host, event.height)
        return
      }
      case 'announce':
        // Gossip, as followers hear it: from somebody, sometimes.
        for (const other of this.hosts) {
          if (host.core.members.includes(other.node) || !host.random.chance(0.3)) continue
          const message: Message = { kind: 'status', epoch: effect.epoch, view: 0 as View, height: effect.height }
          this.#deliver(host, other.node, message)
        }
        return
      default:
        return
    }
  }

  #emit(host: Host, to: readonly NodeId[], message: Message): void {
    const sends = host.behaviour?.sends
    if (sends === undefined) {
      this.watcher?.onSend(host, message)
      for (const node of to) this.#deliver(host, node, message)
      return
    }
    for (const node of to) for (const sent of sends(host, node, message)) this.#transmit(host, sent.to, sent.message)
  }

  #transmit(host: Host, to: NodeId, message: Message): void {
    this.watcher?.onSend(host, message)
    this.#deliver(host, to, message)
  }

  #deliver(from: Host, node: NodeId, message: Message): void {
    for (const to of this.#byNode.get(node) ?? []) {
      if (to === from || to.node === from.node) continue
      const extra = from.behaviour?.delays?.(from, message) ?? 0
      const delay = this.route === undefined ? 1 + this.random.float() * 3 : this.route({ from, to, message }, this)
      if (delay === undefined) continue
      this.messages += 1
      const { life } = to
      this.after(delay + extra, () => {
        if (!to.alive || to.life !== life) return
        const heard = to.behaviour?.hears === undefined ? message : to.behaviour.hears(to, from.node, message)
        if (heard !== undefined) this.step(to, { kind: 'message', from: from.node, message: heard })
      })
    }
  }

  #schedule(host: Host): void {
    const deadline = host.core.deadline()
    if (deadline >= host.tickAt || deadline === Number.POSITIVE_INFINITY) return
    // A core that asks for the past again and again would stop the clock; the pause makes that visible as slowness.
    const at = Math.max(deadline, this.now + 0.01)
    host.tickAt = at
    const { life } = host
    this.#push({
      at,
      order: this.#order++,
      run: () => {
        if (host.life !== life || host.tickAt !== at) return
        host.tickAt = Number.POSITIVE_INFINITY
        this.step(host, TICK)
      },
    })
  }

  /** Stops a host as a power cut does: what was not synced is lost but for a torn part of it. */
  crash(host: Host): void {
    host.alive = false
    const { disk } = host
    const kept = host.random.below(disk.buffered.length + 1)
    for (const { records, compacts } of disk.buffered.slice(0, kept)) {
      disk.durable = compacts ? [...records] : [...disk.durable, ...records]
    }
    disk.buffered = []
    disk.syncing = false
    host.held = []
  }

  /** Starts a host again from these records. */
  restart(host: Host, log: 'intact' | 'suspect' = 'intact', records: readonly LogRecord[] = host.disk.durable): void {
    host.disk.durable = [...records]
    host.disk.buffered = []
    host.disk.syncing = false
    host.held = []
    host.life += 1
    host.alive = true
    host.tickAt = Number.POSITIVE_INFINITY
    host.machine = new Register(this.members)
    host.core = this.#core(host.node, host.machine, host.behaviour, host.life, records, log)
    this.#begin(host)
  }

  /** Runs until a condition holds, the time is up, or the events are used up. True if the condition holds. */
  run(untilMs: number, done: () => boolean, eventsMax = 400_000): boolean {
    while (!done()) {
      const next = this.#heap[0]
      if (next === undefined || next.at > untilMs || this.events >= eventsMax) return false
      this.#pop()
      this.now = next.at
      this.events += 1
      next.run()
    }
    return true
  }

  #push(item: Scheduled): void {
    const heap = this.#heap
    let i = heap.length
    heap.push(item)
    while (i > 0) {
      const parent = (i - 1) >> 1
      const above = heap[parent] as Scheduled
      if (above.at < item.at || (above.at === item.at && above.order < item.order)) break
      heap[i] = above
      i = parent
    }
    heap[i] = item
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (last === undefined || heap.length === 0) return
    let i = 0
    for (;;) {
      let child = 2 * i + 1
      if (child >= heap.length) break
      const right = heap[child + 1]
      const left = heap[child] as Scheduled
      let least = left
      if (right !== undefined && (right.at < left.at || (right.at === left.at && right.order < left.order))) {
        child += 1
        least = right
      }
      if (last.at < least.at || (last.at === least.at && last.order < least.order)) break
      heap[i] = least
      i = child
    }
    heap[i] = last
  }
}

/** The planted bug of a log that is cut when a checkpoint is signed, not when it is stable. */
function cutEarly({ disk }: Host, records: readonly LogRecord[]): void {
  const [first] = records
  if (first?.kind !== 'vote' || first.cast.vote.kind !== 'checkpoint') return
  const kept = (record: LogRecord): boolean => record.kind !== 'proposal' && record.kind !== 'block'
  disk.durable = disk.durable.filter(kept)
  disk.buffered = disk.buffered.map((group) => ({ ...group, records: group.records.filter(kept) }))
}

/** Node ids of n members: a, b, c … */
export function nodes(n: number): NodeId[] {
  return Array.from({ length: n }, (_, i) => String.fromCharCode(97 + i) as NodeId)
}
