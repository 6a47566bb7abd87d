import { describe, expect, it } from 'vitest'
import { altered, FAKE_CRYPTO, fakeHash, GENESIS, GROUP, nodes } from '../../src/byzantine/index.ts'
import { Ballot } from '../../src/consensus/ballot.ts'
import { wellFormed } from '../../src/consensus/certificates.ts'
import { Chain, type Entry, onto } from '../../src/consensus/chain.ts'
import { CheckpointLedger } from '../../src/consensus/checkpoint-ledger.ts'
import type { Context } from '../../src/consensus/context.ts'
import { Group } from '../../src/consensus/group.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import {
  type Block,
  type CheckpointVote,
  consensusParams,
  type Digest,
  type GroupId,
  type Header,
  RULES,
  type Seat,
  type SkipCertificate,
  type Vote,
} from '../../src/consensus/index.ts'
import { VoteLedger } from '../../src/consensus/ledger.ts'
import { Pace } from '../../src/consensus/pace.ts'
import { OPERATIONS_PER_BLOCK_MAX } from '../../src/consensus/params.ts'
import { operationsIn, RequestPool } from '../../src/consensus/pool.ts'
import { Syncing } from '../../src/consensus/syncing.ts'
import type { Status } from '../../src/consensus/types.ts'
import { conflict } from '../../src/consensus/votes.ts'
import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import { cast, certificate, digest, EPOCH, height, manyOf, requestOf, view } from './consensus-fixtures.ts'

const A = digest('a')
const B = digest('b')
const group = (n: number): Group => new Group(GROUP, EPOCH, nodes(n), RULES)

describe('group', () => {
  it('B-3 has quorums that intersect in a correct member and that n - f members form', () => {
    for (const n of [1, 2, 3, 4, 7, 10, 16]) {
      const { f, q, size } = group(n)
      expect(2 * q - size).toBeGreaterThanOrEqual(f + 1)
      expect(q).toBeLessThanOrEqual(size - f)
    }
  })

  it('gives every member its turn', () => {
    const seven = group(7)
    expect(new Set(Array.from({ length: 7 }, (_, i) => seven.primaryOf(view(i + 3)))).size).toBe(7)
  })

  it('B-24 passes no two members on the way from one to more, unless two are wanted', () => {
    const nobody = new Set<NodeId>()
    const towards = (size: number, wanted: readonly NodeId[]) => group(size).towards(wanted, nobody)
    expect(towards(1, nodes(4))).toEqual(['a', 'b', 'c'])
    expect(towards(3, nodes(4))).toEqual(nodes(4))
    expect(towards(1, nodes(2))).toEqual(['a', 'b'])
    // It goes only once others have come.
    expect(towards(1, nodes(3).slice(1))).toEqual(['a', 'b', 'c'])
    expect(towards(1, nodes(2).slice(1))).toEqual(['a', 'b'])
    expect(towards(2, nodes(4))).toEqual(['a', 'b', 'c'])
  })

  it('B-24 goes to a wanted membership in steps of at most max(1, f), the convicted first, never to nobody', () => {
    const seven = group(7)
    const convicted = new Set(['g' as NodeId])
    const wanted = [...nodes(6).slice(1), 'x', 'y'] as NodeId[]
    const next = seven.towards(wanted, convicted)
    expect(next).not.toContain('g')
    const differ = [...new Set([...next, ...seven.members])].filter(
      (node) => next.includes(node) !== seven.members.includes(node),
    )
    expect(differ).toHaveLength(2)
    expect(group(1).towards([], new Set())).toEqual(['a'])
    // Whoever is alone and convicted goes when another has come.
    const alone = new Set(['a' as NodeId])
    expect(group(1).towards(['a'] as NodeId[], alone)).toEqual(['a'])
    expect(group(1).towards(['x'] as NodeId[], alone)).toEqual(['a', 'x'])
    expect(new Group(GROUP, EPOCH, ['a', 'x'] as NodeId[], RULES).towards(['a', 'x', 'y'] as NodeId[], alone)).toEqual([
      'x',
    ])
  })
})

describe('ballot', () => {
  it('B-14 prepares once per view, in growing views', () => {
    const ballot = new Ballot(EPOCH, RULES)
    expect(ballot.prepare(view(3), A)).toBeDefined()
    expect(ballot.prepare(view(3), B)).toBeUndefined()
    expect(ballot.prepare(view(2), A)).toBeUndefined()
    expect(ballot.prepare(view(4), B)).toBeDefined()
  })

  it('B-15 commits neither in a view it skipped, nor against its own prepare, nor in a view it has left', () => {
    const ballot = new Ballot(EPOCH, RULES)
    ballot.prepare(view(3), A)
    expect(ballot.commit(view(3), B, view(3))).toBeUndefined()
    ballot.skip(view(3), view(0))
    expect(ballot.commit(view(3), A, view(3))).toBeUndefined()
    expect(ballot.commit(view(4), A, view(5))).toBeUndefined()
    expect(ballot.commit(view(5), A, view(5))).toBeDefined()
  })

  it('B-16 skips no view it committed in', () => {
    const ballot = new Ballot(EPOCH, RULES)
    ballot.commit(view(3), A, view(3))
    expect(ballot.skip(view(3), view(2))).toBeUndefined()
    expect(ballot.skip(view(4), view(3))).toEqual({ kind: 'skip', epoch: EPOCH, view: 4, tip: 3 })
  })

  it('B-4 is the same after its votes were read back, in any order of kinds', () => {
    const ballot = new Ballot(EPOCH, RULES)
    const votes = [ballot.prepare(view(3), A), ballot.commit(view(3), A, view(3)), ballot.skip(view(4), view(3))]
    const again = new Ballot(EPOCH, RULES)
    for (const vote of votes) if (vote !== undefined) again.remember(vote)
    expect(again.own).toEqual(ballot.own)
  })
})

describe('evidence', () => {
  const base = { epoch: EPOCH, view: view(5) }
  const state: CheckpointVote = {
    kind: 'checkpoint',
    epoch: EPOCH,
    height: height(5),
    digest: A,
    root: A,
    members: nodes(4),
  }
  const pairs: readonly (readonly [Vote, Vote, boolean])[] = [
    [{ kind: 'prepare', ...base, digest: A }, { kind: 'prepare', ...base, digest: B }, true],
    [{ kind: 'commit', ...base, digest: A }, { kind: 'commit', ...base, digest: B }, true],
    [{ kind: 'prepare', ...base, digest: A }, { kind: 'commit', ...base, digest: B }, true],
    [{ kind: 'prepare', ...base, digest: A }, { kind: 'commit', ...base, digest: A }, false],
    [{ kind: 'commit', ...base, digest: A }, { kind: 'skip', ...base, tip: view(4) }, true],
    [{ kind: 'commit', ...base, digest: A }, { kind: 'skip', epoch: EPOCH, view: view(9), tip: view(4) }, true],
    [{ kind: 'commit', ...base, digest: A }, { kind: 'skip', epoch: EPOCH, view: view(9), tip: view(5) }, false],
    [{ kind: 'commit', ...base, digest: A }, { kind: 'skip', epoch: EPOCH, view: view(4), tip: view(0) }, false],
    [{ kind: 'prepare', ...base, digest: A }, { kind: 'skip', ...base, tip: view(4) }, false],
    [{ kind: 'skip', ...base, tip: view(1) }, { kind: 'skip', ...base, tip: view(4) }, false],
    [state, { ...state, root: B }, true],
    [state, { ...state, members: nodes(5) }, true],
    [state, { ...state, height: height(10), root: B }, false],
  ]

  it('B-8 convicts of exactly what a correct member never signs, in either order', () => {
    for (const [a, b, convicts] of pairs) {
      expect(conflict(a, b), `${JSON.stringify(a)} and ${JSON.stringify(b)}`).toBe(convicts)
      expect(conflict(b, a)).toBe(convicts)
      expect(conflict(a, a)).toBe(false)
    }
  })
})

describe('vote ledger', () => {
  const vote = (kind: 'prepare' | 'commit', what: Digest, at = 5): Vote => ({
    kind,
    epoch: EPOCH,
    view: view(at),
    digest: what,
  })

  it('B-3 counts a member once and by digest', () => {
    const ledger = new VoteLedger(group(4), RULES)
    const add = (seat: number, what: Digest) =>
      ledger.add(seat as Seat, cast(nodes(4)[seat] as NodeId, vote('prepare', what)), false)
    add(0, A)
    add(0, A)
    add(1, A)
    add(2, B)
    expect(ledger.tally('prepare', view(5), A).unchecked).toHaveLength(2)
    expect(ledger.tally('prepare', view(5), B).unchecked).toHaveLength(1)
  })

  it('B-10 reports a vote that contradicts an earlier one, across kinds and views', () => {
    const ledger = new VoteLedger(group(4), RULES)
    const seat = 1 as Seat
    ledger.add(seat, cast('b' as NodeId, vote('commit', A)), false)
    const skip = cast('b' as NodeId, { kind: 'skip', epoch: EPOCH, view: view(8), tip: view(4) })
    expect(ledger.add(seat, skip, false)).toMatchObject({ kind: 'conflict', earlier: { vote: { kind: 'commit' } } })
    expect(ledger.add(seat, cast('b' as NodeId, vote('prepare', B)), false)).toMatchObject({ kind: 'conflict' })
  })

  it('B-16 counts only skips whose tip can be shown', () => {
    const ledger = new VoteLedger(group(4), RULES)
    for (const [seat, tip] of [4, 2, 9].entries()) {
      ledger.add(
        seat as Seat,
        cast(nodes(4)[seat] as NodeId, { kind: 'skip', epoch: EPOCH, view: view(10), tip: view(tip) }),
        true,
      )
    }
    expect(ledger.skips(view(10), view(4)).good).toHaveLength(2)
  })

  it('B-9 forgets views below its window', () => {
    const ledger = new VoteLedger(group(4), RULES)
    for (let at = 1; at <= 50; at++) ledger.add(0 as Seat, cast('a' as NodeId, vote('commit', A, at)), false)
    ledger.prune(view(40))
    expect(ledger.views).toBe(11)
  })

  it('B-9 keeps one checkpoint vote per member, the highest', () => {
    const ledger = new CheckpointLedger()
    const state = (at: number): CheckpointVote => ({
      kind: 'checkpoint',
      epoch: EPOCH,
      height: height(at),
      digest: A,
      root: A,
      members: nodes(4),
    })
    for (const at of [5, 10, 5]) ledger.add(0 as Seat, { vote: state(at), signature: new Uint8Array(64) }, false)
    expect(ledger.tally(state(10))).toHaveLength(1)
    expect(ledger.tally(state(5))).toHaveLength(0)
  })
})

describe('certificates', () => {
  const four = group(4)

  it('B-3 have exactly q distinct seats of the epoch', () => {
    expect(wellFormed(certificate('prepare', 3, A, [0, 1, 2]), four, RULES)).toBe(true)
    expect(wellFormed(certificate('prepare', 3, A, [0, 1]), four, RULES)).toBe(false)
    expect(wellFormed(certificate('prepare', 3, A, [0, 1, 1]), four, RULES)).toBe(false)
    expect(wellFormed(certificate('prepare', 3, A, [0, 1, 9]), four, RULES)).toBe(false)
    expect(wellFormed(certificate('prepare', 0, A, [0, 1, 2]), four, RULES)).toBe(false)
    expect(wellFormed(certificate('prepare', 3, A, [0, 1, 2]), four.successor(nodes(4)), RULES)).toBe(false)
  })

  it('B-16 of a skip show a certificate no lower than the highest tip named', () => {
    const tip = certificate('prepare', 3, A, [0, 1, 2]) as SkipCertificate['tip']
    const skip = (tips: readonly number[], shown: SkipCertificate['tip']): SkipCertificate => ({
      kind: 'skip',
      epoch: EPOCH,
      view: view(6),
      votes: tips.map((at, seat) => ({ seat: seat as Seat, tip: view(at), signature: new Uint8Array(64) })),
      tip: shown,
    })
    expect(wellFormed(skip([0, 3, 2], tip), four, RULES)).toBe(true)
    expect(wellFormed(skip([0, 3, 2], undefined), four, RULES)).toBe(false)
    expect(wellFormed(skip([0, 4, 2], tip), four, RULES)).toBe(false)
    expect(wellFormed(skip([0, 0, 0], undefined), four, RULES)).toBe(true)
    expect(wellFormed(skip([6, 0, 0], tip), four, RULES)).toBe(false)
  })
})

describe('rules', () => {
  it('B-17 justify a view by the one before, or by a skip that covers everything since the tip', () => {
    expect(RULES.justified(view(4), view(5), undefined)).toBe(true)
    expect(RULES.justified(view(3), view(5), undefined)).toBe(false)
    expect(RULES.justified(view(3), view(5), { view: view(4), tip: view(3) })).toBe(true)
    expect(RULES.justified(view(2), view(5), { view: view(4), tip: view(3) })).toBe(false)
    expect(RULES.justified(view(3), view(6), { view: view(4), tip: view(3) })).toBe(false)
    expect(RULES.justified(view(5), view(5), undefined)).toBe(false)
  })
})

describe('hashing', () => {
  const body = (nonce: number, text: string) => ({ requests: [requestOf('a' as NodeId, nonce, text)], evidence: [] })

  it('tells contents and headers apart however they share a place, and takes no other evidence for the same', () => {
    const hashing = Hashing.with(fakeHash)
    const bodies = Array.from({ length: 70 }, (_, i) => body(i, `w:${i}`))
    const digests = bodies.map((each) => hashing.payload(each))
    expect(new Set(digests).size).toBe(70)
    expect(bodies.map((each) => hashing.payload(each))).toEqual(digests)
    const [first] = bodies
    if (first === undefined) throw new Error('there are bodies')
    const evidence = [{ signer: 'b' as NodeId, first: cast('b' as NodeId, VOTE), second: cast('b' as NodeId, VOTE) }]
    expect(hashing.payload({ ...first, evidence })).not.toBe(hashing.payload(first))
    expect(hashing.payload({ ...first })).toBe(digests[0])
    const headers = Array.from({ length: 200 }, (_, i) => headerOf(i))
    const named = headers.map((header) => hashing.header(header))
    expect(new Set(named).size).toBe(200)
    expect(headers.map((header) => hashing.header({ ...header }))).toEqual(named)
  })
})

const VOTE: Vote = { kind: 'prepare', epoch: EPOCH, view: view(1), digest: A }

function headerOf(at: number): Header {
  const about = { group: 'g' as GroupId, epoch: EPOCH, height: height(at), parent: A, proposer: 'a' as NodeId }
  return { ...about, at: 0 as WallMillis, boundary: false, payload: B }
}

describe('chain', () => {
  const hashing = Hashing.with(fakeHash)
  const ground = {
    digest: GENESIS,
    header: { height: height(0), at: 0 as WallMillis, boundary: true },
    segmentBlocks: 0,
    segmentBytes: 0,
  }
  const block = (at: number, parent: Digest, boundary = false): Block => {
    const header = {
      group: 'g' as GroupId,
      epoch: EPOCH,
      height: height(at),
      parent,
      proposer: 'a' as NodeId,
      at: 0 as WallMillis,
      boundary,
      payload: A,
    } as Header
    return altered({ crypto: FAKE_CRYPTO }, { header, requests: [], evidence: [] }, {})
  }

  it('finds the way down to the final head, or what is missing of it', () => {
    const chain = new Chain(hashing, 1_000_000, ground)
    const one = chain.weigh(block(1, GENESIS))
    const two = chain.add(block(2, one.digest))
    expect(chain.path(two.digest)).toEqual({ kind: 'missing', digest: one.digest })
    chain.add(one.block)
    expect(chain.path(two.digest)).toMatchObject({
      kind: 'known',
      entries: [{ digest: one.digest }, { digest: two.digest }],
    })
    chain.finalise(one)
    expect(chain.path(one.digest)).toMatchObject({ kind: 'known', entries: [] })
    expect(chain.path(chain.add(block(1, GENESIS, true)).digest)).toEqual({ kind: 'aside' })
  })

  it('B-18 counts a segment from the block after a boundary', () => {
    const one = onto(ground, new Chain(hashing, 1_000_000, ground).weigh(block(1, GENESIS, true)))
    expect(one.segmentBlocks).toBe(1)
    expect(onto(one, new Chain(hashing, 1_000_000, ground).weigh(block(2, one.digest))).segmentBlocks).toBe(1)
  })

  it('B-9 evicts the oldest when it is full', () => {
    const chain = new Chain(hashing, 3_000, ground)
    for (let at = 1; at <= 50; at++) chain.add(block(at, digest(`parent ${at}`)))
    expect(chain.bytes).toBeLessThanOrEqual(3_000)
  })
})

describe('pool', () => {
  const params = consensusParams({ poolRequestsMax: 10, openNoncesMax: 6, requestsInFlightMax: 2 })

  it('B-9 refuses beyond its bounds, per client and in all; B-12 selects in order of arrival', () => {
    const pool = new RequestPool(params)
    const taken = Array.from({ length: 8 }, (_, i) =>
      pool.add(requestOf('c' as NodeId, i + 1, `w:${i}`), 'a' as NodeId),
    )
    expect(taken.filter(Boolean)).toHaveLength(6)
    for (let i = 1; i <= 6; i++) pool.add(requestOf('d' as NodeId, i, `w:${i}`), 'a' as NodeId)
    expect(pool.size).toBe(10)
    const order = pool.select([], () => true).map(({ request }) => `${request.client}${request.nonce}`)
    expect(order).toEqual(['c1', 'c2', 'c3', 'c4', 'c5', 'c6', 'd1', 'd2', 'd3', 'd4'])
  })

  it('B-9 gives no client more than its share of the bytes', () => {
    const pool = new RequestPool(consensusParams({ poolBytesMax: 1_800_000 }))
    const big = (client: string, nonce: number) => requestOf(client as NodeId, nonce, `w:${'x'.repeat(30_000)}`)
    expect([1, 2, 3, 4, 5, 6].filter((nonce) => pool.add(big('c', nonce), 'a' as NodeId))).toHaveLength(4)
    expect(pool.add(big('d', 1), 'a' as NodeId)).toBe(true)
  })

  it('B-12 takes no request that no block could hold, so that none waits behind it', () => {
    const pool = new RequestPool(params)
    const { request, signature } = requestOf('c' as NodeId, 1, 'w:1')
    const operations = Array.from({ length: 6 }, () => new Uint8Array(30_000))
    expect(pool.add({ request: { ...request, operations }, signature }, 'a' as NodeId)).toBe(false)
    pool.add(requestOf('d' as NodeId, 1, 'w:2'), 'a' as NodeId)
    expect(pool.select([], () => true)).toHaveLength(1)
  })

  it('B-9 selects no more operations than a block may hold, however short they are', () => {
    const pool = new RequestPool(consensusParams())
    for (let nonce = 1; nonce <= 30; nonce++) pool.add(manyOf('c' as NodeId, nonce), 'a' as NodeId)
    expect(operationsIn(pool.select([], () => true))).toBe(OPERATIONS_PER_BLOCK_MAX)
  })

  it('B-22 knows a request whose signature was looked at by its content, not by its name', () => {
    const pool = new RequestPool(params)
    const [first, second] = [requestOf('c' as NodeId, 1, 'w:1'), requestOf('c' as NodeId, 1, 'w:2')]
    pool.add(first, 'a' as NodeId)
    const copy = { ...first.request, operations: first.request.operations.map((operation) => operation.slice()) }
    expect([first.request, copy, second.request].map((request) => pool.has(request))).toEqual([true, true, false])
  })

  it('selects no request of a session that a block below has left behind', () => {
    const pool = new RequestPool(params)
    pool.add(requestOf('c' as NodeId, 1, 'w:1', 1), 'a' as NodeId)
    pool.add(requestOf('d' as NodeId, 1, 'w:2', 1), 'a' as NodeId)
    const below = [{ block: { requests: [requestOf('c' as NodeId, 1, 'w:3', 2)] } }] as unknown as readonly Entry[]
    expect(pool.select(below, () => true).map(({ request }) => request.client)).toEqual(['d'])
  })

  it('takes one request under a name, and makes room when it is final', () => {
    const pool = new RequestPool(params)
    const first = requestOf('c' as NodeId, 1, 'w:1')
    expect(pool.add(first, 'a' as NodeId)).toBe(true)
    expect(pool.add(requestOf('c' as NodeId, 1, 'w:2'), 'a' as NodeId)).toBe(false)
    pool.remove(first.request)
    expect([pool.size, pool.bytes]).toEqual([0, 0])
  })
})

describe('pace', () => {
  const params = consensusParams({ viewTimeoutMs: 100, viewTimeoutMaxMs: 1_000, commitWaitMs: 50, sitOutTurnsMax: 7 })

  it('B-11 doubles with each view without a decision, up to a bound, and returns', () => {
    const pace = new Pace(params, RULES, 4, 3)
    const times = Array.from({ length: 7 }, () => {
      pace.skipped(0 as Seat, false)
      return pace.timeoutMs()
    })
    expect(times).toEqual([100, 200, 400, 800, 1000, 1000, 1000])
    pace.finalised()
    expect(pace.timeoutMs()).toBe(100)
  })

  it('B-28 takes a time-out from what views take here, once half of the primaries had one', () => {
    const pace = new Pace(params, RULES, 4, 3)
    const waited = (seat: number, tookMs: number): number => {
      pace.certified(seat as Seat, tookMs)
      pace.finalised()
      return pace.timeoutMs()
    }
    expect([waited(0, 200), waited(1, 200), waited(2, 240)]).toEqual([100, 800, 800])
    expect(pace.commitWaitMs()).toBe(200)
    pace.skipped(3 as Seat, false)
    pace.skipped(3 as Seat, false)
    expect(pace.timeoutMs()).toBe(1_000)
    for (let i = 0; i < 30; i++) waited(i % 3, 2)
    expect(pace.timeoutMs()).toBeCloseTo(100 / 3)
    // B-11: of which its proposal needs the other half.
    expect(pace.commitWaitMs()).toBeCloseTo(100 / 6)
  })

  it('B-13 an idle primary never waits longer than its view lasts, however long views took before', () => {
    const pace = new Pace(params, RULES, 2, 2)
    pace.certified(0 as Seat, 27_000)
    pace.certified(1 as Seat, 27_000)
    for (let i = 0; i < 20; i++) {
      pace.skipped((i % 2) as Seat, false)
      expect(pace.commitWaitMs()).toBeLessThanOrEqual(pace.timeoutMs() / 2)
    }
  })

  it('B-26 sits out a silent primary for ever more turns, and at most n - q at a time', () => {
    const pace = new Pace(params, RULES, 4, 3)
    const turns = (seat: number): number => {
      let count = 0
      while (pace.sitsOut(seat as Seat)) count += 1
      return count
    }
    const seen = [1, 2, 3, 4].map(() => {
      pace.skipped(2 as Seat, false)
      return turns(2)
    })
    expect(seen).toEqual([1, 3, 7, 7])
    pace.skipped(0 as Seat, false)
    pace.skipped(1 as Seat, false)
    expect([turns(0) > 0, turns(1) > 0]).toEqual([false, true])
    pace.certified(2 as Seat, undefined)
    pace.skipped(2 as Seat, false)
    expect(turns(2)).toBe(1)
  })

  it('B-26 sits out a primary that is slow where the others are not, and nobody where all are', () => {
    const slow = new Pace(params, RULES, 4, 3)
    for (const [seat, tookMs] of [2, 3, 4].entries()) slow.certified(seat as Seat, tookMs)
    slow.certified(3 as Seat, 90)
    expect([0, 1, 2, 3].map((seat) => slow.sitsOut(seat as Seat))).toEqual([false, false, false, true])
    const distant = new Pace(params, RULES, 4, 3)
    for (const [seat, tookMs] of [60, 70, 80, 90].entries()) distant.certified(seat as Seat, tookMs)
    expect([0, 1, 2, 3].some((seat) => distant.sitsOut(seat as Seat))).toBe(false)
  })
})

describe('status', () => {
  it('is told by all groups of a node at the same times, whenever they began', () => {
    const toldAt = (begun: number): readonly number[] => {
      const told: number[] = []
      const context = { now: begun, member: true, params: { statusMs: 5_000 }, broadcast: () => told.push(context.now) }
      const syncing = new Syncing(context as unknown as Context)
      for (; context.now < 30_000; context.now += 100) syncing.tickStatus({} as Status)
      return told
    }
    // At once, and then with the others.
    expect(toldAt(1_200)).toEqual([1_200, 5_000, 10_000, 15_000, 20_000, 25_000])
    expect(toldAt(4_300)).toEqual([4_300, 5_000, 10_000, 15_000, 20_000, 25_000])
  })
})
