import { describe, expect, it } from 'vitest'
import { nodes } from '../../src/byzantine/index.ts'
import type {
  CastVote,
  ConsensusCore,
  Decision,
  Effect,
  GroupId,
  Height,
  Input,
  LogRecord,
  Outcome,
  Vote,
} from '../../src/consensus/index.ts'
import { type Millis, NEVER, type NodeId, TICK, type Tick } from '../../src/kernel/index.ts'
import { DEFAULT_LOG_PARAMS } from '../../src/storage/params.ts'
import { GroupHost } from '../../src/swarm/group-host.ts'
import { GroupLog } from '../../src/swarm/group-log.ts'
import { decodeNodeRecord, encodeNodeRecord } from '../../src/swarm/records.ts'
import type { SwarmEffect } from '../../src/swarm/types.ts'
import { cast, certificate, digest, EPOCH, requestOf, view } from './consensus-fixtures.ts'

const [a, b, c] = nodes(4) as [NodeId, NodeId, NodeId]

/** A core that asks for what the test says, and a host around it. */
class Scripted {
  readonly host: GroupHost
  #asked: readonly Effect[] = []

  constructor(self = a, height = 0) {
    const core = {
      members: [a, b, c],
      isMember: true,
      height,
      step: () => this.#asked,
      deadline: () => NEVER,
    }
    this.host = new GroupHost('g' as GroupId, self, core as unknown as ConsensusCore, new GroupLog())
  }

  step(asked: readonly Effect[], input: Input | Tick = TICK, now = 0): SwarmEffect[] {
    this.#asked = asked
    const effects: SwarmEffect[] = []
    this.host.step(now as Millis, input, effects)
    return effects
  }
}

const vote: Vote = { kind: 'prepare', epoch: EPOCH, view: view(1), digest: digest('block') }
const voted: CastVote = cast(a, vote)
const persist = (mark: number, record: LogRecord): Effect => ({ kind: 'persist', mark, record })
const ownVote = (mark: number): Effect => persist(mark, { kind: 'vote', cast: voted })
const proof = (mark: number): Effect => {
  return persist(mark, { kind: 'certificate', certificate: certificate('prepare', 1, digest('block'), [0, 1, 2]) })
}
const send: Effect = { kind: 'broadcast', to: [b, c], message: { kind: 'votes', votes: [voted] } }
const kinds = (effects: readonly SwarmEffect[]): string => effects.map(({ kind }) => kind).join(' ')

describe("a group's host", () => {
  it('GR-2 what it sends leaves behind its votes, whichever step wrote them', () => {
    const group = new Scripted()
    expect(kinds(group.step([ownVote(1), send]))).toBe('persist send send settle')
    expect(kinds(group.step([send]))).toBe('barrier send send')
    expect(kinds(group.step([proof(2), send]))).toBe('persist barrier send send')
    expect(kinds(group.step([send], { kind: 'durable', mark: 1 }))).toBe('send send')
  })

  it('GR-2 what it sends does not wait for what binds nobody', () => {
    const group = new Scripted()
    expect(kinds(group.step([proof(1), send]))).toBe('send send persist')
    expect(kinds(group.step([send]))).toBe('send send')
  })

  const announce = (height: number): Effect => ({ kind: 'announce', epoch: EPOCH, height: height as Height })
  const heights = (effects: readonly SwarmEffect[]) =>
    effects.map((effect) => {
      return effect.kind === 'publish' && 'message' in effect.message.body && effect.message.body.message
    })

  it('GR-6 announces the latest decision at once, and then at most every 100 ms', () => {
    const group = new Scripted()
    expect(heights(group.step([announce(1)], TICK, 10))).toMatchObject([{ height: 1 }])
    expect(group.step([announce(2)], TICK, 11)).toEqual([])
    expect(group.step([announce(3)], TICK, 50)).toEqual([])
    expect(group.host.deadline()).toBe(110)
    expect(heights(group.step([], TICK, 110))).toMatchObject([{ height: 3 }])
    expect(group.host.deadline()).toBe(NEVER)
  })

  it('GR-6 leaves it to the members before it, unless what they say is old or not known to be final', () => {
    const group = new Scripted(c, 7)
    expect(group.step([announce(7)], TICK, 10)).toEqual([])
    expect(group.host.deadline()).toBe(110)
    group.host.heard(20 as Millis, 7 as Height)
    expect(group.host.deadline()).toBe(NEVER)

    for (const said of [6, 8]) {
      const unsaid = new Scripted(c, 7)
      expect(unsaid.step([announce(7)], TICK, 10)).toEqual([])
      unsaid.host.heard(20 as Millis, said as Height)
      expect(unsaid.host.deadline()).toBe(said === 6 ? 220 : 110)
      expect(heights(unsaid.step([], TICK, 220))).toMatchObject([{ height: 7 }])
    }
  })

  const refusal = (reason: string): Outcome => ({ kind: 'refused', code: 'BAD_REQUEST', reason })
  const recordOf = (outcomes: readonly Outcome[], requests: number): Extract<SwarmEffect, { kind: 'persist' }> => {
    const signed = requestOf(b, 1, 'w:1')
    const results = Array.from({ length: requests }, () => ({ request: signed.request, outcomes, refused: undefined }))
    const header = { group: 'g', epoch: EPOCH, height: 1, parent: digest('p'), proposer: a, at: 0, boundary: false }
    const block = { header: { ...header, payload: digest('x') }, requests: results.map(() => signed), evidence: [] }
    const commit = certificate('commit', 1, digest('block'), [0, 1, 2])
    const decision = { block, digest: digest('block'), results, certificate: commit } as unknown as Decision
    const [written] = new Scripted().step([{ kind: 'event', event: { kind: 'finalised', decision } }])
    if (written?.kind !== 'persist') throw new Error('nothing is written')
    return written
  }

  it('GR-13 what it writes of a decision fits the log, however much was refused and for whatever reasons', () => {
    // Half of the cuts go through a character of two halves.
    const reasons = Array.from({ length: 512 }, (_, i) => refusal('x'.repeat(i % 2) + '𐐷'.repeat(600)))
    for (const requests of [30, 300]) {
      const { record } = recordOf(reasons, requests)
      const bytes = encodeNodeRecord(record)
      expect(bytes.length).toBeLessThan(DEFAULT_LOG_PARAMS.recordBytesMax)
      expect(decodeNodeRecord(bytes).ok).toBe(true)
    }
  })

  it('GR-13 keeps the reasons of what is refused in usual numbers', () => {
    const reasons = Array.from({ length: 100 }, (_, i) => refusal(`no: ${i}`.padEnd(300, '.')))
    expect(recordOf(reasons, 2).record).toMatchObject({ decided: { outcomes: [reasons, reasons] } })
  })
})
