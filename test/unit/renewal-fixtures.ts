import type { Certificate, Verifier } from '../../src/identity/index.ts'
import { type Millis, type NodeId, type OrgId, Random, type SwarmId, type WallMillis } from '../../src/kernel/index.ts'
import {
  RENEWAL_PARAMS,
  Renewal,
  type RenewalEffect,
  type RenewalInput,
  type RenewalMessage,
  type RenewalObservation,
  type RenewalParams,
} from '../../src/renewal/index.ts'
import { SimKeys } from '../../src/sim/index.ts'

export const HOUR_MS = 3_600_000
export const WALL = Date.UTC(2026, 0, 1)
export const ORG = 'acme' as OrgId

/** The authority: whatever it signs verifies. */
export const keys = new SimKeys('renewal')
export const verifier = keys.verifier()

/** A certificate of nine hours that began at WALL, so that it is due six hours later or a little after. */
export function certificate(node: string, other: Partial<Certificate> = {}): Certificate {
  return {
    swarm: '00' as SwarmId,
    node: node as NodeId,
    org: ORG,
    roles: ['worker', 'relay'],
    labels: { gpu: 'V100' },
    epoch: 10,
    notBefore: WALL as WallMillis,
    notAfter: (WALL + 9 * HOUR_MS) as WallMillis,
    ...other,
  }
}

/** As the desk signs it at this wall time. */
export function replaced(previous: Certificate, wall: number, other: Partial<Certificate> = {}): Certificate {
  const dates = { notBefore: wall as WallMillis, notAfter: (wall + 9 * HOUR_MS) as WallMillis }
  return { ...previous, ...dates, epoch: previous.epoch + 1, ...other }
}

/** One core, called `me`, whose peers are played by the test. */
export class Solo {
  readonly core: Renewal
  readonly effects: RenewalEffect[] = []
  now = 1000
  wall = WALL

  constructor(
    options: {
      issuer?: string
      own?: Partial<Certificate>
      seed?: string
      params?: Partial<RenewalParams>
      verifier?: Verifier
    } = {},
  ) {
    this.core = new Renewal({
      node: 'me' as NodeId,
      verifier: options.verifier ?? verifier,
      random: new Random(options.seed ?? 'solo'),
      params: { ...RENEWAL_PARAMS, ...options.params },
      certificate: keys.certificate(certificate('me', options.own)),
      issuer: options.issuer as OrgId | undefined,
    })
  }

  step(input: RenewalInput | { readonly kind: 'tick' }): readonly RenewalEffect[] {
    const effects = this.core.step(this.now as Millis, input)
    this.effects.push(...effects)
    return effects
  }

  /** Lets time pass, with a clock input every other second and a tick at every deadline. */
  run(ms: number): readonly RenewalEffect[] {
    const from = this.effects.length
    const end = this.now + ms
    while (this.now < end) {
      const next = Math.min(end, this.now + 2000)
      while (this.core.deadline() <= next) {
        const at = Math.max(this.now, this.core.deadline())
        this.#move(at)
        this.step({ kind: 'tick' })
      }
      this.#move(next)
      this.step({ kind: 'clock', wallNow: this.wall as WallMillis })
    }
    return this.effects.slice(from)
  }

  /** To a moment at which the certificate is due, whatever was drawn. */
  runUntilDue(): readonly RenewalEffect[] {
    this.wall = this.core.certificate.notAfter - 2 * HOUR_MS
    return this.run(2000)
  }

  link(node: string, expiresAt = WALL + 9 * HOUR_MS): readonly RenewalEffect[] {
    const peer = { node: node as NodeId, org: ORG, roles: [], certificateExpiresAt: expiresAt as WallMillis }
    return this.step({ kind: 'link-up', peer })
  }

  unlink(node: string): readonly RenewalEffect[] {
    return this.step({ kind: 'link-down', peer: node as NodeId })
  }

  member(node: string, other: { issuesFor?: string; epoch?: number; expiresAt?: number } = {}) {
    const { issuesFor, epoch = 10, expiresAt = WALL + 9 * HOUR_MS } = other
    const shown = { node: node as NodeId, epoch, certificateExpiresAt: expiresAt as WallMillis, issuesFor }
    return this.step({ kind: 'member-up', member: shown })
  }

  /** An issuer that is linked. */
  meet(...issuers: string[]): void {
    for (const node of issuers) {
      this.link(node)
      this.member(node, { issuesFor: ORG })
    }
  }

  say(from: string, message: RenewalMessage): readonly RenewalEffect[] {
    return this.step({ kind: 'message', from: from as NodeId, message })
  }

  grant(from: string, granted: Certificate): readonly RenewalEffect[] {
    return this.say(from, { kind: 'renewal.granted', body: { certificate: keys.certificate(granted) } })
  }

  request(from: string, shown: Certificate = certificate(from)): readonly RenewalEffect[] {
    return this.say(from, { kind: 'renewal.request', body: { certificate: keys.certificate(shown) } })
  }

  observed(kind: RenewalObservation['kind']): RenewalObservation[] {
    return this.effects.flatMap((e) => (e.kind === 'observe' && e.observation.kind === kind ? [e.observation] : []))
  }

  #move(now: number): void {
    this.wall += now - this.now
    this.now = now
  }
}

export function kinds(effects: readonly RenewalEffect[]): readonly string[] {
  return effects.map((effect) => effect.kind)
}

/** Who was asked, in order. */
export function asked(effects: readonly RenewalEffect[]): readonly string[] {
  return effects.flatMap((e) => (e.kind === 'send' && e.message.kind === 'renewal.request' ? [e.to] : []))
}

/** Why each request was refused, in order. */
export function refusals(effects: readonly RenewalEffect[]): readonly string[] {
  return effects.flatMap((e) =>
    e.kind === 'send' && e.message.kind === 'renewal.refused' ? [e.message.body.reason] : [],
  )
}
