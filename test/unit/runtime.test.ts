import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import {
  type Authorities,
  type Certificate,
  createSigner,
  createVerifier,
  foundingAuthorities,
  foundSwarm,
  issueCertificate,
  issueTicket,
  KeyPair,
  newNonce,
  type Role,
  type Ticket,
  TicketLedger,
} from '../../src/identity/index.ts'
import {
  type Incarnation,
  InvariantError,
  type Millis,
  type NodeId,
  type OrgId,
  type WallMillis,
} from '../../src/kernel/index.ts'
import {
  AdmissionDesk,
  Alarm,
  type Clock,
  found,
  isInForce,
  Lifecycle,
  NodeState,
  needsTicket,
  type Part,
  refreshed,
  renewed,
  type Standing,
  standing,
  writeCrashReport,
} from '../../src/runtime/index.ts'
import { encodeNodeRecord, type NodeRecord } from '../../src/swarm/index.ts'

const WALL = Date.UTC(2026, 0, 1) as WallMillis
const clock: Clock = { now: () => 0 as Millis, wallNow: () => WALL }

function part(name: string, log: string[], faults: { start?: boolean; stop?: 'throws' | 'hangs' } = {}): Part {
  return {
    name,
    stopTimeoutMs: 20,
    start: async () => {
      if (faults.start) throw new Error(`${name} cannot start`)
      log.push(`+${name}`)
    },
    stop: () => {
      log.push(`-${name}`)
      if (faults.stop === 'throws') return Promise.reject(new Error('stuck'))
      return faults.stop === 'hangs' ? new Promise(() => {}) : Promise.resolve()
    },
  }
}

describe('Lifecycle', () => {
  it('U-1 stops what was started, in reverse, when a part cannot start', async () => {
    const log: string[] = []
    const lifecycle = new Lifecycle()
    await lifecycle.add(part('disk', log))
    await lifecycle.add(part('net', log))
    await expect(lifecycle.add(part('http', log, { start: true }))).rejects.toThrow('http cannot start')
    expect(await lifecycle.stop()).toEqual({ problems: [] })
    expect(log).toEqual(['+disk', '+net', '-net', '-disk'])
  })

  it('U-2 names the parts that fail to stop or overrun, and stops the others all the same', async () => {
    const log: string[] = []
    const lifecycle = new Lifecycle()
    await lifecycle.add(part('disk', log))
    await lifecycle.add(part('net', log, { stop: 'hangs' }))
    await lifecycle.add(part('http', log, { stop: 'throws' }))
    const { problems } = await lifecycle.stop()
    expect(problems).toEqual([
      { part: 'http', problem: 'stuck' },
      { part: 'net', problem: 'did not stop within 20 ms' },
    ])
    expect(log.slice(3)).toEqual(['-http', '-net', '-disk'])
  })
})

describe('Alarm', () => {
  it('rings once at the earliest time asked for', () => {
    vi.useFakeTimers()
    try {
      const start = Date.now()
      const rings: number[] = []
      const ticking: Clock = { now: () => (Date.now() - start) as Millis, wallNow: () => WALL }
      const alarm = new Alarm(ticking, () => rings.push(ticking.now()))
      alarm.set(100 as Millis)
      alarm.set(200 as Millis)
      alarm.set(50 as Millis)
      vi.advanceTimersByTime(1000)
      expect(rings).toEqual([50])
      alarm.set(2000 as Millis)
      alarm.cancel()
      vi.advanceTimersByTime(5000)
      expect(rings).toEqual([50])
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('NodeState', () => {
  const records: NodeRecord[] = [
    { kind: 'genesis', bytes: new Uint8Array([1]) },
    { kind: 'certificate', bytes: new Uint8Array([2]) },
    { kind: 'membership', record: { kind: 'incarnation', ceiling: 64 as Incarnation } },
    { kind: 'ticket-use', bytes: new Uint8Array([3]) },
    { kind: 'membership', record: { kind: 'incarnation', ceiling: 128 as Incarnation } },
    {
      kind: 'membership',
      record: { kind: 'peers', peers: [{ node: 'b' as NodeId, addresses: ['/ip4/1.2.3.4/tcp/1'] }] },
    },
    { kind: 'certificate', bytes: new Uint8Array([4]) },
  ]

  it('keeps the last word on everything, and a snapshot says the same', () => {
    const state = NodeState.read(records.map(encodeNodeRecord))
    expect(state).toMatchObject({ genesis: new Uint8Array([1]), certificate: new Uint8Array([4]), ceiling: 128 })
    const snapshot = state.snapshot(state.ticketUses)
    expect(snapshot.length).toBeLessThan(records.length)
    expect(NodeState.read(snapshot)).toEqual(state)
  })

  it('refuses a record of a later version instead of forgetting it', () => {
    expect(() => NodeState.read([new Uint8Array([99, 1, 2])])).toThrow(
      expect.objectContaining({ code: 'STORE_DAMAGED' }),
    )
  })
})

describe('AdmissionDesk', () => {
  const authority = KeyPair.generate()
  const node = KeyPair.generate().node
  const newcomer = KeyPair.generate().node
  const other = KeyPair.generate().node
  const revoked = KeyPair.generate().node
  const founded = foundSwarm(
    {
      name: 'test',
      createdAt: WALL,
      nonce: newNonce(),
      organisations: [{ name: 'acme' as OrgId, authorities: [authority.node], validatorSeatsMax: 4 }],
      validators: [{ node, org: 'acme' as OrgId }],
      parameters: {},
    },
    authority,
  )
  if (!founded.ok) throw new Error(founded.error.message)
  const founding = founded.value
  const request = {
    roles: ['worker'] as Role[],
    ttlMs: 60_000,
    certificateTtlMs: 3_600_000,
    usesMax: 1,
    labels: {},
    addresses: [`/ip4/127.0.0.1/tcp/4001/p2p/${node}`],
  }

  function desk(withKey = true, known: Authorities = foundingAuthorities(founding.genesis)) {
    const waiting: (() => void)[] = []
    const written: NodeRecord[] = []
    const made = new AdmissionDesk({
      node,
      founding,
      known,
      authority: withKey ? authority : undefined,
      ledger: new TicketLedger(),
      clock,
      certificateTtlMs: 3_600_000,
      contacts: () => [newcomer, other].map((who) => ({ node: who, addresses: [`/memory/${who}`] })),
      isRevoked: ({ node: who }) => who === revoked,
      persist: (record, then) => {
        written.push(record)
        waiting.push(then)
      },
    })
    return { desk: made, written, waiting }
  }

  it('U-3 issues no certificate before the use is durable', async () => {
    const t = desk()
    const ticket = t.desk.createTicket(request)
    let settled = false
    const granting = t.desk.grant(ticket, newcomer).finally(() => {
      settled = true
    })
    await Promise.resolve()
    expect(t.written).toMatchObject([{ kind: 'ticket-use' }])
    expect(settled).toBe(false)
    t.waiting[0]?.()
    const granted = await granting
    if (!granted.ok) throw new Error(granted.error.message)
    expect(createVerifier(founding).certificate(granted.value.certificate)).toMatchObject({
      ok: true,
      value: { node: newcomer, org: 'acme', roles: ['worker'] },
    })
    expect(granted.value.contacts, 'A-16: of others, not of itself').toEqual([
      { node: other, addresses: [`/memory/${other}`] },
    ])
  })

  it('U-3 costs no second use when the same newcomer asks again; another one finds it used up', async () => {
    const t = desk()
    const ticket = t.desk.createTicket(request)
    const first = t.desk.grant(ticket, newcomer)
    t.waiting[0]?.()
    await first
    expect(await t.desk.grant(ticket, newcomer)).toMatchObject({ ok: true })
    expect(t.written).toHaveLength(1)
    expect(await t.desk.grant(ticket, KeyPair.generate().node)).toMatchObject({
      ok: false,
      error: { code: 'TICKET_USED_UP' },
    })
  })

  const held: Certificate = {
    swarm: founding.swarm,
    node: newcomer,
    org: 'acme' as OrgId,
    roles: ['worker', 'relay'],
    labels: { gpu: 'V100' },
    epoch: WALL + 5,
    notBefore: (WALL - 3_000_000) as WallMillis,
    notAfter: (WALL + 600_000) as WallMillis,
  }

  it('U-6 renews with the same node, roles and labels, a higher epoch, and the configured life', () => {
    const renewed = desk().desk.renew(held)
    if (!renewed.ok) throw new Error(renewed.error.message)
    expect(createVerifier(founding).certificate(renewed.value)).toMatchObject({
      ok: true,
      value: { ...held, epoch: WALL + 6, notBefore: WALL - 60_000, notAfter: WALL + 3_600_000 },
    })
  })

  it('U-6 renews for its own organisation only, and none of a node that is revoked', () => {
    const refused = (certificate: Certificate, withKey = true) => {
      const renewed = desk(withKey).desk.renew(certificate)
      return renewed.ok ? undefined : renewed.error.code
    }
    expect(refused({ ...held, org: 'other' as OrgId })).toBe('NOT_AUTHORITY')
    expect(refused(held, false)).toBe('NOT_AUTHORITY')
    expect(refused({ ...held, node: revoked })).toBe('CERTIFICATE_REVOKED')
    const isExpelled = (who: NodeId, org: OrgId): boolean => who === newcomer && org === held.org
    const expelled = desk(true, { ...foundingAuthorities(founding.genesis), isExpelled }).desk
    expect(expelled.renew(held)).toMatchObject({ error: { code: 'CERTIFICATE_REVOKED' } })
    expect(expelled.renew({ ...held, node: other }).ok).toBe(true)
  })

  it('U-9 serves the organisation that its key speaks for by what is decided', async () => {
    let speaks: OrgId | undefined
    let spoke: OrgId | undefined
    const decided: Authorities = {
      organisationOf: () => speaks,
      withdrawnFrom: () => spoke,
      isSeated: () => false,
      isExpelled: () => false,
    }
    const { desk: later, waiting } = desk(true, decided)
    const made = () => later.createTicket({ ...request, org: 'initech' })
    expect(made).toThrow(
      expect.objectContaining({ code: 'NOT_AUTHORITY', message: expect.stringContaining(authority.node) }),
    )
    speaks = 'initech' as OrgId
    const ticket = made()
    expect(ticket).toMatchObject({ org: 'initech', authority: authority.node })
    const granting = later.grant(ticket, newcomer)
    waiting[0]?.()
    expect(await granting).toMatchObject({ ok: true })
    expect(later.renew({ ...held, org: speaks })).toMatchObject({ ok: true })
    expect(later.renew(held)).toMatchObject({ ok: false, error: { code: 'NOT_AUTHORITY' } })
    spoke = speaks
    speaks = undefined
    expect(made).toThrow(expect.objectContaining({ message: expect.stringContaining('withdrawn from initech') }))
    expect(await later.grant(ticket, newcomer)).toMatchObject({ ok: false, error: { code: 'NOT_AUTHORITY' } })
    expect(later.renew({ ...held, org: 'initech' as OrgId })).toMatchObject({ error: { code: 'NOT_AUTHORITY' } })
  })

  it('is closed without the authority key', async () => {
    const ticket = desk().desk.createTicket(request)
    const closed = desk(false).desk
    expect(() => closed.createTicket(request)).toThrow(expect.objectContaining({ code: 'NOT_AUTHORITY' }))
    expect(() => desk().desk.createTicket({ ...request, org: 'other' })).toThrow(
      expect.objectContaining({ code: 'NOT_AUTHORITY' }),
    )
    expect(await closed.grant(ticket, newcomer)).toMatchObject({ ok: false, error: { code: 'NOT_AUTHORITY' } })
  })
})

describe('standing', () => {
  const terms = { swarmName: 'test', organisation: 'acme', parameters: {}, certificateTtlMs: 3_600_000 }
  const at = (wall: number): Clock => ({ ...clock, wallNow: () => wall as WallMillis })
  const node = KeyPair.generate()
  const authority = KeyPair.generate()
  const known = found(node, authority, terms, clock)
  const { notBefore, notAfter } = known.certificate
  const dueAt = Math.ceil(notAfter - (notAfter - notBefore) / 3)

  function ticketFor({ founding }: Standing): Ticket {
    const made = issueTicket(createSigner(authority, founding.swarm), {
      swarm: founding.swarm,
      issuer: node.node,
      addresses: ['/ip4/127.0.0.1/tcp/4001'],
      org: 'acme' as OrgId,
      roles: ['worker'],
      labels: {},
      id: '00'.repeat(16),
      issuedAt: WALL,
      notAfter: (WALL + 60_000) as WallMillis,
      usesMax: 1,
      certificateTtlMs: 3_600_000,
    })
    if (!made.ok) throw new Error(made.error.message)
    return made.value
  }

  it('U-7 a ticket is of use again once less than a third of the life is left', () => {
    const ticket = ticketFor(known)
    expect(needsTicket(undefined, ticket, clock)).toBe(true)
    expect(needsTicket(known, ticket, at(dueAt - 1))).toBe(false)
    expect(needsTicket(known, ticket, at(dueAt + 1))).toBe(true)
    expect(isInForce(known, at(dueAt + 1))).toBe(true)
    expect(isInForce(known, at(notAfter + 3_600_000))).toBe(false)
    const other = ticketFor(found(node, authority, { ...terms, swarmName: 'other' }, clock))
    expect(() => needsTicket(known, other, clock)).toThrow(expect.objectContaining({ code: 'ALREADY_MEMBER' }))
  })

  it('U-6 who holds the key renews its own at the start, when it is due', () => {
    const refresh = (wall: number, key?: KeyPair) => refreshed(known, node, key, at(wall), 7_200_000)
    expect(refresh(dueAt - 1, authority)).toBe(known)
    expect(refresh(dueAt + 1)).toBe(known)
    expect(refresh(dueAt + 1, KeyPair.generate())).toBe(known)
    expect(refresh(dueAt + 1, authority).certificate).toMatchObject({ notAfter: dueAt + 1 + 7_200_000 })
    // Made while this host's clock was a day ahead.
    expect(refresh(WALL - 86_400_000, authority).certificate.epoch).toBe(known.certificate.epoch + 1)
    expect(() => refresh(notAfter + 3_600_000)).toThrow(expect.objectContaining({ code: 'CERTIFICATE_EXPIRED' }))
    expect(() => refreshed(known, KeyPair.generate(), undefined, clock, 1)).toThrow(
      expect.objectContaining({ code: 'CERTIFICATE_INVALID' }),
    )
  })

  describe('of an organisation that came after the founding', () => {
    const later = KeyPair.generate()
    const guest = KeyPair.generate()
    const initech = 'initech' as OrgId
    const signed = issueCertificate(createSigner(later, known.founding.swarm), {
      ...known.certificate,
      node: guest.node,
      org: initech,
    })
    const withdrawn: Authorities = {
      organisationOf: () => undefined,
      withdrawnFrom: () => initech,
      isSeated: () => false,
      isExpelled: () => false,
    }

    it('A-14 U-9 stands by its own certificate until it learns that the key was withdrawn, and then says what to do', () => {
      const place = standing(known.founding, signed)
      expect(isInForce(place, clock)).toBe(true)
      expect(refreshed(place, guest, undefined, clock, 1)).toBe(place)
      place.book.follow(withdrawn)
      expect(isInForce(place, clock)).toBe(false)
      expect(() => refreshed(place, guest, undefined, clock, 1)).toThrow(
        expect.objectContaining({ code: 'AUTHORITY_WITHDRAWN', message: expect.stringContaining('ticket create') }),
      )
      expect(needsTicket(place, ticketFor(known), clock)).toBe(true)
    })

    it('U-7 a later ticket by another key is used, for it may be cut off without knowing; an earlier one is not', () => {
      const place = standing(known.founding, signed)
      const ticket = ticketFor(known)
      expect(needsTicket(place, ticket, clock)).toBe(false)
      expect(needsTicket(place, { ...ticket, issuedAt: (WALL + 1) as WallMillis }, clock)).toBe(true)
      expect(needsTicket(known, { ...ticket, issuedAt: (WALL + 1) as WallMillis }, clock)).toBe(false)
    })

    it('U-6 certifies itself anew with the key that it holds now, so that the old one can be withdrawn', () => {
      const place = standing(known.founding, signed)
      const next = KeyPair.generate()
      place.book.follow({
        ...withdrawn,
        withdrawnFrom: () => undefined,
        organisationOf: (key) => (key === next.node ? initech : undefined),
      })
      const anew = refreshed(place, guest, next, clock, 3_600_000)
      expect(anew).toMatchObject({ authority: next.node, certificate: { org: initech, node: guest.node } })
      expect(isInForce(anew, clock)).toBe(true)
    })
  })

  it('takes the certificate that replaces its own', () => {
    const later = refreshed(known, node, authority, at(dueAt + 1), 7_200_000)
    expect(renewed(known, later.certificateBytes)).toMatchObject({ certificate: later.certificate })
    expect(() => renewed(known, new Uint8Array(3))).toThrow(InvariantError)
  })
})

describe('crash report (U-4)', () => {
  it('holds what broke and the state that broke it, even when that cannot be read', () => {
    const directory = mkdtempSync(join(tmpdir(), 'swarm-node-crash-'))
    try {
      const cause = new InvariantError('two leaders', { term: 3 })
      const path = writeCrashReport(directory, clock, cause, () => ({
        members: new Map([['a', new Uint8Array([255])]]),
      }))
      expect(JSON.parse(readFileSync(String(path), 'utf8'))).toMatchObject({
        message: 'two leaders',
        details: { term: 3 },
        state: { members: { a: 'ff' } },
      })
      const broken = writeCrashReport(directory, { ...clock, wallNow: () => (WALL + 1) as WallMillis }, 'odd', () => {
        throw new Error('gone')
      })
      expect(readFileSync(String(broken), 'utf8')).toContain('the state could not be read')
      expect(writeCrashReport(join(directory, 'missing'), clock, cause, () => null)).toBeUndefined()
    } finally {
      rmSync(directory, { recursive: true })
    }
  })
})
