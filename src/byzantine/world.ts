import {
  ConsensusCore,
  type ConsensusParams,
  type Effect,
  type GroupId,
  type Input,
  type LogRecord,
  type Message,
  type Outcome,
  RULES,
  type Rules,
  type View,
} from '../consensus/index.ts'
import { type Millis, type NodeId, Random, TICK, type Tick, type WallMillis } from '../kernel/index.ts'
import { Parcel } from './carriage.ts'
import { cutEarly, newDisk, putAway, tear } from './disk.ts'
import { type Crypto, FAKE_CRYPTO, fakeHash } from './fakes.ts'
import { operation, Register } from './register.ts'
import { Timeline } from './timeline.ts'
import type { Behaviour, Envelope, Host, Sent, Subject, Watcher } from './types.ts'

export const GROUP = 'council' as GroupId
export const GENESIS = fakeHash(operation('genesis'))

/** Times of the harness, in virtual milliseconds: a network of 1 to 4, so that a view takes about 10. Bounds are met soon. */
export const PARAMS: Partial<ConsensusParams> = {
  viewTimeoutMs: 60,
  viewTimeoutMaxMs: 2_000,
  commitWaitMs: 15,
  statusMs: 250,
  fetchTimeoutMs: 40,
  replyIntervalMs: 5,
  submitTimeoutMs: 60_000,
  segmentBlocksMax: 5,
  recentEpochsMax: 2,
}

/** What the network does to a message: its delay in ms, or undefined if it is lost. */
export type Route = (envelope: Envelope, world: World) => number | undefined

export interface WorldOptions {
  readonly seed: string
  readonly members: readonly NodeId[]
  /** One per body; twins share a node id. */
  readonly hosts: readonly {
    readonly node: NodeId
    readonly behaviour?: Behaviour | undefined
    readonly honest?: boolean
  }[]
  readonly crypto?: Crypto
  /** A machine in its state at the genesis; a register of words unless given. */
  readonly machine?: (members: readonly NodeId[]) => Subject
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
  readonly route?: Route | undefined
  /** `objects`: what honest members send does not become bytes (BZ-2). `bytes` unless given. */
  readonly carriage?: 'bytes' | 'objects'
}

/** A message on its way to a body, if that still lives the life in which it was sent. */
interface Delivery {
  readonly from: Host
  readonly to: Host
  readonly life: number
  readonly parcel: Parcel
}

const NOBODY: readonly Host[] = []
const NEVER_MS = Number.POSITIVE_INFINITY
/** How often who is no member asks one what it missed: gossip may be lost. */
const FOLLOW_MS = 1_000

/**
 * A consensus group in virtual time, with a network that a scenario bends, disks that forget what was not synced, and
 * members that lie. Same options, same run.
 */
export class World {
  readonly random: Random
  readonly hosts: readonly Host[]
  readonly honest: readonly Host[]
  readonly members: readonly NodeId[]
  readonly options: WorldOptions
  /** How what honest hosts submitted has ended, by the id of {@link submit}. */
  readonly outcomes = new Map<number, Outcome>()
  watcher: Watcher = {}
  route: Route | undefined
  /** Messages handed to the network for one receiver. */
  messages = 0
  /** Times that a liar withheld, changed or added something. */
  lies = 0
  readonly #params: Partial<ConsensusParams>
  readonly #crypto: Crypto
  readonly #timeline = new Timeline<Delivery | (() => void)>((what) => this.#happen(what))
  /** What was handed over last: most go to several receivers in a row. */
  #parcel: Parcel | undefined
  readonly #byNode = new Map<NodeId, Host[]>()
  #submits = 0

  constructor(options: WorldOptions) {
    this.options = options
    this.random = new Random(options.seed)
    this.members = options.members
    this.#params = { ...PARAMS, ...options.params }
    this.#crypto = options.crypto ?? FAKE_CRYPTO
    this.route = options.route
    const twins = options.hosts.filter(({ behaviour }) => behaviour?.twin === true)
    this.hosts = [...options.hosts, ...twins].map((host, index) => this.#host(host, index))
    this.honest = this.hosts.filter((host) => host.honest)
    for (const host of this.hosts) this.#byNode.set(host.node, [...(this.#byNode.get(host.node) ?? []), host])
    for (const host of this.hosts) this.#begin(host)
  }

  get now(): number {
    return this.#timeline.now
  }

  get events(): number {
    return this.#timeline.events
  }

  #host({ node, behaviour, honest }: WorldOptions['hosts'][number], index: number): Host {
    const signer = this.#crypto.signer(node)
    const machine = this.#machine()
    return {
      index,
      node,
      signer,
      crypto: this.#crypto,
      honest: honest ?? behaviour === undefined,
      behaviour,
      random: this.random.fork(`host ${index}`),
      machine,
      core: this.#core({ signer, machine, behaviour, life: 1 }, [], 'intact'),
      alive: true,
      life: 1,
      disk: newDisk(),
      tickAt: NEVER_MS,
    }
  }

  #machine(): Subject {
    return this.options.machine?.(this.members) ?? new Register(this.members)
  }

  #core(
    host: Pick<Host, 'signer' | 'machine' | 'behaviour' | 'life'>,
    records: readonly LogRecord[],
    log: 'intact' | 'suspect',
  ): ConsensusCore {
    const rules = this.options.rules ?? RULES
    return new ConsensusCore({
      group: GROUP,
      genesis: GENESIS,
      genesisMembers: this.members,
      machine: host.machine,
      signer: host.signer,
      hash: this.#crypto.hash,
      params: this.#params,
      rules: host.behaviour?.rules?.(rules) ?? rules,
      session: host.life,
      records,
      log,
    })
  }

  #begin(host: Host): void {
    this.step(host, { kind: 'clock', wall: (1_000_000 + this.now) as WallMillis })
    this.#follows(host, host.index)
    const { acts, remembers, everyMs = 20 } = host.behaviour ?? {}
    if (acts !== undefined) {
      this.#habit(host, everyMs, () => {
        for (const sent of acts(host)) {
          this.lies += 1
          this.#transmit(host, sent)
        }
      })
    }
    if (remembers !== undefined) this.#habit(host, everyMs, () => this.restart(host, 'intact', remembers(host)))
  }

  /** As hosts of real groups do: each member is asked in its turn. */
  #follows(host: Host, turn: number): void {
    const { life } = host
    this.after(FOLLOW_MS, () => {
      if (!host.alive || host.life !== life) return
      const { members } = host.core
      const peer = members[turn % members.length]
      if (peer !== undefined && !members.includes(host.node)) this.step(host, { kind: 'follow', peer })
      this.#follows(host, turn + 1)
    })
  }

  /** Does something about every so often while the host lives this life. */
  #habit(host: Host, everyMs: number, act: () => void): void {
    const { life } = host
    this.after(everyMs * (0.5 + host.random.float()), () => {
      if (!host.alive || host.life !== life) return
      act()
      this.#habit(host, everyMs, act)
    })
  }

  after(delayMs: number, run: () => void): void {
    this.#timeline.at(this.now + delayMs, run)
  }

  /** Submits an operation, or a register's in words, at a host; returns the id under which its outcome is told. */
  submit(host: Host, what: string | Uint8Array): number {
    const id = ++this.#submits
    this.step(host, {
      kind: 'submit',
      submissions: [{ id, operation: typeof what === 'string' ? operation(what) : what }],
    })
    return id
  }

  /** Steps a member, and answers at once what it asks of its processor and of a disk that takes no time. */
  step(host: Host, first: Input | Tick): void {
    if (!host.alive) return
    const effects = host.core.step(this.now as Millis, first)
    if (effects.length > 0) this.#follow(host, effects)
    this.#schedule(host)
  }

  #follow(host: Host, first: readonly Effect[]): void {
    const later: Input[] = []
    let effects = first
    let durable = 0
    for (let next = 0; ; ) {
      durable = Math.max(durable, this.#take(host, effects, later))
      let input = later[next]
      if (input !== undefined) next += 1
      else if (durable > 0 && this.options.countsOwn !== false) {
        input = { kind: 'durable', mark: durable }
        durable = 0
      } else return
      effects = host.core.step(this.now as Millis, input)
    }
  }

  /** The last mark that is on the disk at once. */
  #take(host: Host, effects: readonly Effect[], later: Input[]): number {
    let durable = 0
    for (const effect of effects) {
      // Looked at once: of so many forms that each look costs.
      switch (effect.kind) {
        case 'verify':
          later.push({ kind: 'verified', id: effect.id, valid: effect.claims.map(this.#crypto.verifies) })
          break
        case 'persist':
          if (this.#write(host, effect.mark, [effect.record], false)) durable = effect.mark
          break
        case 'compact':
          if (this.#write(host, effect.mark, effect.records, true)) durable = effect.mark
          break
        case 'send':
          this.#send(host, [effect.to], effect.message)
          break
        case 'broadcast':
          this.#send(host, effect.to, effect.message)
          break
        case 'outcome':
          if (host.honest) this.outcomes.set(effect.id, effect.outcome)
          break
        case 'event':
          if (host.honest) this.#tell(host, effect.event)
          break
        case 'penalise':
          if (host.honest) this.watcher.onPenalised?.(host, effect.peer, effect.reason)
          break
        case 'announce':
          this.#gossip(host, { kind: 'status', epoch: effect.epoch, view: 0 as View, height: effect.height })
          break
        default:
          break
      }
    }
    return durable
  }

  /** True if it is on the disk at once. */
  #write(host: Host, mark: number, records: readonly LogRecord[], compacts: boolean): boolean {
    const { disk } = host
    if (this.options.cutsEarly === true) cutEarly(disk, records)
    if (host.honest) for (const record of records) this.watcher.onPersist?.(host, record)
    if ((this.options.diskMs ?? 0) === 0) {
      putAway(disk, { records, compacts })
      return true
    }
    disk.buffered.push({ mark, records, compacts })
    if (!compacts && records[0]?.kind === 'vote') disk.voted = mark
    if (!disk.syncing) this.#sync(host)
    return false
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
      for (const written of group) putAway(disk, written)
      if (disk.buffered.length > 0) this.#sync(host)
      const mark = group.at(-1)?.mark ?? 0
      const released = disk.held.filter((held) => held.mark <= mark)
      disk.held = disk.held.filter((held) => held.mark > mark)
      for (const { release } of released) release()
      if (this.options.countsOwn !== false) this.step(host, { kind: 'durable', mark })
    })
  }

  /** As hosts of real groups do: only a vote that is not on the disk yet holds back what is sent after it. */
  #send(host: Host, to: readonly NodeId[], message: Message): void {
    const { buffered, voted, held } = host.disk
    const [oldest] = buffered
    if (oldest === undefined || oldest.mark > voted || this.options.barrier === false) this.#emit(host, to, message)
    else held.push({ mark: voted, release: () => this.#emit(host, to, message) })
  }

  #tell(host: Host, event: Extract<Effect, { kind: 'event' }>['event']): void {
    if (event.kind === 'finalised') this.watcher.onDecision?.(host, event.decision)
    else if (event.kind === 'epoch-started') this.watcher.onEpoch?.(host, event.epoch, event.members)
    else if (event.kind === 'convicted') this.watcher.onConvicted?.(host, event.evidence)
    else this.watcher.onTransferred?.(host, event.height)
  }

  /** As followers hear it: from somebody, sometimes. */
  #gossip(host: Host, message: Message): void {
    const { members } = host.core
    // Everyone is a member: nobody is there to hear it.
    if (members.length === this.#byNode.size) return
    for (const { node } of this.hosts) {
      if (!members.includes(node) && host.random.chance(0.3)) this.#deliver(host, node, message)
    }
  }

  #emit(host: Host, to: readonly NodeId[], message: Message): void {
    const sends = host.behaviour?.sends
    if (sends === undefined) {
      this.watcher.onSend?.(host, message)
      for (const node of to) this.#deliver(host, node, message)
      return
    }
    for (const node of to) {
      const all = sends(host, node, message)
      if (all.length !== 1 || all[0]?.message !== message) this.lies += 1
      for (const sent of all) this.#transmit(host, sent)
    }
  }

  #transmit(host: Host, { to, message }: Sent): void {
    if (!(message instanceof Uint8Array)) this.watcher.onSend?.(host, message)
    this.#deliver(host, to, message)
  }

  /** Over the network, once for all receivers (BZ-2). */
  #deliver(from: Host, node: NodeId, sent: Message | Uint8Array): void {
    if (this.#parcel?.sent !== sent) {
      this.#parcel = new Parcel(sent, GROUP, from.honest && this.options.carriage === 'objects')
    }
    const parcel = this.#parcel
    for (const to of this.#byNode.get(node) ?? NOBODY) {
      if (to.node === from.node) continue
      const delay = this.#delayOf(from, to, sent)
      if (delay === undefined) continue
      this.messages += 1
      this.#timeline.at(this.now + delay, { from, to, life: to.life, parcel })
    }
  }

  #happen(what: Delivery | (() => void)): void {
    if (typeof what === 'function') what()
    else if (what.to.alive && what.to.life === what.life) this.#arrive(what)
  }

  #delayOf(from: Host, to: Host, sent: Message | Uint8Array): number | undefined {
    const extra = from.behaviour?.delays?.(from, sent) ?? 0
    const bent = this.route !== undefined && !(sent instanceof Uint8Array)
    const delay = bent ? this.route?.({ from, to, message: sent }, this) : 1 + this.random.float() * 3
    return delay === undefined ? undefined : delay + extra
  }

  #arrive({ from, to, parcel }: Delivery): void {
    const carried = parcel.open()
    if (!carried.ok) {
      this.watcher.onRefused?.(to, carried.error)
      return
    }
    const hears = to.behaviour?.hears
    const heard = hears === undefined ? carried.value : hears(to, from.node, carried.value)
    if (heard !== undefined) this.step(to, { kind: 'message', from: from.node, message: heard })
  }

  #schedule(host: Host): void {
    const deadline = host.core.deadline()
    if (deadline >= host.tickAt || deadline === NEVER_MS) return
    // A core that asks for the past again and again would stop the clock; the pause makes that visible as slowness.
    const at = Math.max(deadline, this.now + 0.01)
    host.tickAt = at
    const { life } = host
    this.#timeline.at(at, () => {
      if (!host.alive || host.life !== life || host.tickAt !== at) return
      host.tickAt = NEVER_MS
      // What it was set for may have come about before, or be due later by now.
      if (host.core.deadline() <= this.now) this.step(host, TICK)
      else this.#schedule(host)
    })
  }

  /** Stops a host as a power cut does: what was not synced is lost but for a torn part of it. */
  crash(host: Host): void {
    host.alive = false
    tear(host.disk, host.random)
  }

  /** Starts a host again from these records. */
  restart(host: Host, log: 'intact' | 'suspect' = 'intact', records: readonly LogRecord[] = host.disk.durable): void {
    const doubtful = log === 'suspect' || host.disk.doubtful
    Object.assign(host.disk, { ...newDisk(), durable: [...records], doubtful })
    host.life += 1
    host.alive = true
    host.tickAt = NEVER_MS
    host.machine = this.#machine()
    host.core = this.#core(host, records, doubtful ? 'suspect' : 'intact')
    this.#begin(host)
  }

  /** Runs until a condition holds, the time is up, or the events are used up. True if the condition holds. */
  run(untilMs: number, done: () => boolean, eventsMax = 400_000): boolean {
    return this.#timeline.run(untilMs, done, eventsMax)
  }
}

/** Node ids of n members: a, b, c … */
export function nodes(n: number): NodeId[] {
  return Array.from({ length: n }, (_, i) => String.fromCharCode(97 + i) as NodeId)
}
