import {
  type Certificate,
  createSigner,
  createVerifier,
  type Founding,
  foundingAuthorities,
  foundSwarm,
  issueCertificate,
  issueTicket,
  KeyPair,
  type MemberParty,
  type Ticket,
  type TicketTerms,
} from '../../src/identity/index.ts'
import type { NodeId, OrgId, Result, SwarmId, WallMillis } from '../../src/kernel/index.ts'

/** Fixed keys: tests say the same thing every time. */
export function keyPair(number: number): KeyPair {
  return KeyPair.fromSeed(new Uint8Array(32).fill(number))
}

export const NOW = 1_700_000_000_000 as WallMillis
export const DAY_MS = 86_400_000
export const ACME = 'acme' as OrgId
export const GLOBEX = 'globex' as OrgId
export const acmeAuthority = keyPair(1)
export const globexAuthority = keyPair(2)
export const stranger = keyPair(9)

export function at(offsetMs: number): WallMillis {
  return (NOW + offsetMs) as WallMillis
}

export function value<T, E>(result: Result<T, E>): T {
  if (!result.ok) throw new Error(`expected a value, got ${JSON.stringify(result.error)}`)
  return result.value
}

/** The code of a result that must be a refusal. */
export function codeOf(result: Result<unknown, { readonly code: string; readonly message: string }>): string {
  if (result.ok) throw new Error('expected a refusal')
  if (result.error.message.length < 20) throw new Error('a refusal says what to do next (A-12)')
  return result.error.code
}

export function founding(
  name = 'orchard',
  parameters: Readonly<Record<string, string>> = { fullMeshMax: '32' },
): Founding {
  return value(
    foundSwarm(
      {
        name,
        createdAt: NOW,
        nonce: new Uint8Array(16).fill(7),
        organisations: [
          { name: ACME, authorities: [acmeAuthority.node], validatorSeatsMax: 4 },
          { name: GLOBEX, authorities: [globexAuthority.node], validatorSeatsMax: 4 },
        ],
        validators: [{ node: keyPair(90).node, org: ACME }],
        parameters,
      },
      acmeAuthority,
    ),
  )
}

export function certificateFields(node: NodeId, swarm: SwarmId, changes: Partial<Certificate> = {}): Certificate {
  return {
    swarm,
    node,
    org: ACME,
    roles: ['worker', 'custodian'],
    labels: { rack: 'r1' },
    epoch: NOW,
    notBefore: NOW,
    notAfter: at(30 * DAY_MS),
    ...changes,
  }
}

export function certificateFor(
  node: NodeId,
  founded: Founding,
  changes: Partial<Certificate> = {},
  authority: KeyPair = acmeAuthority,
): Uint8Array {
  return issueCertificate(createSigner(authority, founded.swarm), certificateFields(node, founded.swarm, changes))
}

export function ticketTerms(issuer: NodeId, swarm: SwarmId, changes: Partial<TicketTerms> = {}): TicketTerms {
  return {
    swarm,
    issuer,
    addresses: ['/ip4/192.0.2.7/tcp/4001'],
    org: ACME,
    roles: ['worker'],
    labels: {},
    id: '000102030405060708090a0b0c0d0e0f',
    issuedAt: NOW,
    notAfter: at(DAY_MS),
    usesMax: 1,
    certificateTtlMs: 30 * DAY_MS,
    ...changes,
  }
}

export function ticketFor(
  issuer: NodeId,
  founded: Founding,
  changes: Partial<TicketTerms> = {},
  authority: KeyPair = acmeAuthority,
): Ticket {
  return value(issueTicket(createSigner(authority, founded.swarm), ticketTerms(issuer, founded.swarm, changes)))
}

/** A member of the swarm that holds acme's authority key. */
export function member(keys: KeyPair, founded: Founding, changes: Partial<MemberParty> = {}): MemberParty {
  return {
    kind: 'member',
    node: keys.node,
    founding: founded,
    verifier: createVerifier(founded),
    known: foundingAuthorities(founded.genesis),
    certificate: certificateFor(keys.node, founded),
    isRevoked: () => false,
    authorities: new Set([acmeAuthority.node]),
    ...changes,
  }
}
