import { createHash } from 'node:crypto'
import { assert, type NodeId, type OrgId, ok, type Result, type SwarmId, type WallMillis } from '../kernel/index.ts'
import {
  bytes,
  count,
  decode,
  dictionary,
  encode,
  fixedBytes,
  list,
  nodeId,
  record,
  statement,
  text,
} from '../wire/index.ts'
import { type KeyPair, NONCE_BYTES, publicKeyOf } from './keys.ts'
import { isName } from './names.ts'
import {
  AUTHORITIES_PER_ORGANISATION_MAX,
  FOUNDING_VALIDATORS_MAX,
  GENESIS_BYTES_MAX,
  NAME_BYTES_MAX,
  ORGANISATIONS_MAX,
  PARAMETER_NAME_BYTES_MAX,
  PARAMETER_VALUE_BYTES_MAX,
  PARAMETERS_MAX,
  VALIDATOR_SEATS_MAX,
} from './params.ts'
import { type Refusal, refusal } from './refusal.ts'
import { createSigner, verifyStatement } from './signer.ts'

/** An organisation as the genesis lists it. */
export interface Organisation {
  readonly name: OrgId
  /** Keys that may sign certificates and tickets of this organisation. */
  readonly authorities: readonly NodeId[]
  /** Most validators of this organisation in the council at a time. */
  readonly validatorSeatsMax: number
}

/** A member of the first council. */
export interface FoundingValidator {
  readonly node: NodeId
  readonly org: OrgId
}

/** What a swarm is founded on; never changes. */
export interface Genesis {
  readonly name: string
  readonly createdAt: WallMillis
  /** Sixteen random bytes, so that two swarms of one name and moment differ. */
  readonly nonce: Uint8Array
  readonly organisations: readonly Organisation[]
  /** The first council: whoever holds the genesis can check every decision since. */
  readonly validators: readonly FoundingValidator[]
  /** Cluster-wide parameters, as `src/config` names and spells them. */
  readonly parameters: Readonly<Record<string, string>>
}

/** A genesis with its exact bytes, its id, and the hash that peers compare at the handshake. */
export interface Founding {
  readonly swarm: SwarmId
  readonly bytes: Uint8Array
  readonly genesis: Genesis
  /** The organisation whose authority signed it. */
  readonly founder: OrgId
  readonly clusterHash: Uint8Array
}

const parametersShape = dictionary(PARAMETER_NAME_BYTES_MAX, text(PARAMETER_VALUE_BYTES_MAX), PARAMETERS_MAX)

export const genesisBodyShape = record({
  name: text(NAME_BYTES_MAX),
  createdAt: count<WallMillis>(),
  nonce: fixedBytes(NONCE_BYTES),
  organisations: list(
    record({
      name: text<OrgId>(NAME_BYTES_MAX),
      authorities: list(nodeId, AUTHORITIES_PER_ORGANISATION_MAX),
      validatorSeatsMax: count(VALIDATOR_SEATS_MAX),
    }),
    ORGANISATIONS_MAX,
  ),
  validators: list(record({ node: nodeId, org: text<OrgId>(NAME_BYTES_MAX) }), FOUNDING_VALIDATORS_MAX),
  parameters: parametersShape,
})

export const genesisShape = statement(GENESIS_BYTES_MAX)

/** What the shape of encoded genesis is inside other frames. */
export const genesisBytesShape = bytes(GENESIS_BYTES_MAX)

const NO_SWARM = '' as SwarmId

/** the swarm's name is the hash of its genesis. */
export function swarmIdOf(genesisBytes: Uint8Array): SwarmId {
  return createHash('sha256').update(genesisBytes).digest('hex') as SwarmId
}

/** SHA-256 of the cluster-wide parameters in their canonical encoding; peers with another one are refused. */
export function clusterHashOf(parameters: Readonly<Record<string, string>>): Uint8Array {
  return new Uint8Array(createHash('sha256').update(encode(parametersShape, parameters)).digest())
}

/** Founds a swarm: signs the genesis with one of the authority keys it lists. */
export function foundSwarm(genesis: Genesis, authority: KeyPair): Result<Founding, Refusal> {
  const fault = faultOfGenesis(genesis, authority.node)
  if (fault !== undefined) return refusal('BAD_CONFIGURATION', `this swarm cannot be founded: ${fault}`)
  const body = encode(genesisBodyShape, genesis)
  if (body.length + 192 > GENESIS_BYTES_MAX) {
    const limit = `${GENESIS_BYTES_MAX - 192} bytes`
    return refusal('TOO_LARGE', `the genesis takes ${body.length} of ${limit}: name fewer organisations or parameters`)
  }
  const signed = encode(genesisShape, createSigner(authority, NO_SWARM).sign('genesis', body))
  const founding = decodeGenesis(signed)
  assert(founding.ok, 'a genesis that was just signed decodes')
  return founding
}

/** Reads and verifies a genesis. The caller compares `swarm` with the id it expects. */
export function decodeGenesis(genesisBytes: Uint8Array): Result<Founding, Refusal> {
  const malformed = (why: string) =>
    refusal('WRONG_SWARM', `the genesis is not valid (${why}): fetch it from a member again`)
  if (genesisBytes.length > GENESIS_BYTES_MAX) return malformed(`longer than ${GENESIS_BYTES_MAX} bytes`)
  const signed = decode(genesisShape, genesisBytes)
  if (!signed.ok) return malformed(signed.error)
  const body = decode(genesisBodyShape, signed.value.bytes)
  if (!body.ok) return malformed(body.error)
  const fault = faultOfGenesis(body.value, signed.value.signer)
  if (fault !== undefined) return malformed(fault)
  if (!verifyStatement('genesis', NO_SWARM, signed.value)) return malformed('its signature is wrong')
  return ok({
    swarm: swarmIdOf(genesisBytes),
    bytes: genesisBytes.slice(),
    // The nonce is a view into the caller's buffer until here.
    genesis: { ...body.value, nonce: body.value.nonce.slice() },
    founder: organisationOf(body.value, signed.value.signer)?.name as OrgId,
    clusterHash: clusterHashOf(body.value.parameters),
  })
}

function faultOfGenesis(genesis: Genesis, signer: NodeId): string | undefined {
  if (!isName(genesis.name)) return 'the swarm has no proper name'
  const names = new Set<string>()
  const authorities = new Set<NodeId>()
  for (const organisation of genesis.organisations) {
    if (!isName(organisation.name)) return 'an organisation has no proper name'
    if (names.has(organisation.name)) return `organisation ${organisation.name} stands twice`
    names.add(organisation.name)
    if (organisation.authorities.length === 0) return `organisation ${organisation.name} has no authority key`
    for (const authority of organisation.authorities) {
      if (publicKeyOf(authority) === undefined) return `an authority of ${organisation.name} is not an Ed25519 key`
      if (authorities.has(authority)) return `authority ${authority} stands twice`
      authorities.add(authority)
    }
  }
  return faultOfValidators(genesis, authorities) ?? faultOfSigner(authorities, signer)
}

/** */
function faultOfValidators(genesis: Genesis, authorities: ReadonlySet<NodeId>): string | undefined {
  if (genesis.validators.length === 0) return 'it names no validator: nobody could ever decide anything'
  const nodes = new Set<NodeId>()
  const seats = new Map<OrgId, number>()
  for (const { node, org } of genesis.validators) {
    if (publicKeyOf(node) === undefined) return `the validator ${node} is not an Ed25519 key`
    if (authorities.has(node)) return `the validator ${node} is an authority: a node has a key of its own`
    if (nodes.has(node)) return `the validator ${node} stands twice`
    nodes.add(node)
    const organisation = genesis.organisations.find(({ name }) => name === org)
    if (organisation === undefined) return `the validator ${node} is of ${org}, which it does not list`
    const taken = (seats.get(org) ?? 0) + 1
    if (taken > organisation.validatorSeatsMax) return `${org} has more validators than seats`
    seats.set(org, taken)
  }
  return undefined
}

function faultOfSigner(authorities: ReadonlySet<NodeId>, signer: NodeId): string | undefined {
  return authorities.has(signer) ? undefined : 'it is not signed by an authority that it lists'
}

/** The organisation for which this key may speak, if any. A-3 makes it at most one. */
export function organisationOf(genesis: Genesis, authority: NodeId): Organisation | undefined {
  return genesis.organisations.find((organisation) => organisation.authorities.includes(authority))
}
