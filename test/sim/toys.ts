import { after, type Millis, type NodeId } from '../../src/kernel/index.ts'
import {
  type Host,
  LAN,
  type Latency,
  type Program,
  Simulation,
  type SimulationOptions,
  simAddress,
  simNodeId,
} from '../../src/sim/index.ts'
import type { Lane, LinkDownReason, MessageKind, PeerCredentials } from '../../src/wire/index.ts'

/** Pings everyone it is linked to, once per `everyMs`, and remembers all that it hears. */
export class Toy implements Program {
  readonly host: Host
  readonly heard: { readonly at: Millis; readonly from: NodeId; readonly kind: MessageKind; readonly text: string }[] =
    []
  readonly ups: NodeId[] = []
  readonly downs: { readonly peer: NodeId; readonly reason: LinkDownReason }[] = []
  readonly gaps: { readonly peer: NodeId; readonly lane: Lane }[] = []
  readonly failures: string[] = []
  readonly rooms: Lane[] = []
  readonly timers: Millis[] = []
  readonly order: string[] = []
  durable = 0
  everyMs = 0
  readonly linked = new Set<NodeId>()
  inPort = false

  constructor(host: Host) {
    this.host = host
  }

  ping(everyMs: number): void {
    this.everyMs = everyMs
    this.host.schedule(after(this.host.now(), everyMs))
  }

  say(to: NodeId, text: string, kind: MessageKind = 'membership.ping'): string {
    return this.guarded(() => this.host.network.send(to, kind, new TextEncoder().encode(text)))
  }

  /** SI-10: notices a call back from inside a call into the port. */
  guarded<T>(call: () => T): T {
    this.inPort = true
    const result = call()
    this.inPort = false
    return result
  }

  onTimer(): void {
    this.#called('timer')
    this.timers.push(this.host.now())
    if (this.everyMs === 0) return
    for (const peer of this.linked) this.say(peer, `${this.timers.length}`)
    this.host.schedule(after(this.host.now(), this.everyMs))
  }

  onLinkUp(peer: PeerCredentials): void {
    this.#called(`up ${peer.node}`)
    this.ups.push(peer.node)
    this.linked.add(peer.node)
  }

  onLinkDown(peer: NodeId, reason: LinkDownReason): void {
    this.#called(`down ${peer}`)
    this.downs.push({ peer, reason })
    this.linked.delete(peer)
  }

  onMessage(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    const text = new TextDecoder().decode(body)
    this.#called(`message ${text}`)
    this.heard.push({ at: this.host.now(), from, kind, text })
  }

  faultOfGossip(): undefined {
    return undefined
  }

  onGossip(from: NodeId, kind: MessageKind, body: Uint8Array): void {
    this.onMessage(from, kind, body)
  }

  onRoom(_peer: NodeId, lane: Lane): void {
    this.#called('room')
    this.rooms.push(lane)
  }

  onDialFailed(_peer: NodeId | undefined, _address: string, code: string): void {
    this.#called('dial failed')
    this.failures.push(code)
  }

  onGap(peer: NodeId, lane: Lane): void {
    this.#called('gap')
    this.gaps.push({ peer, lane })
  }

  onDurable(upTo: number): void {
    this.#called('durable')
    this.durable = upTo
  }

  onFailed(): void {}

  #called(what: string): void {
    if (this.inPort) throw new Error(`called back inside a call into the port: ${what}`)
    this.order.push(what)
  }
}

export function toySimulation(
  machines: number,
  options: Partial<SimulationOptions<Toy>> & { readonly latency?: Latency } = {},
): Simulation<Toy> {
  return new Simulation<Toy>({ seed: 'toy', machines, latency: LAN, boot: (host) => new Toy(host), ...options })
}

/** All started; the first `linked` of them linked with each other. */
export function linkedToys(
  machines: number,
  options: Partial<SimulationOptions<Toy>> = {},
): { readonly sim: Simulation<Toy>; readonly toy: (machine: number) => Toy } {
  const sim = toySimulation(machines, options)
  for (let i = 0; i < machines; i++) sim.start(i)
  const toy = (machine: number): Toy => {
    const found = sim.programOf(machine)
    if (found === undefined) throw new Error(`no program on machine ${machine}`)
    return found
  }
  for (let i = 0; i < machines; i++) {
    for (let j = i + 1; j < machines; j++) toy(i).host.network.connect(simNodeId(j), [simAddress(j)])
  }
  sim.run(1_000)
  return { sim, toy }
}
