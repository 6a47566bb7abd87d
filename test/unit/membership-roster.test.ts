import { describe, expect, test } from 'vitest'
import type { Incarnation, NodeId } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES, type MemberEntry, presenceBody } from '../../src/membership/index.ts'
import { WANTED_MAX } from '../../src/membership/messages.ts'
import { decode } from '../../src/wire/index.ts'
import { UNKNOWN_ORG } from './membership-net.ts'
import { entry, rumour, Solo, sent } from './membership-solo.ts'

const SUSPICION_MS = 30_000

describe('members and their incarnations', () => {
  test('M-1: an older word of a node changes nothing', () => {
    const solo = new Solo()
    solo.meet('a')
    solo.hear('a', { entries: [entry('b', 7)] })
    solo.hear('a', { entries: [entry('b', 6), entry('b', 7, 'alive')] })
    expect(solo.incarnation('b')).toBe(7)
    expect(solo.events('member-up')).toHaveLength(2)
  })

  test('M-1: only the subject can raise its incarnation; a forged entry costs who passes it on', () => {
    const solo = new Solo()
    solo.meet('a')
    const forged = { ...entry('b', 9), certificate: entry('a', 1).certificate }
    const tampered = entry('b', 9)
    const bytes = tampered.presence.bytes.slice()
    bytes[0] = 8
    const effects = solo.hear('a', { entries: [forged, { ...tampered, presence: { ...tampered.presence, bytes } }] })
    expect(solo.state('b')).toBeUndefined()
    expect(effects.filter((e) => e.kind === 'penalise')).toHaveLength(2)
    expect(solo.observations('rejected')).toHaveLength(2)
  })

  test('M-21: members of an organisation that is not known here yet cost nobody points, but who makes them up does', () => {
    const solo = new Solo()
    solo.meet('a', 'liar')
    const stranger = (name: string): MemberEntry => {
      const certificate = { node: name, org: UNKNOWN_ORG, roles: ['worker'], labels: {}, epoch: 1 }
      return { ...entry(name, 1), certificate: new TextEncoder().encode(JSON.stringify(certificate)) }
    }
    const hear = (from: string, count: number) => {
      for (let i = 0; i < count; i++) solo.hear(from, { entries: [stranger(`s${i}`)] })
    }
    const charged = () => solo.effects.flatMap((e) => (e.kind === 'penalise' ? [e.peer] : []))
    // All that an organisation has, in one comparison of tables; and again in the next ones, until the decision is here.
    for (let round = 0; round < 12; round++) {
      hear('a', WANTED_MAX)
      solo.run(MEMBERSHIP_PROFILES.lan.syncIntervalMs)
      solo.link('a')
    }
    expect(charged()).toEqual([])
    hear('liar', 10_000)
    expect(new Set(charged())).toEqual(new Set(['liar']))
    expect(charged().length).toBeGreaterThan(5)
  })

  describe('M-31: of what one member says of itself', () => {
    /** What is known of `liar` after it has said `count` words at once, each of which one of `tellers` passes on. */
    function flood(solo: Solo, tellers: readonly string[], count: number): number {
      const known = solo.incarnation('liar') ?? 0
      for (let i = 1; i <= count; i++) {
        for (const teller of tellers) solo.hear(teller, { entries: [entry('liar', known + i)] })
      }
      return (solo.incarnation('liar') ?? 0) - known
    }

    test('a few words are checked at once, whoever passes them on, and a few a second', () => {
      const solo = new Solo()
      solo.meet('a', 'b', 'liar')
      const { refutationsPerSecond } = MEMBERSHIP_PROFILES.lan
      const atOnce = flood(solo, ['liar', 'a', 'b'], 1000)
      // A correct one has four seconds' worth of refutations, and so has its copy.
      expect(atOnce).toBeGreaterThanOrEqual(2 * 4 * refutationsPerSecond)
      expect(atOnce).toBeLessThan(50)
      solo.run(3_000)
      expect(flood(solo, ['a'], 1000)).toBe(3 * 2 * refutationsPerSecond)
    })

    test('the latest is asked for when it is heard of again, and others are heard as ever', () => {
      const solo = new Solo()
      solo.meet('a', 'liar')
      flood(solo, ['liar'], 1000)
      solo.hear('liar', { entries: [entry('a', 2)] })
      expect(solo.incarnation('a')).toBe(2)
      solo.run(1_000)
      const wanted = sent(solo.hear('a', { rumours: [rumour('liar', 5000, 'alive')] }), 'membership.sync-request')
      expect(wanted.map(({ to, body }) => ({ to, body }))).toEqual([
        { to: 'a', body: { kind: 'want', nodes: ['liar'] } },
      ])
      solo.hear('a', { entries: [entry('liar', 5000)] })
      expect(solo.incarnation('liar')).toBe(5000)
    })

    test('a table of thousands is taken in at once from whoever shows it', () => {
      const solo = new Solo()
      solo.meet('a')
      for (const incarnation of [1, 2]) {
        for (let i = 0; i < 3000; i++) solo.hear('a', { entries: [entry(`n${i}`, incarnation)] })
      }
      expect(solo.core.upCount).toBe(3002)
      expect(solo.incarnation('n2999')).toBe(2)
    })
  })

  test('M-2: the dead stay dead under their incarnation, and come back under a higher one', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    solo.hear('a', { entries: [entry('c', 3)], rumours: [rumour('c', 3, 'dead', 'b')] })
    solo.run(SUSPICION_MS)
    expect(solo.state('c')).toBe('dead')
    solo.hear('a', { entries: [entry('c', 3)], rumours: [rumour('c', 3, 'alive')] })
    expect(solo.state('c')).toBe('dead')
    solo.hear('a', { entries: [entry('c', 4)] })
    expect(solo.state('c')).toBe('alive')
  })

  test('M-3: reachability is only ever an event; nobody is admitted without a certificate', () => {
    const solo = new Solo()
    solo.link('a')
    expect(solo.state('a')).toBeUndefined()
    solo.hear('a', { rumours: [rumour('b', 1, 'alive')] })
    expect(solo.state('b')).toBeUndefined()
  })

  test('M-4: at the bound the oldest left goes, then the oldest dead, and then newcomers are refused', () => {
    const solo = new Solo({ params: { membersMax: 6, fullMeshMax: 4, fullMeshMin: 2 } })
    solo.meet('a')
    for (const node of ['dead', 'left', 'c', 'd']) solo.hear('a', { entries: [entry(node, 1)] })
    solo.hear('a', { rumours: [rumour('dead', 1, 'dead', 'c')] })
    solo.run(SUSPICION_MS)
    for (const node of ['a', 'c', 'd']) solo.hear('a', { entries: [entry(node, 2)] })
    solo.hear('a', { entries: [entry('left', 2, 'left')] })
    expect([...solo.core.members()]).toHaveLength(6)
    solo.hear('a', { entries: [entry('e', 1)] })
    expect([solo.state('left'), solo.state('dead'), solo.state('e')]).toEqual([undefined, 'dead', 'alive'])
    solo.hear('a', { entries: [entry('f', 1)] })
    expect([solo.state('dead'), solo.state('f')]).toEqual([undefined, 'alive'])
    solo.hear('a', { entries: [entry('g', 1)] })
    expect(solo.state('g')).toBeUndefined()
    expect(solo.observations('table-full')).toHaveLength(1)
    expect([...solo.core.members()]).toHaveLength(6)
    // Without a look at its signatures, or whoever finds no room could have as many checked as it likes (M-31).
    const effects = solo.hear('a', { entries: [{ ...entry('h', 1), certificate: entry('a', 1).certificate }] })
    expect(effects.filter(({ kind }) => kind === 'penalise')).toEqual([])
    expect(solo.observations('table-full')).toHaveLength(2)
  })

  test('M-8: what is published was reserved in the log before, and a restart begins above it', () => {
    const solo = new Solo({ ceiling: 40, params: { incarnationsReserved: 2 } })
    expect(solo.core.self().incarnation).toBe(41)
    solo.meet('a')
    for (let i = 0; i < 6; i++) {
      solo.hear('a', { rumours: [rumour('me', solo.core.self().incarnation, 'suspect', 'a')] })
      solo.run(1000)
    }
    expect(solo.core.self().incarnation).toBe(47)
    let reserved = 0
    let published = 0
    for (const effect of solo.effects) {
      if (effect.kind === 'persist' && effect.record.kind === 'incarnation') reserved = effect.record.ceiling
      if (effect.kind !== 'send' || effect.message.kind !== 'membership.gossip') continue
      for (const { presence } of effect.message.body.entries) {
        const said = decode(presenceBody, presence.bytes)
        expect(said.ok && said.value.incarnation <= reserved).toBe(true)
        published += 1
      }
    }
    expect(published).toBe(7)
  })

  test('M-9: a claim about an unheard-of incarnation waits for its proof', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    solo.hear('a', { entries: [entry('c', 1)] })
    const effects = solo.hear('a', { rumours: [rumour('c', 2 ** 40, 'dead', 'b')] })
    expect(sent(effects, 'membership.sync-request')[0]?.body).toEqual({ kind: 'want', nodes: ['c'] })
    expect(solo.state('c')).toBe('alive')
    solo.hear('a', { rumours: [rumour('c', 5, 'dead', 'b')] })
    solo.hear('a', { entries: [entry('c', 2)] })
    expect(solo.state('c')).toBe('alive')
  })

  test('M-9: the parked claim counts once its incarnation is proven', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    solo.hear('a', { rumours: [rumour('b', 5, 'dead', 'a')] })
    solo.hear('a', { entries: [entry('b', 5)] })
    expect(solo.state('b')).toBe('suspect')
  })

  test('M-20: who has left stays left for that incarnation', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    solo.hear('b', { entries: [entry('b', 2, 'left')] })
    expect(solo.state('b')).toBe('left')
    solo.hear('a', { entries: [entry('b', 2)], rumours: [rumour('b', 2, 'dead', 'a'), rumour('b', 2, 'suspect', 'a')] })
    solo.run(SUSPICION_MS)
    expect(solo.state('b')).toBe('left')
    solo.hear('b', { entries: [entry('b', 3)] })
    expect(solo.state('b')).toBe('alive')
    // Should a subject sign both under one incarnation, its good-bye is the greater.
    solo.hear('b', { entries: [entry('b', 3, 'left'), entry('b', 3)] })
    expect(solo.state('b')).toBe('left')
  })

  test('an entry that is rumoured is asked for once, then had in full', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const first = solo.hear('a', { rumours: [rumour('c', 1, 'alive')] })
    const second = solo.hear('b', { rumours: [rumour('c', 1, 'alive')] })
    expect(sent(first, 'membership.sync-request').map((m) => m.to)).toEqual(['a'])
    expect(sent(second, 'membership.sync-request')).toEqual([])
    solo.run(1000)
    const third = solo.hear('b', { rumours: [rumour('c', 1, 'alive')] })
    expect(sent(third, 'membership.sync-request').map((m) => m.to)).toEqual(['b'])
  })

  test('the revoked are put out and stay out', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const effects = solo.step({ kind: 'revoke', node: 'b' as NodeId })
    expect(effects).toContainEqual({ kind: 'disconnect', peer: 'b', reason: 'certificate-revoked' })
    solo.hear('a', { entries: [entry('b', 9)] })
    expect(solo.core.isUp('b' as NodeId)).toBe(false)
  })

  test('tombstones expire, and the node is then unknown', () => {
    const solo = new Solo({ params: { tombstoneMs: 60_000 } })
    solo.meet('a')
    solo.hear('a', { entries: [entry('b', 1)] })
    solo.hear('a', { entries: [entry('b', 2, 'left')] })
    solo.run(50_000)
    expect(solo.state('b')).toBe('left')
    solo.run(30_000)
    expect(solo.state('b')).toBeUndefined()
    expect(solo.events('member-forgotten')).toContainEqual({ kind: 'member-forgotten', node: 'b' })
  })
})

describe('M-7: who is remembered for the next run', () => {
  /** The last that was written down, sorted. */
  function remembered(solo: Solo): string[] | undefined {
    const written = solo.effects.flatMap((e) => (e.kind === 'persist' && e.record.kind === 'peers' ? [e.record] : []))
    return written
      .at(-1)
      ?.peers.map(({ node }) => node)
      .sort()
  }
  const { rememberIntervalMs } = MEMBERSHIP_PROFILES.lan

  test('the neighbours, and beside few of them those of the last run', () => {
    const solo = new Solo({ peers: ['old', 'a'] })
    solo.meet('a')
    solo.run(rememberIntervalMs)
    expect(remembered(solo)).toEqual(['a', 'old'])
  })

  test('but nobody who is known to have left', () => {
    const solo = new Solo({ peers: ['gone', 'a'] })
    solo.meet('a')
    solo.hear('a', { entries: [entry('gone', 1), entry('gone', 1, 'left')] })
    solo.run(rememberIntervalMs)
    expect(remembered(solo)).toEqual(['a'])
  })

  test('those who were lost in this run', () => {
    const solo = new Solo()
    solo.meet('a', 'b', 'c')
    solo.run(2_000)
    expect(remembered(solo)).toEqual(['a', 'b', 'c'])
    // Nobody answers.
    solo.run(rememberIntervalMs)
    expect(['a', 'b', 'c'].map((node) => solo.state(node))).toEqual(['dead', 'dead', 'dead'])
    solo.meet('d')
    for (let i = 0; i < rememberIntervalMs / 1000; i++) {
      solo.hear('d', { entries: [entry('d', 2 + i)] })
      solo.run(1000)
    }
    expect(remembered(solo)).toEqual(['a', 'b', 'c', 'd'])
  })

  test('those who came soon after the first, before long', () => {
    const solo = new Solo()
    solo.meet('a')
    solo.run(2_000)
    expect(remembered(solo)).toEqual(['a'])
    solo.meet('b', 'c')
    solo.run(3_000)
    expect(remembered(solo)).toEqual(['a', 'b', 'c'])
  })

  test('nobody of before beside enough neighbours', () => {
    const nodes = Array.from({ length: 9 }, (_, i) => `n${i}`)
    const solo = new Solo({ peers: ['old'] })
    solo.meet(...nodes)
    solo.run(2_000)
    expect(remembered(solo)).toEqual(nodes)
  })
})

describe('M-7: a newcomer whose issuer has gone', () => {
  const dialled = (solo: Solo) => solo.effects.flatMap((e) => (e.kind === 'connect' ? [e.peer] : []))

  test('whoever is met on the LAN, without end, takes no turn from those that it remembers', () => {
    const solo = new Solo({ peers: ['old'] })
    let strangers = 0
    for (let second = 0; second < 30; second++) {
      for (let i = 0; i < 8; i++) solo.step({ kind: 'introduce', peer: `s${strangers++}` as NodeId, addresses: [] })
      solo.run(1000)
    }
    const dialled = solo.effects.flatMap((effect) => (effect.kind === 'connect' ? [effect.peer] : []))
    expect(dialled.filter((peer) => peer === 'old').length).toBeGreaterThan(5)
    expect(dialled.filter((peer) => peer !== 'old').length).toBeGreaterThan(20)
  })

  test('turns to those that it was told of, and to nobody of them while the issuer may still answer', () => {
    const solo = new Solo({ peers: ['issuer'], spares: ['a', 'b'] })
    expect(dialled(solo)).toEqual(['issuer'])
    solo.run(MEMBERSHIP_PROFILES.lan.recontactIntervalMs)
    expect(new Set(dialled(solo))).toEqual(new Set(['issuer', 'a', 'b']))
  })
})

describe('M-7: comparing tables', () => {
  const buckets = Array.from({ length: 256 }, (_, i) => i)

  test('equal hashes end it; others are answered with all rows of the buckets that differ', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const [question] = sent(solo.effects, 'membership.sync-request')
    expect(question?.body.kind).toBe('hashes')
    const twin = new Solo()
    twin.meet('b', 'a')
    twin.hear('a', { entries: [entry('c', 4)] })
    solo.hear('a', { entries: [entry('c', 4)] })
    const before = solo.effects.length
    solo.run(10_000)
    const asked = sent(solo.effects.slice(before), 'membership.sync-request').filter((m) => m.body.kind === 'hashes')
    for (const { body } of asked) expect(twin.say('a', { kind: 'membership.sync-request', body })).toEqual([])
    const empty = { kind: 'hashes' as const, hashes: buckets.map(() => 0) }
    const [answer] = sent(twin.say('a', { kind: 'membership.sync-request', body: empty }), 'membership.sync-request')
    const nodes = answer?.body.kind === 'rows' ? answer.body.rows.map((row) => row.node) : []
    expect([...nodes].sort()).toEqual(['a', 'b', 'c', 'me'])
  })

  test('rows are answered with what the other lacks, and with questions for what it knows better', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    solo.hear('a', { entries: [entry('old', 1), entry('new', 5), entry('same', 2)] })
    const rows = [
      rumour('old', 3, 'alive'),
      rumour('new', 4, 'alive'),
      rumour('same', 2, 'alive'),
      rumour('b', 1, 'alive'),
    ]
    const body = { kind: 'rows' as const, buckets, rows }
    const effects = solo.say('a', { kind: 'membership.sync-request', body })
    const given = sent(effects, 'membership.sync-reply').flatMap((m) => m.body.entries.map((e) => e.presence.signer))
    expect([...given].sort()).toEqual(['a', 'me', 'new'])
    expect(sent(effects, 'membership.sync-request')).toMatchObject([
      { to: 'a', body: { kind: 'want', nodes: ['old'] } },
    ])
  })

  test.each([20, 150])(
    'a peer that never has enough, every %i ms, keeps nobody else from being compared with',
    (everyMs) => {
      const solo = new Solo()
      solo.meet('a', 'b')
      for (let i = 0; i < 600; i++) solo.hear('b', { entries: [entry(`n${i}`, 1)] })
      const before = solo.effects.length
      const body = { kind: 'rows' as const, buckets, rows: [] }
      for (let ms = 0; ms < 30_000; ms += everyMs) {
        solo.say('a', { kind: 'membership.sync-request', body })
        solo.run(everyMs)
      }
      const asked = sent(solo.effects.slice(before), 'membership.sync-request').filter((m) => m.body.kind === 'hashes')
      const ofB = asked.filter(({ to }) => to === 'b').length
      // Anyone is a or b.
      expect(ofB).toBeGreaterThan(asked.length / 30)
      expect(ofB).toBeGreaterThan(3)
      // And who has much to catch up with gets it soon.
      expect(asked.length - ofB).toBeGreaterThan(100)
    },
  )
})

describe('this node itself', () => {
  test('M-14: a suspected node refutes in its answer, and to all its links in full', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const mine = solo.core.self().incarnation
    const effects = solo.say('a', {
      kind: 'membership.ping',
      body: {
        sequence: 1,
        mine: 1 as Incarnation,
        yours: mine,
        suspected: true,
        coordinate: solo.core.coordinate,
        rumours: [],
      },
    })
    expect(solo.core.self().incarnation).toBe(mine + 1)
    expect(sent(effects, 'membership.gossip').map((m) => m.to)).toEqual(['a', 'b'])
    const [ack] = sent(effects, 'membership.ack')
    expect(ack?.body.entry?.presence.signer).toBe('me')
  })

  test('M-17: a higher incarnation of its own that it never made is a twin; it goes above it, at a bounded rate', () => {
    const solo = new Solo({ params: { refutationsPerSecond: 1 } })
    solo.meet('a')
    solo.hear('a', { entries: [entry('me', 50)] })
    expect(solo.observations('twin')).toHaveLength(1)
    expect(solo.core.self().incarnation).toBe(51)
    for (let i = 0; i < 100; i++) solo.hear('a', { entries: [entry('me', solo.core.self().incarnation + 1)] })
    expect(solo.core.self().incarnation).toBeLessThan(51 + 2 * 5)
  })

  test('M-17: an invented incarnation of its own, without a signature, moves nothing', () => {
    const solo = new Solo()
    solo.meet('a')
    const mine = solo.core.self().incarnation
    const effects = solo.hear('a', { rumours: [rumour('me', mine + 100, 'dead', 'a')] })
    expect(solo.core.self().incarnation).toBe(mine)
    // But it asks for the proof.
    expect(sent(effects, 'membership.sync-request')).toMatchObject([{ to: 'a', body: { kind: 'want', nodes: ['me'] } }])
  })

  test('changed facts are published under a new incarnation, unchanged ones not at all', () => {
    const solo = new Solo()
    solo.meet('a')
    const { region, zone, labels, version, startedAt, addresses, incarnation } = solo.core.self()
    const same = { region, zone, labels, version, startedAt, addresses }
    expect(solo.step({ kind: 'facts', facts: same })).toEqual([])
    const effects = solo.step({ kind: 'facts', facts: { ...same, labels: { gpu: 'T4' } } })
    expect(solo.core.self()).toMatchObject({ incarnation: incarnation + 1, labels: { gpu: 'T4' } })
    expect(sent(effects, 'membership.gossip')).toHaveLength(1)
  })

  test('leaving is said to all links, signed, and is the last word', () => {
    const solo = new Solo()
    solo.meet('a', 'b')
    const effects = solo.step({ kind: 'leave' })
    expect(sent(effects, 'membership.gossip').map((m) => m.to)).toEqual(['a', 'b'])
    expect(solo.core.deadline()).toBe(Number.POSITIVE_INFINITY)
    const other = new Solo({ id: 'other' })
    other.meet('a')
    const [first] = sent(effects, 'membership.gossip')
    other.hear('a', { entries: [entry('me', 1)] })
    other.hear('a', { entries: first?.body.entries ?? [] })
    expect(other.state('me')).toBe('left')
  })
})
