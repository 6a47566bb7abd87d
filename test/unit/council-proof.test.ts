import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, it } from 'vitest'
import { COUNCIL_PROOF_FORMAT, type CouncilProofFile, parseProofFile, verifyProof } from '../../src/index.ts'
import { runCommand } from '../support/command-line.ts'
import { RealCouncil, sha256 } from '../support/real-council.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { acmeAuthority, certificateFor, founding, keyPair, NOW, stranger } from './identity-fixtures.ts'

const [founder, second] = [keyPair(90), keyPair(91)]
const founded = founding()
const tenant = { kind: 'tenant', name: 'gold', weight: 2, quotas: {} } as const

let council: RealCouncil
let proof: { readonly genesis: Uint8Array; readonly proof: Uint8Array }
const trusting = (swarm: string = founded.swarm) => ({ swarm, hash: sha256 })

beforeAll(() => {
  council = new RealCouncil(founded, NOW + 1000, [founder, second], acmeAuthority)
  const shown = certificateFor(second.node, founded, { roles: ['worker', 'validator'] })
  council.propose(founder.node, { kind: 'validator', add: [shown], remove: [] })
  expect(council.propose(founder.node, tenant, acmeAuthority.node)).toMatchObject({ kind: 'applied' })
  proof = council.proof()
})

describe('the proof of a decision', () => {
  it('GOV-5 shows who decided what, over a change of the council, from the swarm’s id alone', () => {
    expect(council.members).toEqual([founder.node, second.node].sort())
    const proven = verifyProof(proof, trusting())
    expect(proven).toMatchObject({
      ok: true,
      value: {
        epoch: 2,
        members: council.members,
        signers: council.members,
        operations: [{ proposer: acmeAuthority.node, act: { kind: 'tenant', body: { name: 'gold', weight: 2 } } }],
      },
    })
  })

  it('GOV-5 is refused for another swarm, and after any change', () => {
    const other = founding('other')
    expect(verifyProof(proof, trusting(other.swarm))).toEqual({
      ok: false,
      error: expect.stringContaining('about the swarm'),
    })
    expect(verifyProof({ ...proof, genesis: other.bytes }, trusting(other.swarm))).toMatchObject({ ok: false })
    expect(verifyProof({ ...proof, proof: new Uint8Array(0) }, trusting())).toMatchObject({ ok: false })
    for (let i = 0; i < proof.proof.length; i += 7) {
      const altered = proof.proof.slice()
      altered[i] = (altered[i] ?? 0) ^ 1
      expect([i, verifyProof({ ...proof, proof: altered }, trusting()).ok]).toEqual([i, false])
    }
    for (let i = 0; i < proof.genesis.length; i += 29) {
      const altered = proof.genesis.slice()
      altered[i] = (altered[i] ?? 0) ^ 1
      expect([i, verifyProof({ ...proof, genesis: altered }, trusting()).ok]).toEqual([i, false])
    }
  })
})

describe('council verify', () => {
  const fileOf = (changes: Partial<CouncilProofFile> = {}): CouncilProofFile => ({
    format: COUNCIL_PROOF_FORMAT,
    swarm: founded.swarm,
    height: 3,
    genesis: Buffer.from(proof.genesis).toString('base64'),
    proof: Buffer.from(proof.proof).toString('base64'),
    ...changes,
  })
  const written = (content: string) => {
    const path = join(scratchDirectory(), 'proof.json')
    writeFileSync(path, content)
    return path
  }
  const nobody = () => ['--socket', join(scratchDirectory(), 's')]

  it('GOV-5 says what is proven, without a daemon', async () => {
    const path = written(JSON.stringify(fileOf()))
    const ran = await runCommand(['council', 'verify', path, '--swarm', founded.swarm, ...nobody()])
    expect([ran.code, ran.stderr]).toEqual([0, ''])
    expect(ran.stdout).toContain('tenant gold: weight 2')
    expect(ran.stdout).toContain(`signed by 2 of 2: ${council.members.join(' ')}`)
    const json = await runCommand(['council', 'verify', path, '--swarm', founded.swarm, '--json', ...nobody()])
    expect(JSON.parse(json.stdout)).toMatchObject({ valid: true, epoch: 2, operations: [{ kind: 'tenant' }] })
  })

  it('fails with a reason for what is altered, cut, or none', async () => {
    const flipped = proof.proof.slice()
    flipped[200] = (flipped[200] ?? 0) ^ 1
    const forged = fileOf({ proof: Buffer.from(flipped).toString('base64') })
    for (const [content, words] of [
      [JSON.stringify(forged), /proves nothing/],
      [JSON.stringify(fileOf()).slice(0, -20), /not JSON/],
      [JSON.stringify(fileOf({ proof: '!!' })), /proof: /],
      [JSON.stringify({ ...fileOf(), format: 'other' }), /format/],
      [JSON.stringify({ ...fileOf(), height: fileOf().height + 1 }), /is about height/],
      ['{}', /no proof of a decision/],
    ] as const) {
      const path = written(content)
      const ran = await runCommand(['council', 'verify', path, '--swarm', founded.swarm, ...nobody()])
      expect([ran.code, ran.stdout]).toEqual([1, ''])
      expect(ran.stderr).toMatch(words)
      expect(ran.stderr).toContain('PROOF_INVALID')
    }
    const path = written(JSON.stringify(fileOf()))
    const wrong = await runCommand(['council', 'verify', path, '--swarm', stranger.node, ...nobody()])
    expect([wrong.code, wrong.stderr]).toEqual([1, expect.stringContaining('about the swarm')])
    const unsaid = await runCommand(['council', 'verify', path, ...nobody()])
    expect([unsaid.code, unsaid.stderr]).toEqual([2, expect.stringContaining('--swarm')])
    const missing = await runCommand(['council', 'verify', `${path}.not`, '--swarm', founded.swarm])
    expect([missing.code, missing.stderr]).toEqual([2, expect.stringContaining('cannot be read')])
  })

  it('reads back what is printed', () => {
    expect(parseProofFile(JSON.stringify(fileOf()))).toEqual({ ok: true, value: fileOf() })
  })
})
