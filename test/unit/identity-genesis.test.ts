import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import {
  clusterHashOf,
  createSigner,
  decodeGenesis,
  type FoundingValidator,
  foundSwarm,
  GENESIS_BYTES_MAX,
  genesisBodyShape,
  genesisShape,
  type Organisation,
  swarmIdOf,
} from '../../src/identity/index.ts'
import type { NodeId, OrgId, SwarmId } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import {
  ACME,
  acmeAuthority,
  codeOf,
  founding,
  GLOBEX,
  globexAuthority,
  keyPair,
  stranger,
  value,
} from './identity-fixtures.ts'

const base = founding().genesis

function organisation(name: string, ...authorities: NodeId[]): Organisation {
  return { name: name as OrgId, authorities, validatorSeatsMax: 1 }
}

const validator = (number: number): FoundingValidator => ({ node: keyPair(number).node, org: ACME })

describe('genesis', () => {
  it('A-3 reads back as founded; its hash is the swarm id', () => {
    const founded = founding()
    const read = value(decodeGenesis(founded.bytes))
    expect(read).toEqual(founded)
    expect(read.swarm).toBe(createHash('sha256').update(founded.bytes).digest('hex'))
    expect(swarmIdOf(founded.bytes)).toBe(read.swarm)
  })

  it('A-3 two foundings differ by name, moment or nonce', () => {
    const ids = [
      base,
      { ...base, name: 'other' },
      { ...base, nonce: new Uint8Array(16) },
      { ...base, parameters: {} },
    ].map((genesis) => value(foundSwarm(genesis, acmeAuthority)).swarm)
    expect(new Set(ids).size).toBe(4)
  })

  it('A-3 keeps nothing of the buffer it was read from', () => {
    const buffer = founding().bytes.slice()
    const read = value(decodeGenesis(buffer))
    buffer.fill(0xff)
    expect(read).toEqual(founding())
  })

  it.each([
    ['an improper swarm name', { ...base, name: 'a\u001b[2J' }],
    ['an improper organisation name', { ...base, organisations: [organisation('a/b', acmeAuthority.node)] }],
    [
      'an organisation twice',
      { ...base, organisations: [organisation('a', acmeAuthority.node), organisation('a', globexAuthority.node)] },
    ],
    [
      'an authority of two organisations',
      { ...base, organisations: [organisation('a', acmeAuthority.node), organisation('b', acmeAuthority.node)] },
    ],
    ['an organisation without authority', { ...base, organisations: [...base.organisations, organisation('c')] }],
    [
      'an authority that is no key',
      { ...base, organisations: [...base.organisations, organisation('c', 'n1' as NodeId)] },
    ],
    ['no organisation', { ...base, organisations: [] }],
    ['no validator', { ...base, validators: [] }],
    ['a validator that is no key', { ...base, validators: [{ node: 'n1' as NodeId, org: ACME }] }],
    ['a validator that is an authority', { ...base, validators: [{ node: acmeAuthority.node, org: ACME }] }],
    ['a validator twice', { ...base, validators: [...base.validators, ...base.validators] }],
    ['a validator of no organisation', { ...base, validators: [{ node: keyPair(91).node, org: 'nobody' as OrgId }] }],
    ['more validators than seats', { ...base, validators: [91, 92, 93, 94, 95].map((i) => validator(i)) }],
  ])('A-3, A-13 refuses %s, founded here or elsewhere', (_what, genesis) => {
    expect(codeOf(foundSwarm(genesis, acmeAuthority))).toBe('BAD_CONFIGURATION')
    const signed = createSigner(acmeAuthority, '' as SwarmId).sign('genesis', encode(genesisBodyShape, genesis))
    expect(codeOf(decodeGenesis(encode(genesisShape, signed)))).toBe('WRONG_SWARM')
  })

  it('A-3 refuses a signature that is wrong or of a key it does not list', () => {
    expect(codeOf(foundSwarm(base, stranger))).toBe('BAD_CONFIGURATION')
    const body = encode(genesisBodyShape, base)
    const by = (signer = acmeAuthority, domain: 'genesis' | 'ticket' = 'genesis') =>
      encode(genesisShape, createSigner(signer, '' as SwarmId).sign(domain, body))
    expect(decodeGenesis(by()).ok).toBe(true)
    expect(decodeGenesis(by(globexAuthority)).ok).toBe(true)
    expect(decodeGenesis(by(stranger)).ok).toBe(false)
    expect(decodeGenesis(by(acmeAuthority, 'ticket')).ok).toBe(false)
  })

  it('refuses every truncation and every flipped bit', () => {
    const { bytes, swarm } = founding()
    for (let i = 0; i < bytes.length; i++) {
      expect(decodeGenesis(bytes.subarray(0, i)).ok).toBe(false)
      const flipped = bytes.slice()
      flipped[i] = (flipped[i] ?? 0) ^ (1 << (i % 8))
      const read = decodeGenesis(flipped)
      expect(read.ok && read.value.swarm === swarm).toBe(false)
    }
  })

  it('is refused when it would not fit into a frame', () => {
    const parameters = Object.fromEntries(Array.from({ length: 64 }, (_, i) => [`parameter-${i}`, 'x'.repeat(128)]))
    expect(codeOf(foundSwarm({ ...base, parameters }, acmeAuthority))).toBe('TOO_LARGE')
    expect(decodeGenesis(new Uint8Array(GENESIS_BYTES_MAX + 1)).ok).toBe(false)
  })

  it('hashes cluster-wide parameters whatever their order', () => {
    expect(clusterHashOf({ a: '1', b: '2' })).toEqual(clusterHashOf({ b: '2', a: '1' }))
    expect(clusterHashOf({ a: '1', b: '2' })).not.toEqual(clusterHashOf({ a: '1', b: '3' }))
    expect(clusterHashOf({ ab: '' })).not.toEqual(clusterHashOf({ a: 'b' }))
  })

  it('takes as many organisations as fit', () => {
    const many = Array.from({ length: 32 }, (_, i) => organisation(`org-${i}`, keyPair(20 + i).node))
    const founded = foundSwarm(
      { ...base, organisations: [...many, ...base.organisations].slice(2), parameters: {} },
      acmeAuthority,
    )
    expect(value(founded).genesis.organisations.map((o) => o.name)).toContain(ACME)
    expect(value(founded).genesis.organisations.map((o) => o.name)).toContain(GLOBEX)
  })
})
