import { describe, expect, it } from 'vitest'
import { CLOCK_TOLERANCE_MS, type Verifier } from '../../src/identity/index.ts'
import { err, InvariantError, type NodeId, type OrgId, type WallMillis } from '../../src/kernel/index.ts'
import { checkRenewalParams, RENEWAL_PARAMS } from '../../src/renewal/index.ts'
import {
  asked,
  certificate,
  HOUR_MS,
  keys,
  kinds,
  ORG,
  refusals,
  replaced,
  Solo,
  verifier,
  WALL,
} from './renewal-fixtures.ts'

const { backoffMaxMs, patienceMs, reachTimeoutMs, wakeSpreadMs } = RENEWAL_PARAMS

describe('when', () => {
  /** Hours of life left when it asks. */
  function leftWhenAsking(seed: string): number {
    const solo = new Solo({ seed })
    solo.meet('issuer')
    while (asked(solo.run(60_000)).length === 0) if (solo.wall > WALL + 9 * HOUR_MS) throw new Error('never asked')
    return (WALL + 9 * HOUR_MS - solo.wall) / HOUR_MS
  }

  it('G-1 between a third and a quarter of the life, each at a moment of its own', () => {
    const lefts = Array.from({ length: 20 }, (_, i) => leftWhenAsking(`seed ${i}`))
    // A minute is how finely this test looks.
    for (const left of lefts) expect(left).toBeGreaterThan(9 / 4 - 1 / 60 - 1e-9)
    for (const left of lefts) expect(left).toBeLessThanOrEqual(9 / 3)
    expect(new Set(lefts.map((left) => left.toFixed(2))).size).toBeGreaterThan(10)
  })

  it('G-13 a clock that is stepped forward makes it due at once, one that is stepped back makes it wait', () => {
    const solo = new Solo()
    solo.meet('issuer')
    solo.run(10_000)
    solo.wall += 8 * HOUR_MS
    expect(asked(solo.run(2_000))).toEqual(['issuer'])
    solo.wall -= 8 * HOUR_MS
    expect(asked(solo.run(HOUR_MS))).toEqual([])
  })

  it('G-13 a certificate that was made while clocks ran ahead is due as soon as they are right', () => {
    const solo = new Solo({ issuer: ORG })
    solo.wall = WALL + 8760 * HOUR_MS
    const previous = solo.core.certificate
    expect(kinds(solo.run(2000))).toEqual(['issue'])
    const value = keys.certificate(replaced(previous, solo.wall))
    solo.step({ kind: 'issued', id: 1, outcome: { ok: true, value } })
    solo.wall = WALL + HOUR_MS
    expect(kinds(solo.run(2000))).toEqual(['issue'])
    const right = replaced(solo.core.certificate, solo.wall)
    solo.step({ kind: 'issued', id: 2, outcome: { ok: true, value: keys.certificate(right) } })
    expect(solo.core.certificate).toEqual(right)
    expect(solo.run(HOUR_MS)).toEqual([])
  })

  it('is quiet without a clock, and while nothing is due', () => {
    const solo = new Solo()
    solo.meet('issuer')
    expect(solo.core.deadline()).toBe(Number.POSITIVE_INFINITY)
    solo.now += 100 * HOUR_MS
    expect(solo.step({ kind: 'tick' })).toEqual([])
    expect(solo.run(5 * HOUR_MS)).toEqual([])
  })
})

describe('whom', () => {
  it('G-2 one at a time, everyone once before anyone twice, the linked ones first, ever more slowly', () => {
    const solo = new Solo()
    solo.member('far', { issuesFor: ORG })
    solo.meet('near', 'nearer')
    const times: number[] = []
    const names: string[] = []
    solo.wall = WALL + 7 * HOUR_MS
    for (let i = 0; i < 3000 && names.length < 8; i++) {
      for (const effect of solo.run(2000)) {
        if (effect.kind === 'hold' && effect.peers.length > 0) names.push(...effect.peers)
        else if (effect.kind === 'send') names.push(effect.to)
        else continue
        times.push(solo.now)
      }
    }
    expect(new Set(names.slice(0, 2))).toEqual(new Set(['near', 'nearer']))
    expect(names[2]).toBe('far')
    expect(new Set(names.slice(3, 6))).toEqual(new Set(['near', 'nearer', 'far']))
    const gaps = times.slice(1).map((time, i) => time - (times[i] as number))
    expect(gaps[6]).toBeGreaterThan(10 * (gaps[0] as number))
    for (const gap of gaps) expect(gap).toBeLessThanOrEqual(backoffMaxMs * 1.25 + reachTimeoutMs + 2000)
  })

  it('G-2 a grant that leaves it due does not end the back-off', () => {
    const solo = new Solo()
    solo.meet('issuer')
    // This host's clock is a year ahead of the issuer's.
    solo.wall = WALL + 8760 * HOUR_MS
    let requests = 0
    for (let i = 0; i < 1800; i++) {
      const effects = solo.run(2000)
      if (asked(effects).length === 0) continue
      requests += 1
      solo.grant('issuer', replaced(solo.core.certificate, WALL + HOUR_MS + i * 2000))
    }
    expect(solo.core.certificate.epoch).toBe(10 + requests)
    expect(requests).toBeGreaterThan(8)
    // An hour holds six doublings and then one try every five minutes.
    expect(requests).toBeLessThan(24)
  })

  it('asks nobody whose label names another organisation, who is down, or itself', () => {
    const solo = new Solo()
    solo.link('other')
    solo.member('other', { issuesFor: 'globex' })
    solo.meet('gone', 'changed')
    solo.step({ kind: 'member-down', node: 'gone' as NodeId })
    solo.member('changed', {})
    solo.member('me', { issuesFor: ORG })
    expect(asked(solo.runUntilDue())).toEqual([])
  })

  it('G-3 an issuer without a link gets one for as long as it is needed', () => {
    const solo = new Solo()
    solo.member('far', { issuesFor: ORG })
    expect(solo.runUntilDue()).toEqual([{ kind: 'hold', peers: ['far'] }])
    const linked = solo.link('far')
    expect(kinds(linked)).toEqual(['send', 'hold'])
    expect(linked[1]).toEqual({ kind: 'hold', peers: [] })
  })

  it('G-3 gives a link up that does not come', () => {
    const solo = new Solo()
    solo.member('far', { issuesFor: ORG })
    solo.runUntilDue()
    expect(solo.run(reachTimeoutMs)).toContainEqual({ kind: 'hold', peers: [] })
  })
})

describe('a grant', () => {
  /** One that has asked `issuer`; who comes first is drawn. */
  function asking(): Solo {
    for (let i = 0; i < 20; i++) {
      const solo = new Solo({ seed: `asking ${i}` })
      solo.meet('issuer', 'liar')
      if (asked(solo.runUntilDue())[0] === 'issuer') return solo
    }
    throw new Error('the first of two was drawn twenty times')
  }

  it('is used, durable and shown in that order, and told (G-6)', () => {
    const solo = asking()
    const granted = replaced(solo.core.certificate, solo.wall)
    expect(solo.grant('issuer', granted)).toEqual([
      { kind: 'certified', certificate: keys.certificate(granted) },
      { kind: 'observe', observation: { kind: 'renewed', by: 'issuer', epoch: 11, expiresAt: granted.notAfter } },
    ])
    expect(solo.core.certificate).toEqual(granted)
    expect(solo.run(HOUR_MS)).toEqual([])
  })

  it('is kept in a copy of its own, because the frame is used again', () => {
    const solo = asking()
    const bytes = keys.certificate(replaced(solo.core.certificate, solo.wall))
    solo.say('issuer', { kind: 'renewal.granted', body: { certificate: bytes } })
    const kept = solo.effects.findLast((effect) => effect.kind === 'certified')
    bytes.fill(0)
    expect(kept?.kind === 'certified' && kept.certificate.some((byte) => byte !== 0)).toBe(true)
  })

  it('G-4 that nobody asked for, or of another peer than the one asked, is not looked at', () => {
    const solo = asking()
    const granted = replaced(solo.core.certificate, solo.wall)
    expect(solo.grant('liar', granted)).toEqual([])
    expect(solo.grant('stranger', granted)).toEqual([])
    solo.grant('issuer', granted)
    expect(solo.grant('issuer', replaced(granted, solo.wall))).toEqual([])
    expect(solo.core.certificate.epoch).toBe(11)
  })

  it.each([
    ['for another node', { node: 'you' as NodeId }, 20],
    ['of another organisation', { org: 'globex' as OrgId }, 20],
    ['of the same epoch', { epoch: 10 }, 0],
    ['of an older epoch', { epoch: 9 }, 0],
  ])('G-4 %s changes nothing', (_, wrong, points) => {
    const solo = asking()
    const before = solo.core.certificate
    const effects = solo.grant('issuer', replaced(before, solo.wall, wrong))
    expect(solo.core.certificate).toBe(before)
    expect(effects.flatMap((e) => (e.kind === 'penalise' ? [e.points] : []))).toEqual(points === 0 ? [] : [points])
    expect(solo.observed('renewal-refused')).toMatchObject([{ by: 'issuer', node: 'me' }])
    expect(kinds(effects)).not.toContain('certified')
  })

  it('G-4 that is forged changes nothing and costs points; the next one is asked', () => {
    const solo = asking()
    const forged = keys.certificate(replaced(solo.core.certificate, solo.wall))
    forged[30] = (forged[30] ?? 0) ^ 1
    const effects = solo.say('issuer', { kind: 'renewal.granted', body: { certificate: forged } })
    expect(kinds(effects)).toEqual(['observe', 'penalise'])
    expect(asked(solo.run(10_000))[0]).toBe('liar')
  })

  it.each([
    ['a year behind', -8760, false],
    ['a year ahead', 8760, false],
    ['an hour behind', -1, true],
    ['four minutes ahead', 4 / 60, true],
  ])('G-5 of an issuer whose clock is %s does no harm', (_, hours, isUsed) => {
    const solo = asking()
    solo.grant('issuer', replaced(solo.core.certificate, solo.wall + hours * HOUR_MS))
    expect(solo.core.certificate.epoch).toBe(isUsed ? 11 : 10)
  })

  it('G-5 may end earlier than what is held, when the issuer now gives shorter lives', () => {
    const solo = asking()
    const notAfter = (solo.wall + HOUR_MS) as WallMillis
    solo.grant('issuer', replaced(solo.core.certificate, solo.wall, { notAfter }))
    expect(solo.core.certificate.notAfter).toBe(notAfter)
  })

  it('that does not come, or is a refusal, is asked for again elsewhere', () => {
    const solo = asking()
    expect(solo.say('issuer', { kind: 'renewal.refused', body: { reason: 'revoked' } })).toMatchObject([
      { kind: 'observe', observation: { kind: 'renewal-refused', by: 'issuer', node: 'me', reason: 'revoked' } },
    ])
    expect(solo.say('issuer', { kind: 'renewal.refused', body: { reason: 'revoked' } })).toEqual([])
    expect(asked(solo.run(10_000))[0]).toBe('liar')
  })

  it('that the link takes along is asked for again', () => {
    const solo = asking()
    solo.unlink('issuer')
    expect(solo.core.deadline()).toBe(Number.POSITIVE_INFINITY)
    expect(asked(solo.run(10_000))[0]).toBe('liar')
  })
})

describe('the issuer', () => {
  const issuer = () => {
    const solo = new Solo({ issuer: ORG })
    solo.run(2000)
    solo.link('you')
    return solo
  }

  it('G-8 has the same certificate signed again, and hands it over', () => {
    const solo = issuer()
    const shown = certificate('you', { roles: ['worker'], labels: { tier: 'a' } })
    const [issue] = solo.request('you', shown)
    expect(issue).toEqual({ kind: 'issue', request: { id: 1, previous: shown } })
    const signed = new Uint8Array([1, 2, 3])
    expect(solo.step({ kind: 'issued', id: 1, outcome: { ok: true, value: signed } })).toEqual([
      { kind: 'send', to: 'you', message: { kind: 'renewal.granted', body: { certificate: signed } } },
      { kind: 'observe', observation: { kind: 'renewal-granted', node: 'you' } },
    ])
    expect(solo.step({ kind: 'issued', id: 1, outcome: { ok: true, value: signed } })).toEqual([])
  })

  it('says when the desk does not sign', () => {
    const solo = issuer()
    solo.request('you')
    const effects = solo.step({ kind: 'issued', id: 1, outcome: { ok: false, error: 'no key' } })
    expect(refusals(effects)).toEqual(['failed'])
    expect(solo.observed('renewal-refused')).toMatchObject([{ by: 'me', node: 'you', reason: 'no key' }])
  })

  it.each([
    ['of another node', certificate('thief'), 'not-valid'],
    ['of another organisation', certificate('you', { org: 'globex' as OrgId }), 'other-organisation'],
    ['that has ended', certificate('you', { notAfter: (WALL - HOUR_MS) as WallMillis }), 'ended'],
    ['older than one it has shown', certificate('you', { epoch: 9 }), 'outdated'],
  ])('G-7 renews no certificate %s', (_, shown, reason) => {
    const solo = issuer()
    solo.member('you', { epoch: 10 })
    const effects = solo.request('you', shown)
    expect(refusals(effects)).toEqual([reason])
    expect(kinds(effects)).not.toContain('issue')
    expect(kinds(effects).includes('penalise')).toBe(reason === 'not-valid')
    expect(solo.observed('renewal-refused')).toMatchObject([{ by: 'me', node: 'you', reason }])
  })

  it('G-7 renews nothing that does not verify, and nothing of a node that is revoked or not linked', () => {
    const solo = issuer()
    const forged = keys.certificate(certificate('you'))
    forged[30] = (forged[30] ?? 0) ^ 1
    expect(refusals(solo.say('you', { kind: 'renewal.request', body: { certificate: forged } }))).toEqual(['not-valid'])
    expect(solo.request('stranger')).toEqual([])
    solo.step({ kind: 'revoke', node: 'you' as NodeId })
    expect(refusals(solo.request('you'))).toEqual(['revoked'])
  })

  it('G-14 issues for the organisation that its key speaks for now', () => {
    const solo = new Solo()
    solo.link('other')
    solo.run(2000)
    solo.request('other')
    expect(refusals(solo.effects)).toEqual(['not-an-issuer'])
    solo.step({ kind: 'issues-for', org: ORG })
    expect(kinds(solo.request('other'))).toEqual(['issue'])
    // And its own, without asking anybody (G-10).
    expect(kinds(solo.runUntilDue())).toEqual(['issue'])
    solo.step({ kind: 'issues-for', org: undefined })
    solo.request('other')
    expect(refusals(solo.effects)).toEqual(['not-an-issuer', 'not-an-issuer'])
  })

  it.each([
    ['AUTHORITY_UNKNOWN', 'busy'],
    ['AUTHORITY_WITHDRAWN', 'busy'],
    ['CERTIFICATE_REVOKED', 'revoked'],
  ] as const)('G-14 %s: nobody is charged, at either end', (fault, answer) => {
    const later = { ...certificate('me'), labels: { signed: 'later' } }
    const judging: Verifier = {
      ...verifier,
      certificate: (bytes) => {
        const judged = verifier.certificate(bytes)
        return judged.ok && judged.value.labels.signed === 'later' ? err(fault) : judged
      },
    }
    const solo = new Solo({ issuer: ORG, verifier: judging })
    solo.link('other')
    solo.run(2000)
    solo.request('other', { ...certificate('other'), labels: later.labels })
    expect(refusals(solo.effects)).toEqual([answer])
    const applying = new Solo({ verifier: judging })
    applying.meet('issuer')
    expect(asked(applying.runUntilDue())).toEqual(['issuer'])
    const held = applying.core.certificate
    applying.grant('issuer', { ...replaced(held, applying.wall), labels: later.labels })
    expect(applying.core.certificate).toEqual(held)
    for (const { effects } of [solo, applying]) expect(kinds(effects)).not.toContain('penalise')
  })

  it('G-7 honours a certificate for as long as handshakes do', () => {
    const solo = issuer()
    const ended = (solo.wall - 4 * 60_000) as WallMillis
    expect(kinds(solo.request('you', certificate('you', { notBefore: 0 as WallMillis, notAfter: ended })))).toEqual([
      'issue',
    ])
    expect(RENEWAL_PARAMS.clockToleranceMs).toBe(CLOCK_TOLERANCE_MS)
  })

  it('a member without the key says so; one that does not know the time yet passes', () => {
    const member = new Solo()
    member.run(2000)
    member.link('you')
    expect(refusals(member.request('you'))).toEqual(['not-an-issuer'])
    const fresh = new Solo({ issuer: ORG })
    fresh.link('you')
    expect(refusals(fresh.request('you'))).toEqual(['busy'])
  })

  it('G-9 looks at a bounded number of requests per node and minute, and logs no more than that', () => {
    const solo = issuer()
    solo.link('they')
    const outcomes = Array.from({ length: 10 }, () => kinds(solo.request('you')).includes('issue'))
    expect(outcomes.filter(Boolean)).toHaveLength(RENEWAL_PARAMS.requestsBurst)
    expect(solo.observed('renewal-refused')).toEqual([])
    expect(kinds(solo.request('they'))).toEqual(['issue'])
    solo.run(60_000)
    expect(kinds(solo.request('you'))).toEqual(['issue'])
  })

  it('G-9 has a bounded number in hand', () => {
    const solo = new Solo({ issuer: ORG, params: { pendingMax: 2 } })
    solo.run(2000)
    for (const node of ['a', 'b', 'c']) solo.link(node)
    expect(['a', 'b', 'c'].flatMap((node) => refusals(solo.request(node)))).toEqual(['busy'])
    solo.step({ kind: 'issued', id: 1, outcome: { ok: true, value: new Uint8Array(1) } })
    expect(kinds(solo.request('c'))).toEqual(['issue'])
  })

  it('G-10 renews its own certificate, asking nobody', () => {
    const solo = new Solo({ issuer: ORG })
    solo.meet('another')
    const previous = solo.core.certificate
    expect(solo.runUntilDue()).toEqual([{ kind: 'issue', request: { id: 1, previous } }])
    const outcome = { ok: true, value: keys.certificate(replaced(previous, solo.wall)) } as const
    expect(kinds(solo.step({ kind: 'issued', id: 1, outcome }))).toEqual(['certified', 'observe'])
    expect(solo.observed('renewed')).toMatchObject([{ by: 'me' }])
  })

  it('G-10 tries again when the desk does not sign, or never answers', () => {
    const solo = new Solo({ issuer: ORG })
    solo.runUntilDue()
    solo.step({ kind: 'issued', id: 1, outcome: { ok: false, error: 'no key' } })
    expect(solo.observed('renewal-refused')).toMatchObject([{ by: 'me', node: 'me', reason: 'no key' }])
    expect(kinds(solo.run(10_000))).toContain('issue')
    expect(kinds(solo.run(60_000))).toContain('issue')
  })

  it('G-10 whose own organisation is another asks like everyone', () => {
    const solo = new Solo({ issuer: 'globex' })
    solo.meet('issuer')
    expect(asked(solo.runUntilDue())).toEqual(['issuer'])
  })
})

describe('a linked peer', () => {
  const later = WALL + 20 * HOUR_MS

  it('G-11 that shows a later certificate keeps its connection', () => {
    const solo = new Solo()
    solo.link('you')
    expect(solo.member('you', { epoch: 11, expiresAt: later })).toEqual([
      { kind: 'peer-renewed', peer: 'you', certificateExpiresAt: later },
    ])
    expect(solo.member('you', { epoch: 11, expiresAt: later })).toEqual([])
  })

  it('G-11 whose later certificate was heard of before the link came up', () => {
    const solo = new Solo()
    expect(solo.member('you', { epoch: 11, expiresAt: later })).toEqual([])
    expect(kinds(solo.link('you'))).toEqual(['peer-renewed'])
  })

  it('G-11 that shows an older one, or the one of its handshake, changes nothing', () => {
    const solo = new Solo()
    solo.link('you')
    solo.member('you', { epoch: 11, expiresAt: WALL + 9 * HOUR_MS })
    expect(solo.member('you', { epoch: 10, expiresAt: later })).toEqual([])
  })
})

describe('people (G-12)', () => {
  it('are told after a while, and again each time the life left has halved', () => {
    const solo = new Solo()
    solo.runUntilDue()
    solo.run(patienceMs / 2)
    expect(solo.observed('renewal-due')).toEqual([])
    solo.run(2 * HOUR_MS)
    const told = solo.observed('renewal-due').flatMap((o) => (o.kind === 'renewal-due' ? [o] : []))
    expect(told[0]).toMatchObject({ org: ORG, expiresAt: WALL + 9 * HOUR_MS, issuersCount: 0 })
    expect(told.length).toBeGreaterThan(3)
    expect(told.length).toBeLessThan(10)
    for (const [i, { leftMs }] of told.entries()) {
      const before = told[i - 1]
      if (before !== undefined && before.leftMs > 0) expect(leftMs).toBeLessThanOrEqual(before.leftMs / 2)
    }
  })

  it('are told nothing when an issuer answers', () => {
    const solo = new Solo()
    solo.meet('issuer')
    solo.runUntilDue()
    solo.grant('issuer', replaced(solo.core.certificate, solo.wall))
    solo.run(HOUR_MS)
    expect(solo.observed('renewal-due')).toEqual([])
  })

  it('need not do more than bring an issuer back: it is asked within seconds', () => {
    const solo = new Solo()
    solo.runUntilDue()
    // By now it waits for minutes between two tries.
    solo.run(HOUR_MS / 2)
    solo.member('issuer', { issuesFor: ORG })
    const effects = solo.run(wakeSpreadMs + 2000)
    expect(effects).toContainEqual({ kind: 'hold', peers: ['issuer'] })
    expect(asked(solo.link('issuer'))).toEqual(['issuer'])
  })
})

describe('params', () => {
  it('are checked against each other', () => {
    checkRenewalParams(RENEWAL_PARAMS)
    expect(() => checkRenewalParams({ ...RENEWAL_PARAMS, backoffMaxMs: 1 })).toThrow(InvariantError)
    expect(() => new Solo({ own: { node: 'you' as NodeId } })).toThrow(InvariantError)
  })
})
