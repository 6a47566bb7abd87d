import { describe, expect, it } from 'vitest'
import { fakeHash, GENESIS, GROUP, nodes } from '../../src/byzantine/index.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import type { Block, Digest } from '../../src/consensus/index.ts'
import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import { certificate, EPOCH, height, requestOf, solo } from './consensus-fixtures.ts'

const [, b, c] = nodes(4) as [NodeId, NodeId, NodeId]
const hashing = Hashing.with(fakeHash)
const digestOf = ({ header }: Block): Digest => hashing.header(header)

function blockOn(parent: Digest, at: number): Block {
  const body = { requests: [requestOf(b, at, `w:${at}`)], evidence: [] }
  const about = { group: GROUP, epoch: EPOCH, height: height(at), parent, proposer: b, at: 0 as WallMillis }
  return { header: { ...about, boundary: false, payload: hashing.payload(body) }, ...body }
}

describe('what is known to be committed', () => {
  const first = blockOn(GENESIS, 1)
  const second = blockOn(digestOf(first), 2)
  const third = blockOn(digestOf(second), 3)
  const commit = (view: number, block: Block) => certificate('commit', view, digestOf(block), [1, 2, 3])

  it('waits for its blocks whatever comes late, and holds up nothing below', () => {
    const self = solo('a', 4)
    self.hear(b, { kind: 'certificates', certificates: [commit(3, third)] })
    self.hear(b, { kind: 'certificates', certificates: [commit(1, first)] })
    self.hear(b, { kind: 'block', block: third })
    self.hear(c, { kind: 'block', block: first })
    expect(self.core.height).toBe(1)
    self.hear(b, { kind: 'block', block: second })
    expect(self.core.height).toBe(3)
  })

  it('says nothing any more once what is above is final', () => {
    const self = solo('a', 4)
    for (const block of [third, second, first]) {
      self.hear(b, { kind: 'certificates', certificates: [commit(block.header.height, block)] })
    }
    for (const block of [third, second, first]) self.hear(b, { kind: 'block', block })
    expect(self.core.height).toBe(3)
  })
})
