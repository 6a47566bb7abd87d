import { type Incarnation, type Millis, type NodeId, Random, TICK, type WallMillis } from '../../src/kernel/index.ts'
import {
  MEMBERSHIP_PROFILES,
  type MemberEntry,
  Membership,
  type MembershipEffect,
  type MembershipEvent,
  type MembershipInput,
  type MembershipMessage,
  type MembershipObservation,
  type MembershipParams,
  presenceBody,
  type Rumour,
} from '../../src/membership/index.ts'
import { encode } from '../../src/wire/index.ts'
import { facts, fakeCertificate, fakeSigner, fakeVerifier } from './membership-net.ts'

/** A signed entry of any node, incarnation and status, as its owner would make it. */
export function entry(
  node: string,
  incarnation: number,
  status: 'alive' | 'left' = 'alive',
  labels: Readonly<Record<string, string>> = {},
): MemberEntry {
  const said = { ...facts(node), incarnation: incarnation as Incarnation, status }
  const bytes = encode(presenceBody, { ...said, labels: { ...said.labels, ...labels } })
  return { presence: fakeSigner(node as NodeId).sign('presence', bytes), certificate: fakeCertificate(node as NodeId) }
}

export function rumour(node: string, incarnation: number, state: Rumour['state'], accuser?: string): Rumour {
  return {
    node: node as NodeId,
    incarnation: incarnation as Incarnation,
    state,
    accuser: accuser as NodeId | undefined,
    lost: false,
  }
}

/** One core, called `me`, whose peers are played by the test. */
export class Solo {
  readonly core: Membership
  readonly effects: MembershipEffect[] = []
  now = 1000

  constructor(
    options: {
      params?: Partial<MembershipParams>
      ceiling?: number
      id?: string
      peers?: readonly string[]
      spares?: readonly string[]
    } = {},
  ) {
    const id = (options.id ?? 'me') as NodeId
    const at = (node: string) => ({ node: node as NodeId, addresses: [`/memory/${node}`] })
    this.core = new Membership({
      signer: fakeSigner(id),
      verifier: fakeVerifier,
      random: new Random('solo'),
      params: { ...MEMBERSHIP_PROFILES.lan, ...options.params },
      certificate: fakeCertificate(id),
      facts: facts(id),
      ceiling: options.ceiling as Incarnation | undefined,
      peers: (options.peers ?? []).map(at),
      spares: (options.spares ?? []).map(at),
    })
    this.step(TICK)
  }

  step(input: MembershipInput | typeof TICK): readonly MembershipEffect[] {
    const effects = this.core.step(this.now as Millis, input)
    this.effects.push(...effects)
    return effects
  }

  /** Lets time pass, punctually: every deadline is met. */
  run(ms: number): void {
    const end = this.now + ms
    for (let at = this.core.deadline(); at <= end; at = this.core.deadline()) {
      this.now = Math.max(this.now, at)
      this.step(TICK)
    }
    this.now = end
  }

  link(peer: string): void {
    const credentials = {
      node: peer as NodeId,
      org: 'acme',
      roles: ['worker'],
      certificateExpiresAt: 2_000_000_000_000 as WallMillis,
    }
    this.step({ kind: 'link-up', peer: credentials })
  }

  /** A linked peer whose entry is known. */
  meet(...peers: string[]): void {
    for (const peer of peers) {
      this.link(peer)
      this.hear(peer, { entries: [entry(peer, 1)] })
    }
  }

  hear(
    from: string,
    news: { entries?: readonly MemberEntry[]; rumours?: readonly Rumour[] },
  ): readonly MembershipEffect[] {
    const effects: MembershipEffect[] = []
    for (const one of news.entries ?? []) {
      effects.push(...this.say(from, { kind: 'membership.gossip', body: { rumours: [], entries: [one] } }))
    }
    if (news.rumours === undefined) return effects
    effects.push(...this.say(from, { kind: 'membership.gossip', body: { rumours: news.rumours, entries: [] } }))
    return effects
  }

  say(from: string, message: MembershipMessage): readonly MembershipEffect[] {
    return this.step({ kind: 'message', from: from as NodeId, message })
  }

  state(node: string) {
    return this.core.state(node as NodeId)
  }

  incarnation(node: string): number | undefined {
    return this.core.member(node as NodeId)?.incarnation
  }

  events(kind: MembershipEvent['kind']): MembershipEvent[] {
    return this.effects.flatMap((e) => (e.kind === 'event' && e.event.kind === kind ? [e.event] : []))
  }

  observations(kind: MembershipObservation['kind']): MembershipObservation[] {
    return this.effects.flatMap((e) => (e.kind === 'observe' && e.observation.kind === kind ? [e.observation] : []))
  }
}

type Body<K extends MembershipMessage['kind']> = Extract<MembershipMessage, { kind: K }>['body']

/** The messages of one kind among some effects. */
export function sent<K extends MembershipMessage['kind']>(
  effects: readonly MembershipEffect[],
  kind: K,
): { readonly to: NodeId; readonly body: Body<K> }[] {
  const found: { readonly to: NodeId; readonly body: Body<K> }[] = []
  for (const effect of effects) {
    if (effect.kind !== 'send' || effect.message.kind !== kind) continue
    found.push({ to: effect.to, body: effect.message.body as Body<K> })
  }
  return found
}

/** Answers every ping of `effects` to these peers, as they would. */
export function answer(solo: Solo, effects: readonly MembershipEffect[], peers: readonly string[]): void {
  for (const { to, body } of sent(effects, 'membership.ping')) {
    if (!peers.includes(to)) continue
    const { sequence } = body
    const ack = { sequence, subject: to, coordinate: solo.core.coordinate, entry: undefined, rumours: [] }
    solo.say(to, { kind: 'membership.ack', body: ack })
  }
}

/** Lets time pass while these peers answer their pings at once. */
export function runWith(solo: Solo, ms: number, peers: readonly string[]): void {
  const end = solo.now + ms
  while (solo.now < end) {
    const seen = solo.effects.length
    solo.run(Math.min(10, end - solo.now))
    answer(solo, solo.effects.slice(seen), peers)
  }
}
