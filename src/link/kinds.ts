import { assert } from '../kernel/index.ts'
import type { MessageKindRules } from '../wire/index.ts'
import { BODY_BYTES_MAX, MESSAGE_HEADER_BYTES_MAX } from './params.ts'

/** A kind of message with its rules, as a link looks it up. */
export interface LinkKind<K extends string> {
  readonly name: K
  readonly rules: MessageKindRules
  /** Whether it is numbered, kept until acknowledged and sent again. */
  readonly resumed: boolean
}

/** The kinds that travel over links, by name and by their number on the wire. Shared by all links of a node. */
export class LinkKinds<K extends string> {
  readonly #byName = new Map<K, LinkKind<K>>()
  readonly #byCode: (LinkKind<K> | undefined)[] = []

  constructor(table: Readonly<Record<K, MessageKindRules>>) {
    for (const name of Object.keys(table) as K[]) {
      const rules = table[name]
      if (rules.via !== 'link') continue
      const headerBytes = varintBytes(rules.code) + varintBytes(rules.bytesMax)
      assert(rules.bytesMax <= BODY_BYTES_MAX, 'a kind is too long for a link', { name, rules })
      assert(headerBytes <= MESSAGE_HEADER_BYTES_MAX, 'a kind has too high a number', { name, rules })
      const kind = { name, rules, resumed: rules.delivery === 'resumed' }
      this.#byName.set(name, kind)
      this.#byCode[rules.code] = kind
    }
  }

  /** @throws InvariantError for a kind that does not travel over links: a bug of ours. */
  named(name: K): LinkKind<K> {
    const kind = this.#byName.get(name)
    assert(kind !== undefined, 'not a kind of link message', { name })
    return kind
  }

  coded(code: number): LinkKind<K> | undefined {
    return this.#byCode[code]
  }
}

/** Length of a number below 2^21 as a varint. */
export function varintBytes(value: number): number {
  if (value < 0x80) return 1
  return value < 0x4000 ? 2 : 3
}
