import type { Signer } from '../identity/types.ts'
import type { Incarnation, NodeId } from '../kernel/index.ts'
import { encode } from '../wire/index.ts'
import { type MemberEntry, type MembershipRecord, presenceBody } from './messages.ts'
import type { MemberFacts, MemberState } from './types.ts'

/** This node's own word about itself. The only place where incarnations are made (M-1, M-8). */
export class OwnPresence {
  readonly node: NodeId
  readonly #signer: Signer
  readonly #reserved: number
  #facts: MemberFacts
  #certificate: Uint8Array
  #incarnation: number
  #ceiling: number
  #entry: MemberEntry
  #status: Extract<MemberState, 'alive' | 'left'> = 'alive'

  /** Begins above every incarnation that an earlier run may have published: they are all below its `ceiling`. */
  constructor(options: {
    readonly signer: Signer
    readonly certificate: Uint8Array
    readonly facts: MemberFacts
    readonly ceiling: Incarnation | undefined
    readonly reserved: number
  }) {
    this.node = options.signer.node
    this.#signer = options.signer
    this.#reserved = options.reserved
    this.#facts = options.facts
    this.#certificate = options.certificate
    this.#incarnation = (options.ceiling ?? 0) + 1
    this.#ceiling = options.ceiling ?? 0
    this.#entry = this.#sign()
  }

  get incarnation(): Incarnation {
    return this.#incarnation as Incarnation
  }

  get entry(): MemberEntry {
    return this.#entry
  }

  /** What has to be durable before {@link entry} is shown to anyone; undefined when it already is. */
  reserve(): MembershipRecord | undefined {
    if (this.#incarnation <= this.#ceiling) return undefined
    this.#ceiling = this.#incarnation + this.#reserved
    return { kind: 'incarnation', ceiling: this.#ceiling as Incarnation }
  }

  /** The next incarnation, above `known` too. Call {@link reserve} before showing it. */
  raise(known: number = this.#incarnation): void {
    this.#incarnation = Math.max(this.#incarnation, known) + 1
    this.#entry = this.#sign()
  }

  /** True when this is another word, which then has a new incarnation. */
  setFacts(facts: MemberFacts): boolean {
    if (this.#says(facts)) return false
    this.#facts = facts
    this.raise()
    return true
  }

  setCertificate(certificate: Uint8Array): void {
    this.#certificate = certificate
    this.raise()
  }

  leave(): void {
    this.#status = 'left'
    this.raise()
  }

  #says(facts: MemberFacts): boolean {
    const before = this.#body(this.#facts)
    const after = this.#body(facts)
    return before.length === after.length && before.every((byte, i) => byte === after[i])
  }

  #body(facts: MemberFacts): Uint8Array {
    return encode(presenceBody, { ...facts, incarnation: this.incarnation, status: this.#status })
  }

  #sign(): MemberEntry {
    return { presence: this.#signer.sign('presence', this.#body(this.#facts)), certificate: this.#certificate }
  }
}
