import { describe, expect, it } from 'vitest'
import {
  CERTIFICATE_TTL_MS_MAX,
  createSigner,
  createVerifier,
  decodeRevocation,
  issueRevocation,
  type Revocation,
  RevocationSet,
} from '../../src/identity/index.ts'
import type { OrgId } from '../../src/kernel/index.ts'
import {
  ACME,
  acmeAuthority,
  at,
  founding,
  GLOBEX,
  globexAuthority,
  keyPair,
  NOW,
  stranger,
  value,
} from './identity-fixtures.ts'

const founded = founding()
const verifier = createVerifier(founded)

function revocation(changes: Partial<Revocation> = {}): Revocation {
  return { swarm: founded.swarm, org: ACME, node: keyPair(5).node, epoch: 100, at: NOW, reason: 'key lost', ...changes }
}

function read(bytes: Uint8Array) {
  return decodeRevocation(bytes, founded.genesis, founded.swarm, verifier)
}

describe('revocations', () => {
  it('A-9 read back as signed by the node’s organisation, and by nobody else', () => {
    const bytes = issueRevocation(createSigner(acmeAuthority, founded.swarm), revocation())
    expect(value(read(bytes))).toEqual(revocation())
    for (const signer of [globexAuthority, stranger, keyPair(5)]) {
      expect(read(issueRevocation(createSigner(signer, founded.swarm), revocation())).ok).toBe(false)
    }
    const ofGlobex = issueRevocation(createSigner(acmeAuthority, founded.swarm), revocation({ org: GLOBEX }))
    expect(read(ofGlobex).ok).toBe(false)
    const elsewhere = founding('other').swarm
    expect(read(issueRevocation(createSigner(acmeAuthority, elsewhere), revocation())).ok).toBe(false)
    const otherSwarm = issueRevocation(createSigner(acmeAuthority, founded.swarm), revocation({ swarm: elsewhere }))
    expect(read(otherSwarm).ok).toBe(false)
    for (let i = 0; i < bytes.length; i++) expect(read(bytes.subarray(0, i)).ok).toBe(false)
  })

  it('A-9 void what was made up to their epoch, and nothing later or elsewhere', () => {
    const set = new RevocationSet()
    expect(set.add(revocation())).toBe('news')
    const subject = { org: ACME, node: keyPair(5).node, epoch: 100 }
    expect(set.revocationOf(subject)?.reason).toBe('key lost')
    expect(set.revocationOf({ ...subject, epoch: 0 })).toBeDefined()
    expect(set.revocationOf({ ...subject, epoch: 101 })).toBeUndefined()
    expect(set.revocationOf({ ...subject, org: GLOBEX })).toBeUndefined()
    expect(set.revocationOf({ ...subject, node: keyPair(6).node })).toBeUndefined()
  })

  it('A-9 only grow stronger', () => {
    const set = new RevocationSet()
    set.add(revocation())
    expect(set.add(revocation({ epoch: 99 }))).toBe('known')
    expect(set.add(revocation())).toBe('known')
    expect(set.add(revocation({ epoch: 101 }))).toBe('news')
    expect(set.values().map(({ epoch }) => epoch)).toEqual([101])
  })

  it('A-9 are refused when their organisation has too many; others’ and known nodes’ still fit', () => {
    const set = new RevocationSet(2)
    for (const number of [5, 6]) expect(set.add(revocation({ node: keyPair(number).node }))).toBe('news')
    expect(set.add(revocation({ node: keyPair(7).node }))).toBe('full')
    expect(set.add(revocation({ epoch: 200 }))).toBe('news')
    expect(set.add(revocation({ org: GLOBEX, node: keyPair(7).node }))).toBe('news')
    expect(set.size).toBe(3)
    expect(set.revocationOf({ org: ACME, node: keyPair(6).node, epoch: 1 })).toBeDefined()
  })

  it('A-9 are forgotten only when nothing that they void can still be in force', () => {
    const set = new RevocationSet()
    set.add(revocation())
    set.add(revocation({ org: GLOBEX as OrgId, epoch: at(3_600_000) }))
    set.dropExpired(at(CERTIFICATE_TTL_MS_MAX))
    expect(set.size).toBe(2)
    set.dropExpired(at(CERTIFICATE_TTL_MS_MAX + 3_600_000))
    expect(set.values().map(({ org }) => org)).toEqual([GLOBEX])
    set.dropExpired(at(CERTIFICATE_TTL_MS_MAX * 2))
    expect(set.size).toBe(0)
  })
})
