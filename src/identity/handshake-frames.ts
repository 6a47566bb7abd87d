import { ERROR_CODES, type ErrorCode, type Result, type SwarmId } from '../kernel/index.ts'
import {
  bytes,
  count,
  decode,
  encode,
  fixedBytes,
  list,
  nodeId,
  PROTOCOL_VERSION,
  PROTOCOL_VERSION_OLDEST,
  record,
  text,
  type Value,
  variant,
} from '../wire/index.ts'
import { SWARM_ID_BYTES } from './certificate.ts'
import { genesisBytesShape } from './genesis.ts'
import { fromHex, printable } from './names.ts'
import {
  CERTIFICATE_BYTES_MAX,
  CONTACT_ADDRESSES_MAX,
  CONTACTS_MAX,
  HANDSHAKE_FRAME_BYTES_MAX,
  REFUSAL_CODE_BYTES_MAX,
  REFUSAL_MESSAGE_BYTES_MAX,
  TICKET_ADDRESS_BYTES_MAX,
  TICKET_BYTES_MAX,
} from './params.ts'
import { type Refusal, refusal } from './refusal.ts'

const CLUSTER_HASH_BYTES = 32

/** What an initiator brings: a member its certificate, a newcomer its ticket. */
const credentialShape = variant({
  certificate: record({ bytes: bytes(CERTIFICATE_BYTES_MAX), clusterHash: fixedBytes(CLUSTER_HASH_BYTES) }),
  ticket: record({ bytes: bytes(TICKET_BYTES_MAX) }),
})

/** The part of a hello that only speakers of its version need to understand. */
export const helloBodyShape = record({ swarm: fixedBytes(SWARM_ID_BYTES), credential: credentialShape })

const welcomeBody = record({ bytes: bytes(CERTIFICATE_BYTES_MAX), clusterHash: fixedBytes(CLUSTER_HASH_BYTES) })

const contactShape = record({
  node: nodeId,
  addresses: list(text(TICKET_ADDRESS_BYTES_MAX), CONTACT_ADDRESSES_MAX),
})

/** A member that others may dial: a hint, which whoever sits there has to prove. */
export type Contact = Value<typeof contactShape>

/**
 * The frames of the handshake. `hello` up to its `body`, and `refuse`, stay as they are in all versions to come, so
 * that peers of any two versions can at least tell each other why they part.
 */
export const handshakeFrameShape = variant({
  hello: record({ newest: count(0xffff), oldest: count(0xffff), body: bytes(HANDSHAKE_FRAME_BYTES_MAX - 16) }),
  refuse: record({ code: text(REFUSAL_CODE_BYTES_MAX), message: text(REFUSAL_MESSAGE_BYTES_MAX) }),
  welcome: record({ version: count(0xffff), certificate: welcomeBody }),
  grant: record({
    version: count(0xffff),
    certificate: bytes(CERTIFICATE_BYTES_MAX),
    genesis: genesisBytesShape,
    granted: bytes(CERTIFICATE_BYTES_MAX),
    contacts: list(contactShape, CONTACTS_MAX),
  }),
  done: record({}),
})

export type HandshakeFrame = Value<typeof handshakeFrameShape>
export type Credential = Value<typeof credentialShape>
export type HelloFrame = Extract<HandshakeFrame, { kind: 'hello' }>
export type WelcomeFrame = Extract<HandshakeFrame, { kind: 'welcome' }>
export type GrantFrame = Extract<HandshakeFrame, { kind: 'grant' }>

export function encodeHandshakeFrame(frame: HandshakeFrame): Uint8Array {
  return encode(handshakeFrameShape, frame)
}

/** The initiator's first frame. */
export function encodeHello(swarm: SwarmId, credential: Credential): Uint8Array {
  const body = encode(helloBodyShape, { swarm: fromHex(swarm), credential })
  return encodeHandshakeFrame({ kind: 'hello', newest: PROTOCOL_VERSION, oldest: PROTOCOL_VERSION_OLDEST, body })
}

export function decodeHandshakeFrame(bytes: Uint8Array): Result<HandshakeFrame, Refusal> {
  if (bytes.length > HANDSHAKE_FRAME_BYTES_MAX) return malformedFrame(`longer than ${HANDSHAKE_FRAME_BYTES_MAX} bytes`)
  const frame = decode(handshakeFrameShape, bytes)
  return frame.ok ? frame : malformedFrame(frame.error)
}

export function malformedFrame(why: string): { readonly ok: false; readonly error: Refusal } {
  return refusal('HANDSHAKE_FAILED', `a frame of the handshake is malformed (${why}): bring both programs up to date`)
}

/** A refusal as a frame. Our own messages are ASCII and cut to fit. */
export function refuseFrame(refused: Refusal): Uint8Array {
  const message = refused.message.replace(/[^\x20-\x7e]/g, '?').slice(0, REFUSAL_MESSAGE_BYTES_MAX)
  return encodeHandshakeFrame({ kind: 'refuse', code: refused.code, message })
}

/** a peer's refusal, fit to be shown. A code that we do not know is one of a later version. */
export function refusalOfPeer(frame: { readonly code: string; readonly message: string }): Refusal {
  const message = printable(frame.message, REFUSAL_MESSAGE_BYTES_MAX)
  return { code: isErrorCode(frame.code) ? frame.code : 'HANDSHAKE_FAILED', message }
}

function isErrorCode(code: string): code is ErrorCode {
  return Object.hasOwn(ERROR_CODES, code)
}
