import type { Certificate } from '../identity/types.ts'
import {
  after,
  assert,
  err,
  type Millis,
  NEVER,
  type NodeId,
  type OrgId,
  ok,
  type Result,
  type WallMillis,
} from '../kernel/index.ts'
import { FORGED_POINTS } from './issuer.ts'
import type { Refused } from './messages.ts'
import type { RenewalEffect, RenewalOptions } from './types.ts'

/** What is going on. `until`: when it is given up. */
type Phase =
  | { readonly kind: 'idle' }
  | { readonly kind: 'reaching' | 'asking'; readonly issuer: NodeId; readonly until: Millis }
  | { readonly kind: 'signing'; readonly id: number; readonly until: Millis }

const IDLE: Phase = { kind: 'idle' }

/** What the applicant is told by the core around it. */
export interface Surroundings {
  isLinked(node: NodeId): boolean
  nextId(): number
  emit(effect: RenewalEffect): void
}

/** The side that has a certificate and wants it to last. Clauses G-1 to G-6, G-10 and G-12 in ./README.md. */
export class Applicant {
  readonly #options: RenewalOptions
  readonly #around: Surroundings
  /** The organisation whose key this node holds. */
  #authorityOf: OrgId | undefined
  readonly #issuers = new Set<NodeId>()
  /** Issuers that had their turn since everyone last had. */
  readonly #tried = new Set<NodeId>()
  #certificate: Certificate
  #bytes: Uint8Array
  /** Due when this much of its life is left. */
  #dueLeftMs: number
  #phase: Phase = IDLE
  #dueSince: Millis | undefined
  /** Since the certificate became due. */
  #tries = 0
  #nextTryAt = 0 as Millis
  /** Nobody could be asked: an issuer that appears ends the back-off. */
  #unreachable = false
  /** The life that was left when people were last told. */
  #toldLeftMs = Number.POSITIVE_INFINITY

  constructor(options: RenewalOptions, around: Surroundings) {
    const certificate = options.verifier.certificate(options.certificate)
    assert(certificate.ok, "this node's own certificate does not fit the swarm")
    assert(certificate.value.node === options.node, "this node's certificate is for another", { node: options.node })
    this.#options = options
    this.#authorityOf = options.issuer
    this.#around = around
    this.#certificate = certificate.value
    this.#bytes = options.certificate
    this.#dueLeftMs = this.#drawDueLeft(certificate.value)
  }

  get certificate(): Certificate {
    return this.#certificate
  }

  get deadline(): Millis {
    return this.#phase.kind === 'idle' ? NEVER : this.#phase.until
  }

  /** Looks whether something is to be done; called with every clock input and when the deadline has passed. */
  look(now: Millis, wallNow: WallMillis): void {
    if (this.#phase.kind !== 'idle') {
      if (now >= this.#phase.until) this.#giveUp(now, wallNow, this.#phase.kind === 'reaching')
      return
    }
    if (this.#settle(now, wallNow)) return
    this.#dueSince ??= now
    if (now >= this.#nextTryAt) this.#try(now, wallNow)
  }

  /** G-10, from now on. */
  issuesFor(now: Millis, org: OrgId | undefined): void {
    this.#authorityOf = org
    if (org === this.#certificate.org) this.#wake(now)
  }

  setIssuer(now: Millis, node: NodeId, issues: boolean): void {
    if (!issues) {
      this.#issuers.delete(node)
    } else if (!this.#issuers.has(node)) {
      this.#issuers.add(node)
      this.#wake(now)
    }
  }

  linkUp(now: Millis, peer: NodeId): void {
    if (!this.#issuers.has(peer)) return
    if (this.#phase.kind === 'reaching' && this.#phase.issuer === peer) this.#ask(now, peer)
    else this.#wake(now)
  }

  linkDown(now: Millis, wallNow: WallMillis, peer: NodeId): void {
    if (this.#phase.kind === 'asking' && this.#phase.issuer === peer) this.#giveUp(now, wallNow, true)
  }

  /** G-4: anything but the answer to the open question is not even looked at. */
  granted(now: Millis, wallNow: WallMillis, from: NodeId, bytes: Uint8Array): void {
    if (this.#phase.kind !== 'asking' || this.#phase.issuer !== from) return
    this.#take(now, wallNow, from, bytes)
  }

  refused(now: Millis, wallNow: WallMillis, from: NodeId, reason: Refused): void {
    if (this.#phase.kind !== 'asking' || this.#phase.issuer !== from) return
    this.#observeRefusal(from, reason)
    this.#giveUp(now, wallNow, false)
  }

  /** Whether this was the certificate that this node signs for itself (G-10). */
  issued(now: Millis, wallNow: WallMillis, id: number, outcome: Result<Uint8Array>): boolean {
    if (this.#phase.kind !== 'signing' || this.#phase.id !== id) return false
    if (outcome.ok) {
      this.#take(now, wallNow, this.#options.node, outcome.value)
    } else {
      this.#observeRefusal(this.#options.node, outcome.error)
      this.#giveUp(now, wallNow, false)
    }
    return true
  }

  /** Whether nothing is due; then the next time begins afresh. */
  #settle(now: Millis, wallNow: WallMillis): boolean {
    const { notBefore, notAfter } = this.#certificate
    const isEarly = wallNow < notBefore - this.#options.params.clockToleranceMs
    if (isEarly || notAfter - wallNow < this.#dueLeftMs) return false
    this.#dueSince = undefined
    this.#tries = 0
    this.#nextTryAt = now
    this.#toldLeftMs = Number.POSITIVE_INFINITY
    return true
  }

  #try(now: Millis, wallNow: WallMillis): void {
    const { params, random } = this.#options
    // G-2: counted from the first try on and reset only when nothing is due, so a grant alone does not reset it.
    const backoffMs = Math.min(params.backoffMaxMs, params.backoffMinMs * 2 ** Math.min(this.#tries, 32))
    this.#nextTryAt = after(now, backoffMs * random.between(0.75, 1.25))
    this.#tries += 1
    if (this.#authorityOf === this.#certificate.org) {
      const id = this.#around.nextId()
      this.#phase = { kind: 'signing', id, until: after(now, params.answerTimeoutMs) }
      this.#around.emit({ kind: 'issue', request: { id, previous: this.#certificate } })
      return
    }
    const issuer = this.#nextIssuer()
    if (issuer === undefined) {
      this.#giveUp(now, wallNow, true)
    } else if (this.#around.isLinked(issuer)) {
      this.#ask(now, issuer)
    } else {
      this.#phase = { kind: 'reaching', issuer, until: after(now, params.reachTimeoutMs) }
      this.#around.emit({ kind: 'hold', peers: [issuer] })
    }
  }

  /** Everyone has a turn before anyone has a second one, so that one that never answers is not asked for ever. */
  #nextIssuer(): NodeId | undefined {
    let open = [...this.#issuers].filter((node) => !this.#tried.has(node))
    if (open.length === 0) {
      this.#tried.clear()
      open = [...this.#issuers]
    }
    if (open.length === 0) return undefined
    const linked = open.filter((node) => this.#around.isLinked(node))
    const issuer = this.#options.random.pick(linked.length > 0 ? linked : open)
    this.#tried.add(issuer)
    return issuer
  }

  #ask(now: Millis, issuer: NodeId): void {
    const wasHeld = this.#phase.kind === 'reaching'
    this.#phase = { kind: 'asking', issuer, until: after(now, this.#options.params.answerTimeoutMs) }
    const message = { kind: 'renewal.request', body: { certificate: this.#bytes } } as const
    this.#around.emit({ kind: 'send', to: issuer, message })
    // The link is up and stays up for a while; the wish for it would outlive the answer.
    if (wasHeld) this.#around.emit({ kind: 'hold', peers: [] })
  }

  #giveUp(now: Millis, wallNow: WallMillis, unreachable: boolean): void {
    if (this.#phase.kind === 'reaching') this.#around.emit({ kind: 'hold', peers: [] })
    this.#phase = IDLE
    this.#unreachable = unreachable
    this.#tell(now, wallNow)
  }

  /** G-12. */
  #tell(now: Millis, wallNow: WallMillis): void {
    const leftMs = this.#certificate.notAfter - wallNow
    const patient = this.#dueSince === undefined || now < after(this.#dueSince, this.#options.params.patienceMs)
    if (patient || leftMs > this.#toldLeftMs / 2) return
    this.#toldLeftMs = leftMs
    const { org, notAfter: expiresAt } = this.#certificate
    const issuersCount = this.#issuers.size
    this.#around.emit({ kind: 'observe', observation: { kind: 'renewal-due', org, expiresAt, leftMs, issuersCount } })
  }

  #wake(now: Millis): void {
    if (this.#phase.kind !== 'idle' || !this.#unreachable) return
    this.#unreachable = false
    const soon = after(now, this.#options.random.float() * this.#options.params.wakeSpreadMs)
    if (soon < this.#nextTryAt) this.#nextTryAt = soon
  }

  #take(now: Millis, wallNow: WallMillis, from: NodeId, bytes: Uint8Array): void {
    const judged = this.#judge(wallNow, bytes)
    if (!judged.ok) {
      this.#observeRefusal(from, judged.error.reason)
      if (judged.error.forged && from !== this.#options.node) {
        const { reason } = judged.error
        this.#around.emit({ kind: 'penalise', peer: from, points: FORGED_POINTS, reason: `renewal: ${reason}` })
      }
      this.#giveUp(now, wallNow, false)
      return
    }
    this.#phase = IDLE
    this.#unreachable = false
    this.#certificate = judged.value
    // Out of the frame, which the next message overwrites.
    this.#bytes = bytes.slice()
    this.#dueLeftMs = this.#drawDueLeft(judged.value)
    this.#settle(now, wallNow)
    this.#around.emit({ kind: 'certified', certificate: this.#bytes })
    const { epoch, notAfter: expiresAt } = judged.value
    this.#around.emit({ kind: 'observe', observation: { kind: 'renewed', by: from, epoch, expiresAt } })
  }

  /** G-4, G-5. `forged`: no correct issuer sends it, however its clock runs. */
  #judge(wallNow: WallMillis, bytes: Uint8Array): Result<Certificate, { reason: string; forged: boolean }> {
    const held = this.#certificate
    const verified = this.#options.verifier.certificate(bytes)
    if (!verified.ok) {
      const forged = verified.error === 'CERTIFICATE_INVALID'
      const reason = forged
        ? 'no authority of this swarm has signed it'
        : 'the key that signed it does not speak for this organisation, as far as this node knows'
      return err({ reason, forged })
    }
    const granted = verified.value
    if (granted.node !== held.node) return err({ reason: 'it is for another node', forged: true })
    if (granted.org !== held.org) return err({ reason: 'it is of another organisation', forged: true })
    // Not forged: the answer to an earlier question, delivered twice or late.
    if (granted.epoch <= held.epoch) return err({ reason: 'it is not newer than what this node has', forged: false })
    const { clockToleranceMs, dueShareMax } = this.#options.params
    if (granted.notBefore > wallNow + clockToleranceMs) {
      return err({ reason: 'it starts only later: compare the clocks of both hosts', forged: false })
    }
    const fresh = granted.notAfter - wallNow >= (granted.notAfter - granted.notBefore) * dueShareMax
    if (granted.notAfter <= held.notAfter && !fresh) {
      return err({ reason: 'it ends before what this node has: compare the clocks of both hosts', forged: false })
    }
    return ok(granted)
  }

  #observeRefusal(by: NodeId, reason: string): void {
    const { node } = this.#options
    this.#around.emit({ kind: 'observe', observation: { kind: 'renewal-refused', by, node, reason } })
  }

  #drawDueLeft(certificate: Certificate): number {
    const { dueShareMin, dueShareMax } = this.#options.params
    return (certificate.notAfter - certificate.notBefore) * this.#options.random.between(dueShareMin, dueShareMax)
  }
}
