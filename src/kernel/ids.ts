import type { Brand } from './brand.ts'

/** A node's identity: the text form of its libp2p PeerId (Ed25519). */
export type NodeId = Brand<string, 'NodeId'>

/** A swarm's identity: lower-case hex of the SHA-256 of its genesis. */
export type SwarmId = Brand<string, 'SwarmId'>

/** An organisation's name, as the genesis or the council lists it. */
export type OrgId = Brand<string, 'OrgId'>

/** A node's own counter of statements about itself; only the subject's key can raise it (M-1). */
export type Incarnation = Brand<number, 'Incarnation'>

const NODE_ID_CHARACTERS_MAX = 64

/** Whether a text has the form of a node id: 1 to 64 letters and digits (base58 of a PeerId; simulated nodes have short ones). */
export function isNodeId(text: string): text is NodeId {
  const { length } = text
  if (length === 0 || length > NODE_ID_CHARACTERS_MAX) return false
  for (let i = 0; i < length; i++) if (!isAlphanumeric(text.charCodeAt(i))) return false
  return true
}

/** Asked for every name that is written or read: a pattern would take several times as long. */
function isAlphanumeric(code: number): boolean {
  const lower = code | 0x20
  return (lower >= 0x61 && lower <= 0x7a) || (code >= 0x30 && code <= 0x39)
}
