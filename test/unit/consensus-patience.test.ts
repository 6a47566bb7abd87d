import { describe, expect, it } from 'vitest'
import { nodes, operation, PARAMS } from '../../src/byzantine/index.ts'
import type { Context } from '../../src/consensus/context.ts'
import { consensusParams, type Effect, type Message, type Proposal } from '../../src/consensus/index.ts'
import { COMMIT_VIEWS_MAX } from '../../src/consensus/params.ts'
import { Patience } from '../../src/consensus/patience.ts'
import type { Millis, NodeId } from '../../src/kernel/index.ts'
import { cast, digest, EPOCH, messagesIn, solo, view, votesIn } from './consensus-fixtures.ts'

const [a, b, c, d] = nodes(4) as [NodeId, NodeId, NodeId, NodeId]

const primaryOfOne = () => {
  const four = solo('a', 4)
  const first = four.core.status().primary
  return first === a ? four : solo(first, 4)
}

const otherThanPrimary = () => {
  const { primary } = solo('a', 4).core.status()
  return solo(primary === a ? b : a, 4)
}

/** The first proposal of the primary of view 1 of four. */
function proposalOf(primary: ReturnType<typeof solo>): Proposal {
  const effects = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] })
  const proposal = messagesIn(effects).find((message) => message.kind === 'proposal')
  if (proposal?.kind !== 'proposal') throw new Error('no proposal')
  return proposal
}

describe('what is worth waiting for', () => {
  it('B-31 operations of one moment travel in one request', () => {
    const other = otherThanPrimary()
    const submissions = [1, 2, 3].map((id) => ({ id, operation: operation(`w:${id}`) }))
    const requests = messagesIn(other.step({ kind: 'submit', submissions })).flatMap((message) =>
      message.kind === 'request' ? message.requests.map(({ request: { operations } }) => operations) : [],
    )
    expect(requests).toEqual([[operation('w:1'), operation('w:2'), operation('w:3')]])
  })

  it('B-31 what a primary is asked for and proposes at once travels in its proposal only, and others can propose it then', () => {
    const primary = primaryOfOne()
    const effects = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] })
    expect(messagesIn(effects).map(({ kind }) => kind)).toEqual(['status', 'proposal'])
    const later = primary.step({ kind: 'submit', submissions: [{ id: 2, operation: operation('w:2') }] })
    expect(messagesIn(later).map(({ kind }) => kind)).toEqual(['request'])

    const member = otherThanPrimary()
    const proposal = messagesIn(effects).find(({ kind }) => kind === 'proposal') as Proposal
    member.hear(primary.core.status().primary, proposal)
    expect(member.core.load().requests).toBe(1)
  })

  it('B-29 tells at once of a commit who brought the requests, and the others after a pause; all if that is not known', () => {
    const primary = primaryOfOne()
    const from = primary.core.status().primary
    const [self, other, bringer] = nodes(4).filter((node) => node !== from) as [NodeId, NodeId, NodeId]
    const proposal = proposalOf(primary)
    const toldOf = (effects: readonly Effect[]) =>
      effects.flatMap((effect) =>
        effect.kind === 'broadcast' && votesIn([effect]).some(({ kind }) => kind === 'commit') ? [effect.to] : [],
      )
    const pause = consensusParams(PARAMS).commitWaitMs / 2
    const told = (when: 'before' | 'after' | 'never') => {
      const member = solo(self, 4)
      const request: Message = { kind: 'request', requests: proposal.block.requests }
      if (when === 'before') member.hear(bringer, request)
      const votes = votesIn(member.hear(from, proposal))
      if (when === 'after') member.hear(bringer, request)
      const prepared = votes.find(({ kind }) => kind === 'prepare')
      if (prepared?.kind !== 'prepare') throw new Error('no prepare')
      const effects = member.hear(other, { kind: 'votes', votes: [cast(other, prepared)] })
      return { atOnce: toldOf(effects), soon: toldOf(member.wait(pause - 1)), later: toldOf(member.wait(1)) }
    }
    const others = nodes(4).filter((node) => node !== self)
    const but = (...waiting: readonly NodeId[]) => others.filter((node) => !waiting.includes(node))
    expect(told('before')).toEqual({ atOnce: [[bringer]], soon: [], later: [but(bringer)] })
    // It came with the primary's proposal: the primary may have it from its own client, or from who speaks up later.
    expect(told('never')).toEqual({ atOnce: [[from]], soon: [], later: [but(from)] })
    expect(told('after')).toEqual({ atOnce: [but(other)], soon: [], later: [[other]] })
    // A pool too small for the request.
    const small = { ...PARAMS, openNoncesMax: 1, requestsInFlightMax: 1, poolRequestsMax: 1 }
    const crowded = solo(self, 4, { params: small })
    crowded.step({ kind: 'submit', submissions: [{ id: 9, operation: operation('w:9') }] })
    const [prepared] = votesIn(crowded.hear(from, proposal))
    if (prepared?.kind !== 'prepare') throw new Error('no prepare')
    expect(toldOf(crowded.hear(other, { kind: 'votes', votes: [cast(other, prepared)] }))).toEqual([others])
  })

  it('B-29 everybody tells everybody of the same views, so that votes for one of them meet', () => {
    const told: (readonly NodeId[])[] = []
    const context = {
      others: [b, c, d],
      now: 0 as Millis,
      params: consensusParams(),
      tell: (to: readonly NodeId[], _message: Message) => void told.push(to),
    }
    const patience = new Patience(context as unknown as Context)
    for (let n = 1; n <= 2 * COMMIT_VIEWS_MAX; n++) {
      patience.tell(cast(a, { kind: 'commit', epoch: EPOCH, view: view(n), digest: digest('block') }), view(n), [b])
      patience.tick()
    }
    expect(told.flatMap((to, i) => (to.length === 3 ? [i + 1] : []))).toEqual([COMMIT_VIEWS_MAX, 2 * COMMIT_VIEWS_MAX])
    expect(told.filter((to) => to.length === 1)).toHaveLength(2 * COMMIT_VIEWS_MAX - 2)
  })
})
