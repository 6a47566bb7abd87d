import type { Brand } from './brand.ts'

/** A node's identity: the text form of its libp2p PeerId (Ed25519). */
export type NodeId = Brand<string, 'NodeId'>

/** A swarm's identity: lower-case hex of the SHA-256 of its genesis. */
export type SwarmId = Brand<string, 'SwarmId'>

/** An organisation's name, as the genesis or the council lists it. */
export type OrgId = Brand<string, 'OrgId'>

/** A node's own counter of statements about itself; only the subject's key can raise it (M-1). */
export type Incarnation = Brand<number, 'Incarnation'>

const NODE_ID = /^[A-Za-z0-9]{1,64}$/

/** Whether a text has the form of a node id (base58 of a PeerId; simulated nodes have short ones). */
export function isNodeId(text: string): text is NodeId {
  return NODE_ID.test(text)
}
