import type { Certificate, Verifier } from '../identity/types.ts'
import {
  BoundedMap,
  err,
  type Millis,
  type NodeId,
  type OrgId,
  ok,
  type Result,
  TokenBucket,
  type WallMillis,
} from '../kernel/index.ts'
import type { Refused } from './messages.ts'
import type { RenewalParams } from './params.ts'

/** Against a peer that shows a certificate that is none, or not its own: a correct one was let in with it. */
export const FORGED_POINTS = 20

export interface IssuerOptions {
  readonly verifier: Verifier
  readonly params: RenewalParams
}

/** What the core knows of a peer that asks. */
export interface Asking {
  readonly node: NodeId
  /** The epoch of the newest certificate that it has shown; undefined if it has shown none. */
  readonly epoch: number | undefined
  readonly revoked: boolean
}

/** Judges requests, and keeps those that are being signed. Clauses G-7 and G-9 in ./README.md. */
export class Issuer {
  readonly #options: IssuerOptions
  readonly #counted: BoundedMap<NodeId, TokenBucket>
  /** The organisation whose authority key this node holds, if any. */
  org: OrgId | undefined
  readonly #pending = new Map<number, NodeId>()

  constructor(options: IssuerOptions, org: OrgId | undefined) {
    this.#options = options
    this.org = org
    this.#counted = new BoundedMap(options.params.countedMax)
  }

  /** The certificate to be replaced, or why not. `wallNow` is undefined as long as this node does not know the time. */
  judge(now: Millis, wallNow: WallMillis | undefined, asking: Asking, shown: Uint8Array): Result<Certificate, Refused> {
    const { verifier, params } = this.#options
    const { org } = this
    // First, so that whatever else is wrong costs this node little, and its log less.
    if (!this.#count(now, asking.node)) return err('too-often')
    if (org === undefined) return err('not-an-issuer')
    const verified = verifier.certificate(shown)
    if (!verified.ok && verified.error === 'CERTIFICATE_REVOKED') return err('revoked')
    // What is known of keys is on its way here or there: whoever asks again later is answered by it.
    if (!verified.ok && verified.error !== 'CERTIFICATE_INVALID') return err('busy')
    if (!verified.ok || verified.value.node !== asking.node) return err('not-valid')
    const certificate = verified.value
    if (certificate.org !== org) return err('other-organisation')
    if (asking.revoked) return err('revoked')
    if (asking.epoch !== undefined && certificate.epoch < asking.epoch) return err('outdated')
    if (wallNow === undefined || this.#pending.size >= params.pendingMax) return err('busy')
    if (wallNow > certificate.notAfter + params.clockToleranceMs) return err('ended')
    return ok(certificate)
  }

  /** It is being signed. */
  begin(id: number, node: NodeId): void {
    this.#pending.set(id, node)
  }

  /** Who waits for the outcome. */
  finish(id: number): NodeId | undefined {
    const node = this.#pending.get(id)
    this.#pending.delete(id)
    return node
  }

  #count(now: Millis, node: NodeId): boolean {
    const { requestsPerSecond, requestsBurst } = this.#options.params
    const bucket = this.#counted.get(node) ?? new TokenBucket(requestsPerSecond, requestsBurst, now)
    this.#counted.set(node, bucket)
    return bucket.take(now)
  }
}
