import { inspect } from 'node:util'
import { generateKeyPairFromSeed } from '@libp2p/crypto/keys'
import { peerIdFromPublicKey } from '@libp2p/peer-id'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  createSigner,
  DOMAINS,
  KeyPair,
  nodeIdOf,
  publicKeyOf,
  verifySignature,
  verifyStatement,
} from '../../src/identity/index.ts'
import type { NodeId, SwarmId } from '../../src/kernel/index.ts'
import { keyPair } from './identity-fixtures.ts'

const seeds = fc.uint8Array({ minLength: 32, maxLength: 32 })

describe('keys', () => {
  it('A-1 names keys as libp2p does', async () => {
    for (const number of [0, 1, 255]) {
      const seed = new Uint8Array(32).fill(number)
      const theirs = await generateKeyPairFromSeed('Ed25519', seed)
      const ours = KeyPair.fromSeed(seed)
      expect(ours.node).toBe(peerIdFromPublicKey(theirs.publicKey).toString())
      expect(ours.publicKey).toEqual(theirs.publicKey.raw)
    }
  })

  it('A-1 reads the key back from its name, and from no other spelling', () => {
    fc.assert(
      fc.property(seeds, (seed) => {
        const { node, publicKey } = KeyPair.fromSeed(seed)
        expect(publicKeyOf(node)).toEqual(publicKey)
        expect(nodeIdOf(publicKey)).toBe(node)
        for (const other of [` ${node}`, `${node} `, `1${node}`, node.slice(0, -1), `${node}x`]) {
          expect(publicKeyOf(other as NodeId)).toBeUndefined()
        }
      }),
      { numRuns: 30 },
    )
  })

  it('A-1 takes nothing else for a name', () => {
    const rsa = 'QmYyQSo1c1Ym7orWxLYvCrM2EmxFTANf8wXmmE7DWjhx5N'
    for (const text of ['', '0', 'n1', rsa, '12D3KooW', 'l'.repeat(52), 'z'.repeat(10_000), '\u0000', 'é']) {
      expect(publicKeyOf(text as NodeId)).toBeUndefined()
      expect(verifySignature(text as NodeId, new Uint8Array(3), new Uint8Array(64))).toBe(false)
    }
  })

  it('signs as RFC 8032 does (7.1, test 2)', () => {
    const seed = Buffer.from('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb', 'hex')
    const pair = KeyPair.fromSeed(seed)
    expect(Buffer.from(pair.publicKey).toString('hex')).toBe(
      '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
    )
    expect(Buffer.from(pair.sign(Uint8Array.of(0x72))).toString('hex')).toBe(
      '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da' +
        '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
    )
  })

  it('shows nothing of its secret when printed', () => {
    const secret = keyPair(77)
    const seen = inspect(secret, { depth: 9, showHidden: true }) + JSON.stringify(secret)
    expect(seen).not.toContain('4d4d4d')
    expect(seen).not.toContain('77,77')
    expect(seen).not.toMatch(/77,\s+77/)
    expect(secret.exportSeed()).toEqual(new Uint8Array(32).fill(77))
  })

  it('makes a new pair each time', () => {
    expect(KeyPair.generate().node).not.toBe(KeyPair.generate().node)
  })
})

describe('statements', () => {
  const swarm = 'a'.repeat(64) as SwarmId
  const other = 'b'.repeat(64) as SwarmId

  it('A-2 verify for the domain and swarm they were made for, and for no other', () => {
    const signer = createSigner(keyPair(3), swarm)
    for (const made of DOMAINS) {
      const statement = signer.sign(made, Uint8Array.of(1, 2, 3))
      for (const asked of DOMAINS) expect(verifyStatement(asked, swarm, statement)).toBe(made === asked)
      expect(verifyStatement(made, other, statement)).toBe(made === 'genesis')
    }
  })

  it('A-2 verify only untouched', () => {
    const statement = createSigner(keyPair(3), swarm).sign('presence', new Uint8Array(40))
    fc.assert(
      fc.property(fc.nat(39), fc.nat(63), fc.integer({ min: 1, max: 255 }), (byteAt, signatureAt, flip) => {
        const bytes = statement.bytes.slice()
        bytes[byteAt] = flip
        const signature = statement.signature.slice()
        signature[signatureAt] = (signature[signatureAt] ?? 0) ^ flip
        expect(verifyStatement('presence', swarm, { ...statement, bytes })).toBe(false)
        expect(verifyStatement('presence', swarm, { ...statement, signature })).toBe(false)
      }),
      { numRuns: 50 },
    )
    expect(verifyStatement('presence', swarm, { ...statement, signer: keyPair(4).node })).toBe(false)
    expect(verifyStatement('presence', swarm, { ...statement, signature: new Uint8Array(0) })).toBe(false)
    expect(verifyStatement('presence', swarm, statement)).toBe(true)
  })
})
