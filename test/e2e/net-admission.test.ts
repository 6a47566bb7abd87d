import { once } from 'node:events'
import { type AddressInfo, createServer, type Server } from 'node:net'
import { afterEach, describe, expect, onTestFinished, test } from 'vitest'
import {
  type Authorities,
  AuthorityBook,
  type Certificate,
  type Contact,
  createVerifier,
  foundingAuthorities,
  type Granted,
  handshakeFrameShape,
  helloBodyShape,
  type KeyPair,
  parseTicket,
  TicketLedger,
  ticketText,
} from '../../src/identity/index.ts'
import type { ErrorCode, OrgId } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import {
  at,
  certificateFor,
  DAY_MS,
  founding,
  GLOBEX,
  globexAuthority,
  keyPair,
  stranger,
  ticketFor,
  value,
} from '../unit/identity-fixtures.ts'
import { answerTo, knock, outsider } from './net-outsider.ts'
import { link, type NodeChanges, SWARM, type TestNode, until, World } from './net-world.ts'

const world = new World()
afterEach(() => world.end())

/** Begins to listen on loopback; resolves with the port. */
async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** P-1: the node has heard the outsider and has not made a muxer, a connection or a link of it. */
function expectUntouched(node: TestNode): void {
  expect(node.network.stats()).toMatchObject({ muxersTotal: 0, admissionsTotal: 0, connections: 0, sockets: 0 })
  expect(node.recorder.told.filter(({ kind }) => kind === 'up')).toEqual([])
}

/** An outsider dials a member with what it has; returns the code of the failure that its operator sees. */
async function refusedWith(changes: NodeChanges = {}, memberChanges: NodeChanges = {}): Promise<string | undefined> {
  const [node, other] = await Promise.all([world.node(11, memberChanges), world.node(12, changes)])
  other.network.connect(node.id, node.addresses)
  await until('a refusal', () => other.recorder.failures().length > 0)
  expectUntouched(node)
  expectUntouched(other)
  return other.recorder.failures()[0]
}

interface Case {
  readonly what: string
  readonly code: ErrorCode
  readonly outsider?: NodeChanges
  readonly node?: NodeChanges
}

describe('P-1, P-4: who has no right to be here is told so and never gets a muxer', () => {
  const other = founding('vineyard')
  const cases: readonly Case[] = [
    { what: 'a stranger signed it', code: 'AUTHORITY_UNKNOWN', outsider: withCertificate({}, stranger) },
    {
      what: 'it is another organisation’s',
      code: 'CERTIFICATE_INVALID',
      outsider: withCertificate({}, globexAuthority),
    },
    {
      what: 'it is the certificate of another key',
      code: 'CERTIFICATE_INVALID',
      outsider: { member: { certificate: certificateFor(keyPair(13).node, SWARM) } },
    },
    {
      what: 'it is no certificate',
      code: 'CERTIFICATE_INVALID',
      outsider: { member: { certificate: new Uint8Array(300) } },
    },
    {
      what: 'it has ended',
      code: 'CERTIFICATE_EXPIRED',
      outsider: withCertificate({ notBefore: at(-9 * DAY_MS), notAfter: at(-DAY_MS) }),
    },
    {
      what: 'it was revoked',
      code: 'CERTIFICATE_REVOKED',
      node: { member: { isRevoked: (subject) => subject.node === keyPair(12).node } },
    },
    { what: 'it is of another swarm', code: 'WRONG_SWARM', outsider: { founding: other } },
    {
      what: 'its cluster-wide parameters are others',
      code: 'WRONG_CLUSTER_CONFIGURATION',
      outsider: { member: { founding: { ...SWARM, clusterHash: new Uint8Array(32) } } },
    },
  ]
  test.each(cases)('$what: $code', async ({ code, outsider, node }) => {
    expect(await refusedWith(outsider, node)).toBe(code)
  })

  test('no certificate at all', async () => {
    const node = await world.node(11)
    expect(await answerTo(12, node, hello(new Uint8Array(0), 1))).toBe('CERTIFICATE_INVALID')
    expectUntouched(node)
  })

  test('another version', async () => {
    const node = await world.node(11)
    expect(await answerTo(12, node, hello(certificateFor(keyPair(12).node, SWARM), 900))).toBe('UNSUPPORTED_VERSION')
    expectUntouched(node)
  })

  test('garbage after Noise', async () => {
    const node = await world.node(11)
    expect(await answerTo(12, node, new Uint8Array(500).fill(0xee))).toBe('HANDSHAKE_FAILED')
    expectUntouched(node)
  })

  test('a frame without end is not read', async () => {
    const node = await world.node(11)
    const visitor = await outsider(12, async (frames) => {
      await frames.write(new Uint8Array(100_000))
      await frames.read()
    })
    await knock(visitor, node)
    await until('it is refused', () => node.network.stats().refusedByUs.HANDSHAKE_FAILED === 1)
    expectUntouched(node)
    await visitor.stop()
  })

  test('P-2: silence after Noise ends when the time is over', { timeout: 20_000 }, async () => {
    const node = await world.node(11)
    const visitor = await outsider(12, (frames) =>
      frames
        .read()
        .then(() => frames.read())
        .then(() => undefined),
    )
    void knock(visitor, node)
    await until('the handshake is under way', () => node.network.stats().admissionsPending === 1)
    await until('it was ended', () => node.network.stats().admissionsPending === 0)
    expectUntouched(node)
    await visitor.stop()
  })
})

test('P-4: a member that dials an impostor refuses it too', async () => {
  const [impostor, node] = await Promise.all([world.node(11, withCertificate({}, stranger, 11)), world.node(12)])
  node.network.connect(impostor.id, impostor.addresses)
  await until('a refusal', () => node.recorder.failures().length > 0)
  expectUntouched(node)
  expectUntouched(impostor)
})

/** Whom the issuer tells of. */
const CONTACTS: readonly Contact[] = [{ node: keyPair(19).node, addresses: ['/ip4/127.0.0.1/tcp/1'] }]

function granted(certificate: Uint8Array, contacts: readonly Contact[] = []): { ok: true; value: Granted } {
  return { ok: true, value: { certificate, contacts } }
}

describe('tickets', () => {
  test('a newcomer joins with a ticket in one handshake, and is linked as any member', async () => {
    const ledger = new TicketLedger()
    const issuer: TestNode = await world.node(11, {
      grant: async (ticket, newcomer) => {
        const use = ledger.use(ticket, newcomer, issuer.clock.wallNow())
        return use.ok ? granted(certificateFor(newcomer, SWARM, { roles: ticket.roles }), CONTACTS) : use
      },
    })
    const text = ticketText(ticketFor(issuer.id, SWARM, { addresses: issuer.addresses }))
    const ticket = value(parseTicket(text))
    const newcomer = await world.node(12, { newcomer: true })
    const grant = await newcomer.network.join(ticket)
    newcomer.network.serve(newcomer.recorder)
    expect(grant.founding.swarm).toBe(SWARM.swarm)
    expect(grant.contacts).toEqual(CONTACTS)
    expect(grant.issuer).toMatchObject({ node: issuer.id, org: 'acme' })
    await until('a link', () => issuer.recorder.isUp(newcomer.id) && newcomer.recorder.isUp(issuer.id))
    const up = issuer.recorder.told.find((event) => event.kind === 'up')
    expect(up).toMatchObject({ peer: { node: newcomer.id, roles: ['worker'] } })

    const third = await world.node(13, { newcomer: true })
    await expect(third.network.join(ticket)).rejects.toMatchObject({ code: 'TICKET_USED_UP' })
  })

  test('an issuer that cannot record a use says so', async () => {
    const issuer = await world.node(11, { grant: () => Promise.reject(new Error('disk')) })
    const newcomer = await world.node(12, { newcomer: true })
    const joining = newcomer.network.join(ticketFor(issuer.id, SWARM, { addresses: issuer.addresses }))
    await expect(joining).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  test('addresses at which nobody answers do not use up the time of the one that works', async () => {
    const silent = [createServer(), createServer()]
    onTestFinished(() => {
      for (const server of silent) server.close()
    })
    const dead = await Promise.all(silent.map(async (server) => `/ip4/127.0.0.1/tcp/${await listening(server)}`))
    const issuer: TestNode = await world.node(11, {
      grant: async (_, newcomer) => granted(certificateFor(newcomer, SWARM, {})),
    })
    const newcomer = await world.node(12, { newcomer: true })
    const ticket = ticketFor(issuer.id, SWARM, { addresses: [...dead, ...issuer.addresses] })
    expect((await newcomer.network.join(ticket)).issuer.node).toBe(issuer.id)
  })

  test('a ticket whose issuer is not there', async () => {
    const gone = await world.node(11)
    await gone.network.stop()
    const newcomer = await world.node(12, { newcomer: true })
    const joining = newcomer.network.join(ticketFor(gone.id, SWARM, { addresses: gone.addresses }))
    await expect(joining).rejects.toMatchObject({ code: 'TICKET_ISSUER_UNREACHABLE' })
  })

  test('a newcomer admits nobody', async () => {
    const newcomer = await world.node(11, { newcomer: true })
    const node = await world.node(12)
    node.network.connect(newcomer.id, newcomer.addresses)
    await until('a refusal', () => node.recorder.failures().length > 0)
    expectUntouched(newcomer)
  })

  test('links wait for whoever will serve them', async () => {
    const early = await world.node(11, { grant: async (_, node) => granted(certificateFor(node, SWARM)) })
    const newcomer = await world.node(12, { newcomer: true })
    await newcomer.network.join(ticketFor(early.id, SWARM, { addresses: early.addresses }))
    expect(newcomer.network.stats()).toMatchObject({ connections: 1, links: 0 })
    newcomer.network.serve(newcomer.recorder)
    await until('the link', () => newcomer.recorder.isUp(early.id) && early.recorder.isUp(newcomer.id))
  })
})

test('P-3: what a peer is, its certificate says', async () => {
  const [a, b] = await Promise.all([world.node(11), world.node(12, withCertificate({ roles: ['relay', 'worker'] }))])
  await link(a, b)
  expect(a.recorder.told[0]).toMatchObject({
    kind: 'up',
    peer: { node: b.id, roles: expect.arrayContaining(['relay']) },
  })
})

/** A node's changes: another certificate than the one it should have. */
/** Keys as a node knows them, to which a test adds and from which it takes. */
function changing(): { readonly member: NonNullable<NodeChanges['member']>; readonly book: AuthorityBook } {
  const book = new AuthorityBook(foundingAuthorities(SWARM.genesis))
  return { book, member: { verifier: createVerifier(SWARM, { authorities: book }), known: book } }
}

describe('A-4, A-15: keys that the council gives and takes', () => {
  const initech = 'initech' as OrgId
  const signed = withCertificate({ org: initech }, stranger)
  const decided = (speaks: boolean): Authorities => ({
    organisationOf: (key) => {
      if (key === stranger.node) return speaks ? initech : undefined
      return foundingAuthorities(SWARM.genesis).organisationOf(key)
    },
    withdrawnFrom: (key) => (key === stranger.node && !speaks ? initech : undefined),
    isSeated: () => false,
    isExpelled: () => false,
  })

  test('who has not heard of a key refuses, says so to its own, and charges nobody; once it has, the same peer is in', async () => {
    const [here, there] = [changing(), changing()]
    const unknown: string[] = []
    const onPenalised = (peer: string) => unknown.push(`charged ${peer}`)
    const onUnknownAuthority = (peer: string) => unknown.push(peer)
    const node = await world.node(11, { member: here.member, onUnknownAuthority, onPenalised })
    there.book.follow(decided(true))
    const guest = await world.node(12, { member: { ...there.member, ...signed.member } })
    guest.network.connect(node.id, node.addresses)
    await until('a refusal', () => guest.recorder.failures().length > 0)
    expect(guest.recorder.failures()[0]).toBe('AUTHORITY_UNKNOWN')
    await until('it to be told', () => unknown.length > 0)
    expect(new Set(unknown)).toEqual(new Set([guest.id]))
    expect(node.network.stats()).toMatchObject({ peersDenied: 0, muxersTotal: 0 })

    here.book.follow(decided(true))
    await until('the next try to succeed', () => node.recorder.isUp(guest.id) && guest.recorder.isUp(node.id))
  })

  test('P-10: a link that rests on a withdrawn key ends at once and does not come back; others stay', async () => {
    const here = changing()
    const there = changing()
    for (const { book } of [here, there]) book.follow(decided(true))
    const node = await world.node(11, { member: here.member })
    const guest = await world.node(12, { member: { ...there.member, ...signed.member } })
    const globex = withCertificate({ org: GLOBEX }, globexAuthority, 13)
    const other = await world.node(13, globex)
    await link(guest, node)
    await link(other, node)
    here.book.follow(decided(false))
    node.network.reconsider()
    await until('the link is down', () => !node.recorder.isUp(guest.id) && !guest.recorder.isUp(node.id))
    expect(node.recorder.downs(guest.id)).toEqual(['certificate-revoked'])
    await until('it is refused', () => guest.recorder.failures().includes('AUTHORITY_WITHDRAWN'))
    expect(node.recorder.isUp(other.id)).toBe(true)
  })

  test('P-10 A-17: so does one of a node that its organisation has expelled', async () => {
    const here = changing()
    const there = changing()
    for (const { book } of [here, there]) book.follow(decided(true))
    const node = await world.node(11, { member: here.member })
    const guest = await world.node(12, { member: { ...there.member, ...signed.member } })
    await link(guest, node)
    here.book.follow({ ...decided(true), isExpelled: (member, org) => member === guest.id && org === initech })
    node.network.reconsider()
    await until('the link is down', () => !node.recorder.isUp(guest.id) && !guest.recorder.isUp(node.id))
    expect(node.recorder.downs(guest.id)).toEqual(['certificate-revoked'])
    await until('it is refused', () => guest.recorder.failures().includes('CERTIFICATE_REVOKED'))
  })
})

function withCertificate(fields: Partial<Certificate>, authority?: KeyPair, number = 12): NodeChanges {
  return { member: { certificate: certificateFor(keyPair(number).node, SWARM, fields, authority) } }
}

function hello(certificate: Uint8Array, newest: number): Uint8Array {
  const { swarm, clusterHash } = SWARM
  const credential = { kind: 'certificate', bytes: certificate, clusterHash } as const
  const body = encode(helloBodyShape, { swarm: new Uint8Array(Buffer.from(swarm, 'hex')), credential })
  return encode(handshakeFrameShape, { kind: 'hello', newest, oldest: newest, body })
}
