import { describe, expect, it } from 'vitest'
import { nodes } from '../../src/byzantine/index.ts'
import type { Message, Vote } from '../../src/consensus/index.ts'
import { IDLE_VOTES_BURST, IDLE_VOTES_PER_SECOND } from '../../src/consensus/params.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { cast, digest, EPOCH, penaltiesIn, solo, view } from './consensus-fixtures.ts'

const [, b, c, d] = nodes(4) as [NodeId, NodeId, NodeId, NodeId]
const what = digest('block')

describe('votes', () => {
  it('B-30 that serve nothing are suffered as far as a correct member could have sent them, and then charged', () => {
    const self = solo('a', 4)
    const far = { kind: 'votes', votes: [cast(b, { kind: 'commit', epoch: EPOCH, view: view(5_000), digest: what })] }
    const hear = (times: number): number =>
      Array.from({ length: times }, () => penaltiesIn(self.hear(b, far as Message))).flat().length
    expect(hear(IDLE_VOTES_BURST)).toBe(0)
    expect(hear(5)).toBe(5)
    expect(penaltiesIn(self.hear(c, { kind: 'votes', votes: [cast(c, far.votes[0]?.vote as Vote)] }))).toEqual([])
    self.now += 1_000
    expect(hear(IDLE_VOTES_PER_SECOND)).toBe(0)
    expect(hear(1)).toBe(1)
  })

  it('B-30 of one that is late for every view, or ahead of all that are known here, cost it nothing at the pace of a quick group', () => {
    const self = solo('a', 4)
    const viewsPerSecond = 400
    for (let at = 1; at <= 10 * viewsPerSecond; at++) {
      self.now = (at * 1_000) / viewsPerSecond
      const votes = [EPOCH, EPOCH + 1].map((epoch) =>
        ['prepare', 'commit'].map((kind) => cast(d, { kind, epoch, view: view(at + 100), digest: what } as Vote)),
      )
      expect(votes.flatMap((each) => penaltiesIn(self.hear(d, { kind: 'votes', votes: each })))).toEqual([])
    }
  })
})
