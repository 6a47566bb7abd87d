export { type Authorities, AuthorityBook, foundingAuthorities, type Sponsor, sponsored } from './authorities.ts'
export {
  certificateBodyShape,
  certificateShape,
  checkCertificateAt,
  decodeCertificate,
  issueCertificate,
  nextEpoch,
  type UnverifiedCertificate,
} from './certificate.ts'
export {
  clusterHashOf,
  decodeGenesis,
  type Founding,
  type FoundingValidator,
  foundSwarm,
  type Genesis,
  genesisBodyShape,
  genesisShape,
  type Organisation,
  swarmIdOf,
} from './genesis.ts'
export {
  type Granted,
  Handshake,
  type HandshakeOptions,
  type HandshakeOutcome,
  type HandshakeStep,
} from './handshake.ts'
export {
  type Contact,
  type HandshakeFrame,
  handshakeFrameShape,
  helloBodyShape,
  refuseFrame,
} from './handshake-frames.ts'
export { type Admission, certificateRefusal, type MemberParty, type NewcomerParty } from './judgement.ts'
export { KeyPair, newNonce, nodeIdOf, publicKeyOf, verifySignature } from './keys.ts'
export {
  CERTIFICATE_BYTES_MAX,
  CERTIFICATE_TTL_MS_MAX,
  CLOCK_TOLERANCE_MS,
  CONTACT_ADDRESSES_MAX,
  CONTACTS_MAX,
  GENESIS_BYTES_MAX,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_FRAMES_MAX,
  TICKET_ADDRESS_BYTES_MAX,
  TICKET_ADDRESSES_MAX,
  TICKET_TTL_MS_MAX,
  TICKET_USES_MAX,
} from './params.ts'
export { errorOf, type Refusal } from './refusal.ts'
export { createSealer } from './sealer.ts'
export { checkSignatures } from './self-check.ts'
export { createSigner, verifyStatement, verifyStatementLater } from './signer.ts'
export {
  checkTicketAt,
  decodeTicket,
  issueTicket,
  parseTicket,
  type Ticket,
  type TicketTerms,
  ticketText,
} from './ticket.ts'
export { TicketLedger, type TicketUse } from './ticket-ledger.ts'
export {
  type Certificate,
  type CertificateFault,
  DOMAINS,
  type Domain,
  ROLES,
  type Role,
  type Signer,
  type Verifier,
  type Vouched,
} from './types.ts'
export {
  certificateReader,
  createVerifier,
  faultOfAuthority,
  type StatementCheck,
  type VerifierOptions,
} from './verifier.ts'
