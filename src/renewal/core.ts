import type { Certificate } from '../identity/types.ts'
import { BoundedMap, type Millis, type NodeId, type Result, type Tick, type WallMillis } from '../kernel/index.ts'
import type { PeerCredentials } from '../wire/index.ts'
import { Applicant } from './applicant.ts'
import { FORGED_POINTS, Issuer } from './issuer.ts'
import type { Refused, RenewalMessage } from './messages.ts'
import { checkRenewalParams } from './params.ts'
import type { RenewalCore, RenewalEffect, RenewalInput, RenewalMember, RenewalOptions } from './types.ts'

/** The newest certificate that a member has shown. */
interface Shown {
  readonly epoch: number
  readonly expiresAt: WallMillis
}

/** Keeps this node's certificate from ending, and those of others when it can. Clauses G-1 to G-13 in ./README.md. */
export class Renewal implements RenewalCore {
  readonly #options: RenewalOptions
  readonly #applicant: Applicant
  readonly #issuer: Issuer
  /** When the certificate of each linked peer ends, as far as its connection knows. */
  readonly #links = new Map<NodeId, WallMillis>()
  readonly #shown: BoundedMap<NodeId, Shown>
  readonly #revoked: BoundedMap<NodeId, true>
  #clock: { readonly at: Millis; readonly wallNow: WallMillis } | undefined
  #lastId = 0
  #effects: RenewalEffect[] = []

  constructor(options: RenewalOptions) {
    checkRenewalParams(options.params)
    const { verifier, params, issuer: org } = options
    this.#options = options
    this.#applicant = new Applicant(options, {
      isLinked: (node) => this.#links.has(node),
      nextId: () => this.#nextId(),
      emit: (effect) => this.#emit(effect),
    })
    this.#issuer = new Issuer({ verifier, params }, org)
    this.#shown = new BoundedMap(params.membersMax)
    this.#revoked = new BoundedMap(params.membersMax)
  }

  get certificate(): Certificate {
    return this.#applicant.certificate
  }

  deadline(): Millis {
    return this.#applicant.deadline
  }

  step(now: Millis, input: RenewalInput | Tick): readonly RenewalEffect[] {
    if (input.kind === 'clock') this.#clock = { at: now, wallNow: input.wallNow }
    this.#handle(now, input)
    const wallNow = this.#wallAt(now)
    if (wallNow !== undefined && (input.kind === 'clock' || now >= this.deadline())) this.#applicant.look(now, wallNow)
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(now: Millis, input: RenewalInput | Tick): void {
    switch (input.kind) {
      case 'tick':
      case 'clock':
        break
      case 'link-up':
        this.#linkUp(now, input.peer)
        break
      case 'link-down':
        this.#links.delete(input.peer)
        this.#withTime(now, (wallNow) => this.#applicant.linkDown(now, wallNow, input.peer))
        break
      case 'member-up':
        this.#memberUp(now, input.member)
        break
      case 'member-down':
        this.#applicant.setIssuer(now, input.node, false)
        break
      case 'revoke':
        this.#revoked.set(input.node, true)
        break
      case 'issues-for':
        this.#issuer.org = input.org
        this.#applicant.issuesFor(now, input.org)
        break
      case 'message':
        this.#hear(now, input.from, input.message)
        break
      case 'issued':
        this.#issued(now, input.id, input.outcome)
    }
  }

  #linkUp(now: Millis, { node, certificateExpiresAt }: PeerCredentials): void {
    this.#links.set(node, certificateExpiresAt)
    this.#extend(node)
    this.#applicant.linkUp(now, node)
  }

  #memberUp(now: Millis, member: RenewalMember): void {
    const { node, epoch, certificateExpiresAt: expiresAt, issuesFor } = member
    if (node === this.#options.node) return
    const shown = this.#shown.get(node)
    if (shown === undefined || shown.epoch <= epoch) this.#shown.set(node, { epoch, expiresAt })
    this.#extend(node)
    this.#applicant.setIssuer(now, node, issuesFor === this.certificate.org)
  }

  /** G-11. */
  #extend(node: NodeId): void {
    const until = this.#links.get(node)
    const shown = this.#shown.get(node)
    if (until === undefined || shown === undefined || shown.expiresAt <= until) return
    this.#links.set(node, shown.expiresAt)
    this.#emit({ kind: 'peer-renewed', peer: node, certificateExpiresAt: shown.expiresAt })
  }

  #hear(now: Millis, from: NodeId, message: RenewalMessage): void {
    // Its link has just gone down: whatever this was, it can no longer be answered.
    if (!this.#links.has(from)) return
    switch (message.kind) {
      case 'renewal.request':
        this.#request(now, from, message.body.certificate)
        break
      case 'renewal.granted':
        this.#withTime(now, (wallNow) => this.#applicant.granted(now, wallNow, from, message.body.certificate))
        break
      case 'renewal.refused':
        this.#withTime(now, (wallNow) => this.#applicant.refused(now, wallNow, from, message.body.reason))
    }
  }

  #request(now: Millis, from: NodeId, certificate: Uint8Array): void {
    const asking = { node: from, epoch: this.#shown.get(from)?.epoch, revoked: this.#revoked.has(from) }
    const judged = this.#issuer.judge(now, this.#wallAt(now), asking, certificate)
    if (!judged.ok) {
      if (judged.error === 'not-valid') {
        const reason = 'renewal: a certificate that is not its own'
        this.#emit({ kind: 'penalise', peer: from, points: FORGED_POINTS, reason })
      }
      this.#refuse(from, judged.error)
      return
    }
    const id = this.#nextId()
    this.#issuer.begin(id, from)
    this.#emit({ kind: 'issue', request: { id, previous: judged.value } })
  }

  #issued(now: Millis, id: number, outcome: Result<Uint8Array>): void {
    let own = false
    this.#withTime(now, (wallNow) => {
      own = this.#applicant.issued(now, wallNow, id, outcome)
    })
    if (own) return
    const node = this.#issuer.finish(id)
    // Its own, given up in the meantime.
    if (node === undefined) return
    if (!outcome.ok) {
      this.#refuse(node, 'failed', outcome.error)
      return
    }
    this.#emit({ kind: 'send', to: node, message: { kind: 'renewal.granted', body: { certificate: outcome.value } } })
    this.#emit({ kind: 'observe', observation: { kind: 'renewal-granted', node } })
  }

  #refuse(node: NodeId, reason: Refused, why: string = reason): void {
    this.#emit({ kind: 'send', to: node, message: { kind: 'renewal.refused', body: { reason } } })
    // Passes by itself, and who asks decides how often it happens.
    if (reason === 'too-often' || reason === 'busy') return
    const by = this.#options.node
    this.#emit({ kind: 'observe', observation: { kind: 'renewal-refused', by, node, reason: why } })
  }

  /** G-13: as of the last clock input, and the monotonic time since. */
  #wallAt(now: Millis): WallMillis | undefined {
    return this.#clock === undefined ? undefined : ((this.#clock.wallNow + now - this.#clock.at) as WallMillis)
  }

  #withTime(now: Millis, run: (wallNow: WallMillis) => void): void {
    const wallNow = this.#wallAt(now)
    // Before the first clock input nothing was asked, so there is nothing to answer.
    if (wallNow !== undefined) run(wallNow)
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }

  #emit(effect: RenewalEffect): void {
    this.#effects.push(effect)
  }
}
