import { describe, expect, it } from 'vitest'
import {
  altered,
  FAKE_CRYPTO,
  fakeHash,
  fakeSigner,
  GROUP,
  nodes,
  operation,
  verifies,
} from '../../src/byzantine/index.ts'
import { Context } from '../../src/consensus/context.ts'
import { Group } from '../../src/consensus/group.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import { consensusParams, headerShape, type Proposal, RULES, type SignedRequest } from '../../src/consensus/index.ts'
import { Intake } from '../../src/consensus/intake.ts'
import { requestClaim } from '../../src/consensus/statements.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import { cast, EPOCH, height, manyOf, messagesIn, penaltiesIn, solo, view, votesIn } from './consensus-fixtures.ts'

describe('a block', () => {
  it('B-9 of more operations than one may hold is refused, however few bytes they take', () => {
    const from = solo('a', 4).core.status().primary
    const primary = solo(from, 4)
    const proposed = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] })
    const honest = messagesIn(proposed).find(({ kind }) => kind === 'proposal') as Proposal
    const make = (count: number): Proposal => {
      const requests = Array.from({ length: count }, (_, i) => manyOf(from, i + 1))
      const block = altered({ crypto: FAKE_CRYPTO }, honest.block, { requests })
      const what = fakeHash(encode(headerShape, block.header))
      const { signature } = cast(from, { kind: 'prepare', epoch: EPOCH, view: view(1), digest: what })
      return { ...honest, block, signature }
    }
    const member = (): ReturnType<typeof solo> => solo(nodes(4).find((node) => node !== from) as NodeId, 4)
    expect(votesIn(member().hear(from, make(8)))).toContainEqual(expect.objectContaining({ kind: 'prepare' }))
    expect(penaltiesIn(member().hear(from, make(9)))).toEqual([`${from}: a block of too many operations`])
  })
})

describe('a request on its way that can no longer count', () => {
  it('B-21 begins anew from a later floor under its nonce, so that none is left out', () => {
    const signer = fakeSigner('a' as NodeId)
    const group = new Group(GROUP, EPOCH, nodes(4), RULES)
    const params = consensusParams()
    const context = new Context({ signer, params, rules: RULES, hashing: Hashing.with(fakeHash), group })
    const intake = new Intake(context, 1, [signer])
    intake.submit({ id: 7, operation: operation('w:1') })
    const [sent] = intake.bundle(height(3), () => undefined)
    expect(intake.renew(() => true, height(3))).toEqual([])
    expect(intake.renew(() => false, height(9))).toEqual([])
    const [again] = intake.renew(() => true, height(9))
    expect(again?.request).toEqual({ ...sent?.request, floor: 9 })
    expect(intake.flying()).toEqual([again])
    expect(verifies(requestClaim(GROUP, again as SignedRequest))).toBe(true)
  })
})
