import { readFileSync } from 'node:fs'
import { isDeepStrictEqual } from 'node:util'
import {
  createSigner,
  DOMAINS,
  foundSwarm,
  Handshake,
  issueCertificate,
  issueTicket,
  KeyPair,
  ticketText,
} from '../../src/identity/index.ts'
import { assert, type OrgId, type WallMillis } from '../../src/kernel/index.ts'
import { decode, encode } from '../../src/wire/index.ts'
import { samplesOf } from '../fuzz/arbitrary.ts'
import type { NamedShape } from '../fuzz/shapes.ts'

export const VECTORS_FILE = new URL('./wire.json', import.meta.url)

export interface Vector {
  readonly hex: string
  readonly value: unknown
}

export interface Vectors {
  readonly shapes: Readonly<Record<string, readonly Vector[]>>
  /** Name to hex or text. */
  readonly signed: Readonly<Record<string, string>>
}

const PER_SHAPE_COUNT = 4
const SAMPLE_SEED = 2026

export function readVectors(): Vectors {
  return JSON.parse(readFileSync(VECTORS_FILE, 'utf8'))
}

/** Why a vector does not hold; undefined when it does (V-1). */
export function faultOf(shape: NamedShape['shape'], vector: Vector): string | undefined {
  const bytes = new Uint8Array(Buffer.from(vector.hex, 'hex'))
  const decoded = decode(shape, bytes)
  if (!decoded.ok) return `it no longer decodes: ${decoded.error}`
  if (!isDeepStrictEqual(plain(decoded.value), vector.value)) return 'it decodes to another value'
  return hexOf(encode(shape, decoded.value)) === vector.hex ? undefined : 'it re-encodes to other bytes'
}

/** Everything that is not as the vectors say, in words. */
export function faultsOf(vectors: Vectors, shapes: readonly NamedShape[]): readonly string[] {
  const names = new Set(shapes.map(({ name }) => name))
  const signed = signedThings()
  return [
    ...shapes
      .filter(({ name }) => (vectors.shapes[name] ?? []).length === 0)
      .map(({ name }) => `${name} has no vector`),
    ...Object.keys(vectors.shapes).flatMap((name) => (names.has(name) ? [] : [`${name} has vectors but is gone`])),
    ...shapes.flatMap(({ name, shape }) =>
      (vectors.shapes[name] ?? []).flatMap((vector, i) => {
        const fault = faultOf(shape, vector)
        return fault === undefined ? [] : [`vector ${i} of ${name}: ${fault}`]
      }),
    ),
    ...[...new Set([...Object.keys(signed), ...Object.keys(vectors.signed)])]
      .filter((name) => signed[name] !== vectors.signed[name])
      .map((name) => `the signed ${name} is not what it was`),
  ]
}

/** V-3: what the file should hold. */
export function renewed(old: Vectors | undefined, shapes: readonly NamedShape[], replace: boolean): Vectors {
  const renew = ({ name, shape }: NamedShape): readonly Vector[] => {
    const held = (old?.shapes[name] ?? []).filter((vector) => !replace || faultOf(shape, vector) === undefined)
    return held.length > 0
      ? held
      : samplesOf(shape, PER_SHAPE_COUNT, SAMPLE_SEED).map((bytes) => vectorOf(shape, bytes))
  }
  const signed = signedThings()
  return {
    shapes: Object.fromEntries(shapes.map((named) => [named.name, renew(named)])),
    signed: replace ? signed : { ...signed, ...pick(old?.signed ?? {}, Object.keys(signed)) },
  }
}

function vectorOf(shape: NamedShape['shape'], bytes: Uint8Array): Vector {
  const decoded = decode(shape, bytes)
  assert(decoded.ok, 'a sample decodes')
  return { hex: hexOf(bytes), value: plain(decoded.value) }
}

/** V-2: one of everything that is signed, from fixed keys. */
function signedThings(): Readonly<Record<string, string>> {
  const [authority, node] = [1, 2].map((n) => KeyPair.fromSeed(new Uint8Array(32).fill(n)))
  assert(authority && node, 'two keys')
  const now = 1_700_000_000_000 as WallMillis
  const later = (now + 86_400_000) as WallMillis
  const org = 'acme' as OrgId
  const organisations = [{ name: org, authorities: [authority.node], validatorSeatsMax: 1 }]
  const validators = [{ node: node.node, org }]
  const nonce = new Uint8Array(16)
  const genesis = { name: 'vectors', createdAt: now, nonce, organisations, validators, parameters: { a: '1' } }
  const founding = foundSwarm(genesis, authority)
  assert(founding.ok, 'the swarm is founded')
  const { swarm } = founding.value
  const signer = createSigner(authority, swarm)
  const shared = { swarm, org, roles: ['worker', 'validator'], labels: { rack: 'r1' } } as const
  const certificate = issueCertificate(signer, {
    ...shared,
    node: node.node,
    epoch: now,
    notBefore: now,
    notAfter: later,
  })
  const ticket = issueTicket(signer, {
    ...shared,
    issuer: authority.node,
    addresses: ['/ip4/192.0.2.7/tcp/4001'],
    id: '0f'.repeat(16),
    issuedAt: now,
    notAfter: later,
    usesMax: 3,
    certificateTtlMs: 1000,
  })
  assert(ticket.ok, 'the ticket is made')
  const newcomer = { kind: 'newcomer', node: node.node, ticket: ticket.value } as const
  const options = { role: 'initiator', self: newcomer, remote: authority.node, wallNow: now } as const
  return {
    genesis: hexOf(founding.value.bytes),
    swarm,
    clusterHash: hexOf(founding.value.clusterHash),
    certificate: hexOf(certificate),
    ticket: ticketText(ticket.value),
    'handshake.hello': hexOf(new Handshake(options).start().send[0] ?? new Uint8Array(0)),
    ...Object.fromEntries(
      DOMAINS.map((domain) => [`signature.${domain}`, hexOf(signer.sign(domain, Uint8Array.of(1)).signature)]),
    ),
  }
}

/** A value as JSON can hold it. */
function plain(value: unknown): unknown {
  if (value === undefined) return { $absent: true }
  if (Object.is(value, -0)) return { $number: '-0' }
  if (value instanceof Uint8Array) return { $hex: hexOf(value) }
  if (Array.isArray(value)) return value.map(plain)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, plain(inner)]))
}

function pick(record: Readonly<Record<string, string>>, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(Object.entries(record).filter(([name]) => names.includes(name)))
}

function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')
}
