import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import type { Founding, KeyPair, MemberParty, Ticket } from '../../src/identity/index.ts'
import { type Millis, type NodeId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { createNetwork, type Libp2pNetwork, type NetworkOptions } from '../../src/net/index.ts'
import type { Lane, LinkDownReason, MessageKind, NetworkHandler, PeerCredentials } from '../../src/wire/index.ts'
import { founding, keyPair, member, NOW } from '../unit/identity-fixtures.ts'

/** Everything a handler was told, in order. */
export type Told =
  | { readonly kind: 'up'; readonly peer: PeerCredentials }
  | { readonly kind: 'down'; readonly peer: NodeId; readonly reason: LinkDownReason }
  | { readonly kind: 'message' | 'gossip'; readonly from: NodeId; readonly message: MessageKind; readonly text: string }
  | { readonly kind: 'dial-failed'; readonly peer: NodeId | undefined; readonly code: string; readonly message: string }
  | { readonly kind: 'gap'; readonly peer: NodeId; readonly lane: Lane }

export class Recorder implements NetworkHandler {
  readonly told: Told[] = []

  onLinkUp(peer: PeerCredentials): void {
    this.told.push({ kind: 'up', peer })
  }

  onLinkDown(peer: NodeId, reason: LinkDownReason): void {
    this.told.push({ kind: 'down', peer, reason })
  }

  onMessage(from: NodeId, message: MessageKind, body: Uint8Array): void {
    this.told.push({ kind: 'message', from, message, text: new TextDecoder().decode(body) })
  }

  faultOfGossip(_message: MessageKind, body: Uint8Array): string | undefined {
    return new TextDecoder().decode(body).startsWith('malformed') ? 'it says so itself' : undefined
  }

  onGossip(from: NodeId, message: MessageKind, body: Uint8Array): void {
    this.told.push({ kind: 'gossip', from, message, text: new TextDecoder().decode(body) })
  }

  onRoom(): void {
    // Lanes have tests of their own.
  }

  onDialFailed(peer: NodeId | undefined, _address: string, code: string, message: string): void {
    this.told.push({ kind: 'dial-failed', peer, code, message })
  }

  onGap(peer: NodeId, lane: Lane): void {
    this.told.push({ kind: 'gap', peer, lane })
  }

  ups(peer: NodeId): number {
    return this.told.filter((event) => event.kind === 'up' && event.peer.node === peer).length
  }

  downs(peer: NodeId): readonly LinkDownReason[] {
    return this.told.flatMap((event) => (event.kind === 'down' && event.peer === peer ? [event.reason] : []))
  }

  isUp(peer: NodeId): boolean {
    return this.ups(peer) > this.downs(peer).length
  }

  heard(kind: 'message' | 'gossip', text: string): boolean {
    return this.told.some((event) => event.kind === kind && event.text === text)
  }

  failures(): readonly string[] {
    return this.told.flatMap((event) => (event.kind === 'dial-failed' ? [event.code] : []))
  }
}

/** The wall clock of a test: real time passes, and tests add to it. */
export class TestClock {
  offsetMs = 0
  readonly #startedAt = performance.now()

  now(): Millis {
    return performance.now() as Millis
  }

  wallNow(): WallMillis {
    return Math.floor(NOW + performance.now() - this.#startedAt + this.offsetMs) as WallMillis
  }
}

export interface TestNode {
  readonly keys: KeyPair
  readonly id: NodeId
  readonly network: Libp2pNetwork
  readonly recorder: Recorder
  readonly clock: TestClock
  readonly addresses: readonly string[]
  readonly discovered: Map<NodeId, readonly string[]>
}

export interface ChildNode {
  readonly process: ChildProcess
  readonly id: NodeId
  readonly addresses: readonly string[]
}

export interface NodeChanges extends Partial<NetworkOptions> {
  readonly founding?: Founding
  readonly member?: Partial<MemberParty>
  /** For a node that is not a member yet. */
  readonly newcomer?: boolean
}

export const SWARM = founding()

/** Nodes of one test, so that it can end them all. */
export class World {
  readonly #nodes: Libp2pNetwork[] = []
  readonly #children: ChildProcess[] = []

  async node(number: number, changes: NodeChanges = {}): Promise<TestNode> {
    const { founding: founded = SWARM, member: memberChanges = {}, newcomer = false, ...options } = changes
    const keys = keyPair(number)
    const recorder = new Recorder()
    const clock = new TestClock()
    const discovered = new Map<NodeId, readonly string[]>()
    const party = member(keys, founded, memberChanges)
    const network = await createNetwork({
      swarm: founded.swarm,
      seed: keys.exportSeed(),
      clock,
      random: new Random(`node ${number}`),
      party: () => (newcomer ? undefined : party),
      listen: ['/ip4/127.0.0.1/tcp/0'],
      onDiscovered: (peer, addresses) => discovered.set(peer, addresses),
      ...options,
    })
    this.#nodes.push(network)
    await network.start()
    if (!newcomer) network.serve(recorder)
    return { keys, id: keys.node, network, recorder, clock, addresses: network.addresses(), discovered }
  }

  /** A member in another process. */
  async child(number: number, listen = '/ip4/127.0.0.1/tcp/0'): Promise<ChildNode> {
    const forked = fork(new URL('./net-child.ts', import.meta.url), [String(number), listen])
    this.#children.push(forked)
    const [told] = (await once(forked, 'message')) as [{ readonly id: NodeId; readonly addresses: readonly string[] }]
    return { process: forked, ...told }
  }

  async end(): Promise<void> {
    for (const forked of this.#children.splice(0)) forked.kill('SIGKILL')
    await Promise.all(this.#nodes.splice(0).map((network) => network.stop()))
  }
}

/** Waits for something to be seen, with a bound that is only reached when it never happens. */
export async function until(what: string, holds: () => boolean, boundMs = 15_000): Promise<void> {
  const end = performance.now() + boundMs
  while (!holds()) {
    if (performance.now() > end) throw new Error(`never happened: ${what}`)
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

/** Dials b from a and waits until both have the link. */
export async function link(a: TestNode, b: TestNode): Promise<void> {
  a.network.connect(b.id, b.addresses)
  await until('a link', () => a.recorder.isUp(b.id) && b.recorder.isUp(a.id))
}

export function text(value: string): Uint8Array {
  return new TextEncoder().encode(value)
}

export { founding, keyPair, type Ticket }
