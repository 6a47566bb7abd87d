import { describe, expect, it } from 'vitest'
import { altered, FAKE_CRYPTO, fakeHash, GENESIS, GROUP, nodes } from '../../src/byzantine/index.ts'
import { Ballot } from '../../src/consensus/ballot.ts'
import { Chain } from '../../src/consensus/chain.ts'
import type { Context } from '../../src/consensus/context.ts'
import { Group } from '../../src/consensus/group.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import { type Block, consensusParams, type Proposal, RULES, type Vote } from '../../src/consensus/index.ts'
import { Judging } from '../../src/consensus/judging.ts'
import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import { cast, certificate, EPOCH, height, requestOf, view } from './consensus-fixtures.ts'

const group = new Group(GROUP, EPOCH, nodes(4), RULES)
const hashing = Hashing.with(fakeHash)
const NEXT = view(3)

interface Place {
  /** Whether the first block is a boundary. */
  readonly boundary?: boolean
  /** Whether the block of the proposal was certified before. */
  readonly isAgain?: boolean
  /** Whether all is final here up to another block at the height of the proposal's. */
  readonly isDecidedOtherwise?: boolean
}

/** Two blocks above the final head; a proposal of a request stands on the second. */
function proposedAbove({ boundary = false, isAgain = false, isDecidedOtherwise = false }: Place) {
  const genesis = { digest: GENESIS, header: { height: height(0), at: 0 as WallMillis, boundary: true } }
  const chain = new Chain(hashing, 1_000_000, { ...genesis, segmentBlocks: 0, segmentBytes: 0 })
  const blockAt = (parent: Block['header']['parent'], at: number, changes: Partial<Block['header']>): Block => {
    const header = { group: GROUP, epoch: EPOCH, height: height(at), parent, at: 0 as WallMillis, boundary: false }
    const requests = at === 3 ? [requestOf('a' as NodeId, 1, 'w:1')] : []
    const empty = { header: { ...header, proposer: group.primaryOf(NEXT), payload: GENESIS }, requests, evidence: [] }
    return altered({ crypto: FAKE_CRYPTO }, empty, {}, changes)
  }
  const first = chain.add(blockAt(GENESIS, 1, { boundary }))
  const second = chain.add(blockAt(first.digest, 2, {}))
  const block = blockAt(second.digest, 3, {})
  const from = group.primaryOf(NEXT)
  const vote: Vote = { kind: 'prepare', epoch: EPOCH, view: NEXT, digest: hashing.header(block.header) }
  const certified = isAgain ? chain.add(block) : second
  const tip = certificate('prepare', 2, certified.digest, [0, 1, 2]) as Proposal['tip']
  if (isDecidedOtherwise) {
    for (const entry of [first, second, chain.add(blockAt(second.digest, 3, { at: 1 as WallMillis }))])
      chain.finalise(entry)
  }
  const { signature } = cast(from, vote)
  const none = { skip: undefined, checkpoint: undefined }
  const proposal: Proposal = { kind: 'proposal', epoch: EPOCH, view: NEXT, block, tip, ...none, signature }
  return { chain, first, from, proposal }
}

function judged(place: Place) {
  const { chain, first, from, proposal } = proposedAbove(place)
  const refused: string[] = []
  const votes: Vote[] = []
  const state: { replay: 'old-session' | undefined } = { replay: 'old-session' }
  const context = {
    ...{ group, hashing, rules: RULES, params: consensusParams(), wall: undefined, logged: new Set() },
    inspect: (_peer: NodeId, _claims: unknown, conclude: (valid: readonly boolean[]) => void) => {
      conclude([])
      return true
    },
    refuse: (_peer: NodeId, _points: number, why: string) => refused.push(why),
    persist: () => {},
  } as unknown as Context
  const nothing = () => {}
  const events = { believe: nothing, onMissing: nothing, onAhead: nothing, abstains: () => false }
  const judging = new Judging(context, { ...events, boundary: () => 'stable' }, {
    chain,
    voting: {
      ...{ view: NEXT, primary: group.primarySeat(NEXT), ballot: new Ballot(EPOCH, RULES), ledger: { group } },
      ...{ anchor: GENESIS, inWindow: () => true, believes: () => true, absorb: nothing },
      cast: (vote: Vote) => votes.push(vote),
    },
    execution: { judge: () => state.replay },
    pool: { has: () => true, hasRoom: () => false },
  } as unknown as ConstructorParameters<typeof Judging>[2])
  judging.receive(group.primarySeat(NEXT), from, proposal)
  return { judging, chain, first, refused, votes, state }
}

describe('B-21 a proposal with a request that was used, as far as is known here', () => {
  it('waits while a boundary below it is not final here: its client may be forgotten there', () => {
    const { judging, chain, first, refused, votes, state } = judged({ boundary: true })
    expect([refused, votes]).toEqual([[], []])
    state.replay = undefined
    chain.finalise(first)
    judging.consider()
    expect([refused, votes]).toEqual([[], [expect.objectContaining({ kind: 'prepare', view: NEXT })]])
  })

  it('is refused once the boundary is final, and where there is none', () => {
    const above = judged({ boundary: true })
    above.chain.finalise(above.first)
    above.judging.consider()
    for (const { refused, votes } of [above, judged({ boundary: false })]) {
      expect([refused, votes]).toEqual([['a block with a request that is old-session'], []])
    }
  })
})

describe('a proposal beside what is final here', () => {
  it.each([false, true])('gets no vote and is charged to nobody (proposed again: %s)', (isAgain) => {
    const { refused, votes } = judged({ isAgain, isDecidedOtherwise: true })
    expect([refused, votes]).toEqual([[], []])
  })

  it('gets one where nothing else was decided, also when it is proposed again', () => {
    const { judging, votes, state } = judged({ isAgain: true })
    state.replay = undefined
    judging.consider()
    expect(votes).toEqual([expect.objectContaining({ kind: 'prepare', view: NEXT })])
  })
})
