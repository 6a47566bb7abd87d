import type { Certificate, Domain, Signer, Verifier } from '../../src/identity/types.ts'
import {
  err,
  type Incarnation,
  type Millis,
  type NodeId,
  type OrgId,
  ok,
  Random,
  TICK,
  type WallMillis,
} from '../../src/kernel/index.ts'
import {
  type Judge,
  type Judged,
  judgeWith,
  MEMBERSHIP_BODIES,
  MEMBERSHIP_PROFILES,
  type MemberFacts,
  Membership,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipInput,
  type MembershipMessage,
  type MembershipObservation,
  type MembershipParams,
} from '../../src/membership/index.ts'
import { decode, encode, type LinkDownReason, rulesOf, type Shape, type Statement } from '../../src/wire/index.ts'

/** A signature that only shows who made it and over what: enough to catch a core that forgets to check. */
function fakeSignature(signer: NodeId, domain: Domain, bytes: Uint8Array): Uint8Array {
  let hash = 0x811c9dc5
  for (const byte of bytes) hash = Math.imul(hash ^ byte, 0x01000193)
  for (const char of `${signer}/${domain}`) hash = Math.imul(hash ^ char.charCodeAt(0), 0x01000193)
  const signature = new Uint8Array(64)
  new DataView(signature.buffer).setUint32(0, hash >>> 0)
  return signature
}

export function fakeSigner(node: NodeId): Signer {
  return {
    node,
    sign: (domain, bytes): Statement => ({ signer: node, bytes, signature: fakeSignature(node, domain, bytes) }),
  }
}

/** An organisation that was decided and is not known here yet. */
export const UNKNOWN_ORG = 'unknown' as OrgId

const encoder = new TextEncoder()
const decoder = new TextDecoder()

export function fakeCertificate(node: NodeId, labels: Record<string, string> = {}): Uint8Array {
  return encoder.encode(JSON.stringify({ node, org: 'acme', roles: ['worker'], labels, epoch: 1 }))
}

export const fakeVerifier: Verifier = {
  verify: (domain, { signer, bytes, signature }) => {
    const expected = fakeSignature(signer, domain, bytes)
    return signature.length === 64 && signature.every((byte, i) => byte === expected[i])
  },
  certificate: (bytes) => {
    try {
      const read = JSON.parse(decoder.decode(bytes)) as Certificate
      return read.org === UNKNOWN_ORG ? err('AUTHORITY_UNKNOWN') : ok(read)
    } catch {
      return err('CERTIFICATE_INVALID')
    }
  },
}

export function facts(node: string): MemberFacts {
  return {
    addresses: [`/memory/${node}`],
    region: 'eu-west',
    zone: 'a',
    labels: {},
    version: '1.0.0',
    startedAt: 1_700_000_000_000 as WallMillis,
  }
}

export interface NetOptions {
  readonly seed?: string
  readonly params?: MembershipParams
  /** One way. */
  readonly latencyMs?: (from: NodeId, to: NodeId) => number
  /** Share of messages lost. */
  readonly loss?: number
  /** Every message goes through its encoder and decoder. */
  readonly wire?: boolean
}

interface Node {
  readonly id: NodeId
  core: Membership
  readonly links: Set<NodeId>
  readonly dials: Set<NodeId>
  readonly inbox: MembershipInput[]
  alive: boolean
  pausedUntil: number
  deadlineAt: number
  ceiling: Incarnation | undefined
  peers: readonly { readonly node: NodeId; readonly addresses: readonly string[] }[]
}

export interface Told<T> {
  readonly at: number
  readonly node: NodeId
  readonly what: T
}

/**
 * A few membership cores over a network of virtual time, for clauses that need more than one core. The real simulator
 * is `src/sim`; this one knows links, latency, loss, cuts, pauses and crashes, and nothing else.
 */
export class MembershipNet {
  now = 0
  readonly events: Told<MembershipEvent>[] = []
  readonly observations: Told<MembershipObservation>[] = []
  messages = 0
  steps = 0
  keepEvents = true
  readonly nodes = new Map<NodeId, Node>()
  readonly #options: NetOptions
  readonly #random: Random
  readonly #queue = new EventQueue()
  readonly #judge: Judge
  #cut: (a: NodeId, b: NodeId) => boolean = () => false
  loss: number

  constructor(options: NetOptions = {}) {
    this.#options = options
    this.#random = new Random(options.seed ?? 'net')
    this.#judge = rememberingJudge()
    this.loss = options.loss ?? 0
  }

  add(id: string, peers: readonly string[] = [], ceiling?: Incarnation): Node {
    const node: Node = {
      id: id as NodeId,
      core: this.#core(id as NodeId, peers, ceiling),
      links: new Set(),
      dials: new Set(),
      inbox: [],
      alive: true,
      pausedUntil: 0,
      deadlineAt: Number.POSITIVE_INFINITY,
      ceiling,
      peers: [],
    }
    this.nodes.set(node.id, node)
    this.#schedule(node)
    return node
  }

  /** Nodes n0, n1, … each of which remembers the first and its predecessor. */
  found(count: number): NodeId[] {
    const ids = Array.from({ length: count }, (_, i) => `n${i}`)
    for (const [i, id] of ids.entries()) this.add(id, i === 0 ? [] : [`n${i - 1}`, 'n0'])
    return ids as NodeId[]
  }

  core(id: string): Membership {
    return this.#node(id).core
  }

  certificateOf(id: string): Uint8Array {
    return fakeCertificate(this.#node(id).id)
  }

  input(id: string, input: MembershipInput): void {
    this.#step(this.#node(id), input)
  }

  /** The process is gone. `connections`: whether its peers see that (SIGKILL) or not (host loss). */
  crash(id: string, connections: 'broken' | 'silent'): void {
    const node = this.#node(id)
    node.alive = false
    for (const peer of [...node.links]) {
      if (connections === 'broken') this.#dropLink(peer, node.id, 'connection-lost')
    }
    node.links.clear()
    node.dials.clear()
  }

  restart(id: string, ceiling: 'kept' | 'lost' = 'kept'): void {
    const node = this.#node(id)
    node.core = this.#core(
      node.id,
      node.peers.map((peer) => peer.node),
      ceiling === 'kept' ? node.ceiling : undefined,
    )
    node.alive = true
    node.links.clear()
    for (const other of this.nodes.values())
      if (other.links.has(node.id)) this.#dropLink(other.id, node.id, 'connection-lost')
    this.#schedule(node)
  }

  pause(id: string, ms: number): void {
    this.#node(id).pausedUntil = this.now + ms
    this.#queue.push(this.now + ms, () => this.#drain(this.#node(id)))
  }

  /** Nothing passes between those for whom `cut` holds; links stay as they are until someone closes them. */
  partition(cut: (a: NodeId, b: NodeId) => boolean): void {
    this.#cut = cut
  }

  heal(): void {
    this.#cut = () => false
  }

  run(ms: number): void {
    const end = this.now + ms
    for (let event = this.#queue.popUntil(end); event !== undefined; event = this.#queue.popUntil(end)) {
      this.now = Math.max(this.now, event.at)
      event.run()
    }
    this.now = end
  }

  /** Runs until it holds, at most `ms`; returns how long it took, or undefined. */
  until(ms: number, holds: () => boolean): number | undefined {
    const start = this.now
    while (this.now - start < ms) {
      if (holds()) return this.now - start
      this.run(50)
    }
    return holds() ? this.now - start : undefined
  }

  link(a: string, b: string): void {
    const [left, right] = [this.#node(a), this.#node(b)]
    if (left.links.has(right.id)) return
    left.links.add(right.id)
    right.links.add(left.id)
    this.#give(left, { kind: 'link-up', peer: credentials(right.id) })
    this.#give(right, { kind: 'link-up', peer: credentials(left.id) })
  }

  /** The connection breaks, and both see it. */
  cutLink(a: string, b: string): void {
    this.#dropLink(a as NodeId, b as NodeId, 'connection-lost')
    this.#dropLink(b as NodeId, a as NodeId, 'connection-lost')
  }

  #core(id: NodeId, peers: readonly string[], ceiling: Incarnation | undefined): Membership {
    return new Membership({
      signer: fakeSigner(id),
      verifier: fakeVerifier,
      judge: this.#judge,
      random: this.#random.fork(id),
      params: this.#options.params ?? MEMBERSHIP_PROFILES.lan,
      certificate: fakeCertificate(id),
      facts: facts(id),
      ceiling,
      peers: peers.map((peer) => ({ node: peer as NodeId, addresses: [`/memory/${peer}`] })),
    })
  }

  #node(id: string): Node {
    const node = this.nodes.get(id as NodeId)
    if (node === undefined) throw new Error(`no node ${id}`)
    return node
  }

  /** Inputs for a paused node wait for its return. */
  #give(node: Node, input: MembershipInput): void {
    if (!node.alive) return
    if (node.pausedUntil > this.now) node.inbox.push(input)
    else this.#step(node, input)
  }

  #drain(node: Node): void {
    if (node.pausedUntil > this.now || !node.alive) return
    const inbox = node.inbox.splice(0)
    for (const input of inbox) this.#step(node, input)
    this.#tick(node)
  }

  #tick(node: Node): void {
    if (!node.alive || node.pausedUntil > this.now) return
    if (node.core.deadline() <= this.now) this.#perform(node, node.core.step(this.now as Millis, TICK))
    this.#schedule(node)
  }

  #step(node: Node, input: MembershipInput): void {
    if (!node.alive) return
    this.steps += 1
    this.#perform(node, node.core.step(this.now as Millis, input))
    this.#schedule(node)
  }

  #schedule(node: Node): void {
    const at = Math.max(this.now, node.core.deadline())
    if (at >= node.deadlineAt && node.deadlineAt > this.now) return
    node.deadlineAt = at
    if (at === Number.POSITIVE_INFINITY) return
    this.#queue.push(at, () => {
      if (node.deadlineAt <= this.now) node.deadlineAt = Number.POSITIVE_INFINITY
      this.#tick(node)
    })
  }

  #perform(node: Node, effects: readonly MembershipEffect[]): void {
    for (const effect of effects) {
      switch (effect.kind) {
        case 'send':
          this.#send(node, effect.to, effect.message)
          break
        case 'connect':
          node.dials.add(effect.peer)
          this.#dial(node, effect.peer)
          break
        case 'disconnect':
          node.dials.delete(effect.peer)
          if (node.links.has(effect.peer)) {
            this.#later(node.id, effect.peer, () => this.#dropLink(effect.peer, node.id, 'closed-by-peer'))
            this.#queue.push(this.now, () => this.#dropLink(node.id, effect.peer, 'closed-by-us'))
          }
          break
        case 'persist':
          if (effect.record.kind === 'incarnation') node.ceiling = effect.record.ceiling
          else node.peers = effect.record.peers
          break
        case 'event':
          if (this.keepEvents) this.events.push({ at: this.now, node: node.id, what: effect.event })
          break
        case 'observe':
          if (this.keepEvents) this.observations.push({ at: this.now, node: node.id, what: effect.observation })
          break
        case 'penalise':
          break
      }
    }
  }

  #send(from: Node, to: NodeId, message: MembershipMessage): void {
    if (!from.links.has(to)) return
    this.messages += 1
    if (this.#random.chance(this.loss) || this.#cut(from.id, to)) return
    const carried = this.#options.wire === true ? throughWire(message) : message
    this.#later(from.id, to, () => {
      const target = this.nodes.get(to)
      if (target?.links.has(from.id) === true) this.#give(target, { kind: 'message', from: from.id, message: carried })
    })
  }

  /** Dials with back-off until the wish is taken back. */
  #dial(node: Node, peer: NodeId): void {
    this.#later(node.id, peer, () => {
      if (!node.alive || !node.dials.has(peer) || node.links.has(peer)) return
      const target = this.nodes.get(peer)
      if (target?.alive === true && !this.#cut(node.id, peer) && !this.#cut(peer, node.id)) this.link(node.id, peer)
      else this.#queue.push(this.now + 1000, () => this.#dial(node, peer))
    })
  }

  #dropLink(at: NodeId, peer: NodeId, reason: LinkDownReason): void {
    const node = this.#node(at)
    if (!node.links.delete(peer)) return
    this.#give(node, { kind: 'link-down', peer, reason })
  }

  #later(from: NodeId, to: NodeId, run: () => void): void {
    const latencyMs = this.#options.latencyMs?.(from, to) ?? this.#random.between(0.5, 2)
    this.#queue.push(this.now + latencyMs, run)
  }
}

function credentials(node: NodeId) {
  return { node, org: 'acme', roles: ['worker'], certificateExpiresAt: 2_000_000_000_000 as WallMillis }
}

function throughWire(message: MembershipMessage): MembershipMessage {
  const shape = MEMBERSHIP_BODIES[message.kind] as unknown as Shape<unknown>
  const bytes = encode(shape, message.body)
  if (bytes.length > rulesOf(message.kind).bytesMax) throw new Error(`${message.kind} takes ${bytes.length} bytes`)
  const body = decode(shape, bytes)
  if (!body.ok) throw new Error(`${message.kind}: ${body.error}`)
  return { kind: message.kind, body: body.value } as MembershipMessage
}

/** A statement is judged once in the whole net: the answer does not depend on who asks. */
function rememberingJudge(): Judge {
  const judge = judgeWith(fakeVerifier)
  const known = new Map<string, Judged>()
  return (entry) => {
    const key = `${entry.presence.signer}/${entry.presence.signature.slice(0, 4)}/${entry.certificate.length}`
    const before = known.get(key)
    if (before !== undefined) return ok(before)
    const judged = judge(entry)
    if (judged.ok) known.set(key, judged.value)
    return judged
  }
}

interface Scheduled {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

class EventQueue {
  readonly #heap: Scheduled[] = []
  #order = 0

  push(at: number, run: () => void): void {
    const heap = this.#heap
    const event = { at, order: this.#order++, run }
    let slot = heap.push(event) - 1
    while (slot > 0) {
      const parent = (slot - 1) >> 1
      if (!before(event, heap[parent] as Scheduled)) break
      heap[slot] = heap[parent] as Scheduled
      slot = parent
    }
    heap[slot] = event
  }

  popUntil(end: number): Scheduled | undefined {
    const heap = this.#heap
    const first = heap[0]
    if (first === undefined || first.at > end) return undefined
    const last = heap.pop() as Scheduled
    if (heap.length > 0) {
      let slot = 0
      for (;;) {
        let child = 2 * slot + 1
        if (child >= heap.length) break
        if (child + 1 < heap.length && before(heap[child + 1] as Scheduled, heap[child] as Scheduled)) child += 1
        if (!before(heap[child] as Scheduled, last)) break
        heap[slot] = heap[child] as Scheduled
        slot = child
      }
      heap[slot] = last
    }
    return first
  }
}

function before(a: Scheduled, b: Scheduled): boolean {
  return a.at !== b.at ? a.at < b.at : a.order < b.order
}
