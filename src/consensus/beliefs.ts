import { highestTip } from './certificates.ts'
import type { SkipCertificate, TipCertificate, View } from './types.ts'

/** What a certificate says, without who says it: a digest, or the tip of a skip. */
interface Belief {
  readonly kind: 'prepare' | 'commit' | 'skip'
  readonly says: string | number
}

/** What is believed of one epoch's views, so that a certificate shown again is not verified again (B-22). */
export class Beliefs {
  readonly #views = new Map<View, Belief[]>()
  readonly #viewsMax: number

  constructor(viewsMax: number) {
    this.#viewsMax = viewsMax
  }

  /** Whether this was found good before, or another that proves the same. */
  holds(certificate: TipCertificate | SkipCertificate): boolean {
    return this.has(certificate.view, certificate.kind, saying(certificate))
  }

  has(view: View, kind: Belief['kind'], says: Belief['says']): boolean {
    const beliefs = this.#views.get(view)
    if (beliefs === undefined) return false
    for (const belief of beliefs) if (belief.kind === kind && belief.says === says) return true
    return false
  }

  take(certificate: TipCertificate | SkipCertificate): void {
    this.add(certificate.view, certificate.kind, saying(certificate))
  }

  add(view: View, kind: Belief['kind'], says: Belief['says']): void {
    if (this.has(view, kind, says)) return
    const beliefs = this.#views.get(view)
    if (beliefs === undefined) this.#views.set(view, [{ kind, says }])
    else beliefs.push({ kind, says })
  }

  /** Forgets views below, once there are too many. */
  prune(below: View): void {
    if (this.#views.size <= this.#viewsMax) return
    for (const view of this.#views.keys()) if (view < below) this.#views.delete(view)
  }
}

function saying(certificate: TipCertificate | SkipCertificate): string | number {
  return certificate.kind === 'skip' ? highestTip(certificate) : certificate.digest
}
