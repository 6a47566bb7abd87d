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

/** The first proposal of the primary of view 1 of four. */
function proposalOf(primary: ReturnType<typeof solo>): Proposal {
  const effects = primary.step({ kind: 'submit', id: 1, operation: operation('w:1') })
  const proposal = messagesIn(effects).find((message) => message.kind === 'proposal')
  if (proposal?.kind !== 'proposal') throw new Error('no proposal')
  return proposal
}

describe('what is worth waiting for', () => {
  it('B-31 operations of one moment travel in one request', () => {
    const primary = primaryOfOne()
    const submit = (id: number, more: boolean) =>
      messagesIn(primary.step({ kind: 'submit', id, operation: operation(`w:${id}`), more })).flatMap((message) =>
        message.kind === 'request' ? message.requests.map(({ request: { operations } }) => operations) : [],
      )
    expect([...submit(1, true), ...submit(2, true)]).toEqual([])
    expect(submit(3, false)).toEqual([[operation('w:1'), operation('w:2'), operation('w:3')]])
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
    const told = (heard: boolean) => {
      const member = solo(self, 4)
      if (heard) member.hear(bringer, { kind: 'request', requests: proposal.block.requests })
      const votes = votesIn(member.hear(from, proposal))
      const prepared = votes.find(({ kind }) => kind === 'prepare')
      if (prepared?.kind !== 'prepare') throw new Error('no prepare')
      const effects = member.hear(other, { kind: 'votes', votes: [cast(other, prepared)] })
      return { atOnce: toldOf(effects), soon: toldOf(member.wait(pause - 1)), later: toldOf(member.wait(1)) }
    }
    const others = nodes(4).filter((node) => node !== self)
    const rest = others.filter((node) => node !== bringer)
    expect(told(true)).toEqual({ atOnce: [[bringer]], soon: [], later: [rest] })
    expect(told(false)).toEqual({ atOnce: [others], soon: [], later: [] })
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
