import { describe, expect, it } from 'vitest'
import { altered, FAKE_CRYPTO, fakeHash, nodes, operation } from '../../src/byzantine/index.ts'
import { headerShape, type Proposal } from '../../src/consensus/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import { cast, EPOCH, manyOf, messagesIn, penaltiesIn, solo, view, votesIn } from './consensus-fixtures.ts'

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
