import { CLAIMS_BODIES } from '../claims/index.ts'
import { CONSENSUS_BODIES } from '../consensus/index.ts'
import { DIRECTORY_BODIES } from '../directory/index.ts'
import { ok, type Result } from '../kernel/index.ts'
import { MEMBERSHIP_BODIES } from '../membership/index.ts'
import { RENEWAL_BODIES } from '../renewal/index.ts'
import { decode, encode, type MessageKind, type Shape, type Value } from '../wire/index.ts'

/** The body of every message kind. W-4: a kind without a body, or a body without a kind, does not compile. */
export const BODIES = {
  ...MEMBERSHIP_BODIES,
  ...DIRECTORY_BODIES,
  ...RENEWAL_BODIES,
  ...CLAIMS_BODIES,
  ...CONSENSUS_BODIES,
} as const satisfies {
  readonly [K in MessageKind]: Shape<never> | Shape<unknown>
}
type Bodies = typeof BODIES

/** A decoded message of any protocol. */
export type Message = {
  readonly [K in keyof Bodies]: { readonly kind: K; readonly body: Value<Bodies[K]> }
}[keyof Bodies]

export function encodeBody(message: Message): Uint8Array {
  return encode(BODIES[message.kind] as Shape<unknown>, message.body)
}

/** Total (W-2): hostile bytes give a reason. */
export function decodeBody(kind: MessageKind, bytes: Uint8Array): Result<Message> {
  const body = decode(BODIES[kind] as Shape<unknown>, bytes)
  return body.ok ? ok({ kind, body: body.value } as Message) : body
}
