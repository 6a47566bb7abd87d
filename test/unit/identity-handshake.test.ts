import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  type Authorities,
  CONTACT_ADDRESSES_MAX,
  CONTACTS_MAX,
  type Contact,
  createVerifier,
  foundingAuthorities,
  GENESIS_BYTES_MAX,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_FRAMES_MAX,
  Handshake,
  type HandshakeFrame,
  type HandshakeOptions,
  type HandshakeOutcome,
  handshakeFrameShape,
  helloBodyShape,
  type KeyPair,
  type MemberParty,
  type NewcomerParty,
  refuseFrame,
} from '../../src/identity/index.ts'
import type { NodeId, OrgId } from '../../src/kernel/index.ts'
import { decode, encode } from '../../src/wire/index.ts'
import {
  ACME,
  acmeAuthority,
  at,
  certificateFor,
  DAY_MS,
  founding,
  GLOBEX,
  globexAuthority,
  keyPair,
  member,
  NOW,
  stranger,
  ticketFor,
  value,
} from './identity-fixtures.ts'

const founded = founding()
const ann = keyPair(4)
const bob = keyPair(5)

type Party = MemberParty | NewcomerParty
type Grant = (needs: Extract<HandshakeOutcome, { kind: 'needs-grant' }>) => Uint8Array

/** The most, and the longest, that an issuer may tell of. */
const CONTACTS: readonly Contact[] = Array.from({ length: CONTACTS_MAX }, (_, i) => ({
  node: keyPair(20 + i).node,
  addresses: Array.from({ length: CONTACT_ADDRESSES_MAX }, (__, j) => `/dns4/${`${j}`.repeat(154)}`),
}))

const grantAcme: Grant = ({ newcomer, ticket }) => certificateFor(newcomer, founded, { roles: ticket.roles })

interface Ran {
  readonly initiator: HandshakeOutcome | undefined
  readonly responder: HandshakeOutcome | undefined
  readonly framesFromInitiator: readonly Uint8Array[]
  readonly framesFromResponder: readonly Uint8Array[]
}

/** Runs two parties against each other until neither has anything to say. */
function run(from: Party, to: Party, options: { grant?: Grant; proven?: NodeId; wallNow?: typeof NOW } = {}): Ran {
  const { grant = grantAcme, proven = from.node, wallNow = NOW } = options
  const initiator = new Handshake({ role: 'initiator', self: from, remote: to.node, wallNow })
  const responder = new Handshake({ role: 'responder', self: to, remote: proven, wallNow })
  const outcomes: { initiator?: HandshakeOutcome | undefined; responder?: HandshakeOutcome | undefined } = {}
  const sent: { initiator: Uint8Array[]; responder: Uint8Array[] } = { initiator: [], responder: [] }
  const queue: { by: 'initiator' | 'responder'; step: ReturnType<Handshake['start']> }[] = [
    { by: 'responder', step: responder.start() },
    { by: 'initiator', step: initiator.start() },
  ]
  for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
    const { by, step } = next
    sent[by].push(...step.send)
    const other = by === 'initiator' ? 'responder' : 'initiator'
    const machine = by === 'initiator' ? responder : initiator
    for (const frame of step.send) queue.push({ by: other, step: machine.receive(frame) })
    if (step.outcome?.kind === 'needs-grant')
      queue.push({ by, step: responder.grant({ certificate: grant(step.outcome), contacts: CONTACTS }) })
    else if (step.outcome !== undefined) outcomes[by] = step.outcome
  }
  return {
    initiator: outcomes.initiator,
    responder: outcomes.responder,
    framesFromInitiator: sent.initiator,
    framesFromResponder: sent.responder,
  }
}

function newcomer(
  keys: KeyPair,
  changes: Parameters<typeof ticketFor>[2] = {},
  authority = acmeAuthority,
): NewcomerParty {
  return { kind: 'newcomer', node: keys.node, ticket: ticketFor(ann.node, founded, changes, authority) }
}

/** Both sides end refused, one by itself and one by its peer, with the same code and helpful words. */
function expectRefused(ran: Ran, code: string, by: 'initiator' | 'responder' = 'responder'): void {
  const other = by === 'responder' ? 'initiator' : 'responder'
  expect(ran[by]).toMatchObject({ kind: 'refused', by: 'us', code })
  expect(ran[other]).toMatchObject({ kind: 'refused', by: 'peer', code })
  expect((ran[by] as { message: string }).message.length).toBeGreaterThan(30)
}

describe('handshake of members', () => {
  it('A-10 lets both know each other by certificate, in three frames', () => {
    const ran = run(member(ann, founded), member(bob, founded))
    expect(ran.initiator).toMatchObject({ kind: 'member', version: 1, peer: { node: bob.node, org: ACME } })
    expect(ran.responder).toMatchObject({ kind: 'member', version: 1, peer: { node: ann.node, org: ACME } })
    expect([ran.framesFromInitiator.length, ran.framesFromResponder.length]).toEqual([2, 1])
  })

  it('admits members of different organisations to each other', () => {
    const certificate = certificateFor(bob.node, founded, { org: GLOBEX }, globexAuthority)
    const ran = run(member(ann, founded), member(bob, founded, { certificate }))
    expect(ran.initiator).toMatchObject({ kind: 'member', peer: { org: GLOBEX } })
  })

  it.each<[string, () => Ran, 'initiator' | 'responder']>([
    ['WRONG_SWARM', () => run(member(ann, founding('other')), member(bob, founded)), 'responder'],
    ['WRONG_CLUSTER_CONFIGURATION', () => run(member(ann, otherCluster()), member(bob, founded)), 'responder'],
    ['CERTIFICATE_INVALID', () => run(signedBy(ann, globexAuthority), member(bob, founded)), 'responder'],
    ['CERTIFICATE_INVALID', () => run(member(ann, founded), signedBy(bob, globexAuthority)), 'initiator'],
    ['AUTHORITY_UNKNOWN', () => run(signedBy(ann, stranger), member(bob, founded)), 'responder'],
    ['AUTHORITY_UNKNOWN', () => run(member(ann, founded), signedBy(bob, stranger)), 'initiator'],
    ['AUTHORITY_WITHDRAWN', () => run(member(ann, founded), withdrawing(bob)), 'responder'],
    ['AUTHORITY_WITHDRAWN', () => run(withdrawing(ann), member(bob, founded)), 'initiator'],
    ['CERTIFICATE_REVOKED', () => run(member(ann, founded), expelling(bob, ann)), 'responder'],
    ['CERTIFICATE_REVOKED', () => run(expelling(ann, bob), member(bob, founded)), 'initiator'],
    ['CERTIFICATE_REVOKED', () => run(newcomer(bob), expelling(ann, bob)), 'responder'],
    [
      'CERTIFICATE_EXPIRED',
      () => run(member(ann, founded), member(bob, founded), { wallNow: at(60 * DAY_MS) }),
      'responder',
    ],
    ['CERTIFICATE_REVOKED', () => run(member(ann, founded), revoking(bob)), 'responder'],
    ['CERTIFICATE_REVOKED', () => run(revoking(ann), member(bob, founded)), 'initiator'],
    ['HANDSHAKE_FAILED', () => run(member(ann, founded), newcomer(bob)), 'responder'],
  ])('A-12 ends with %s on both sides (%#)', (code, go, by) => {
    const ran = go()
    expectRefused(ran, code, by)
  })

  it('A-11 refuses a good certificate of another key than Noise has proven', () => {
    const thief = stranger.node
    const ran = run(member(ann, founded), member(bob, founded), { proven: thief })
    expectRefused(ran, 'CERTIFICATE_INVALID')
    const posing = run(member(ann, founded), {
      ...member(bob, founded),
      certificate: certificateFor(ann.node, founded),
    })
    expectRefused(posing, 'CERTIFICATE_INVALID', 'initiator')
  })

  it('A-11 says nothing of itself to somebody it refuses', () => {
    const ran = run(signedBy(ann, stranger), member(bob, founded))
    expect(ran.framesFromResponder.map((frame) => value(decode(handshakeFrameShape, frame)).kind)).toEqual(['refuse'])
  })

  it('refuses its own identity', () => {
    const ran = run(member(ann, founded), member(ann, founded))
    expect(ran.responder).toMatchObject({ kind: 'refused', by: 'us', code: 'HANDSHAKE_FAILED' })
  })
})

describe('handshake of a newcomer', () => {
  it('A-8 exchanges the ticket for a certificate and is a member from then on', () => {
    const ran = run(newcomer(bob), member(ann, founded))
    expect(ran.initiator).toMatchObject({
      kind: 'joined',
      peer: { node: ann.node },
      founding: { swarm: founded.swarm },
      contacts: CONTACTS,
    })
    expect(ran.responder).toMatchObject({ kind: 'member', peer: { node: bob.node, roles: ['worker'] } })
    if (ran.initiator?.kind !== 'joined') return
    const { certificate, founding: learnt } = ran.initiator
    expect(learnt).toEqual(founded)
    const next = run(member(bob, learnt, { certificate, authorities: new Set() }), member(keyPair(6), founded))
    expect(next.responder).toMatchObject({ kind: 'member', peer: { node: bob.node } })
  })

  it('A-8 shows its ticket to nobody but the issuer', () => {
    const ran = run(newcomer(bob), member(keyPair(6), founded))
    expect(ran.initiator).toMatchObject({ kind: 'refused', by: 'us', code: 'WRONG_ISSUER' })
    const seen = Buffer.concat(ran.framesFromInitiator).toString('latin1')
    expect(seen).not.toContain(Buffer.from(newcomer(bob).ticket.bytes.subarray(60, 90)).toString('latin1'))
  })

  it.each<[string, () => Ran]>([
    ['TICKET_EXPIRED', () => present(newcomer(bob), { wallNow: at(2 * DAY_MS) })],
    ['TICKET_INVALID', () => present(newcomer(bob, {}, stranger))],
    ['TICKET_INVALID', () => present(newcomer(bob, {}, globexAuthority))],
    ['TICKET_INVALID', () => present(newcomer(bob, { org: GLOBEX }))],
    ['NOT_AUTHORITY', () => present(newcomer(bob, { org: GLOBEX }, globexAuthority))],
    ['WRONG_ISSUER', () => present(newcomer(bob, { issuer: keyPair(6).node }))],
    ['CERTIFICATE_REVOKED', () => present(newcomer(bob), {}, revoking(ann))],
  ])('A-12 is refused with %s (%#)', (code, go) => {
    expect(go().responder).toMatchObject({ kind: 'refused', by: 'us', code })
  })

  it('A-14 trusts whom its ticket names, also when the genesis knows neither organisation nor key', () => {
    const initech = 'initech' as OrgId
    const later = keyPair(31)
    const known: Authorities = {
      ...foundingAuthorities(founded.genesis),
      organisationOf: (key) => (key === later.node ? initech : undefined),
    }
    const issuer = member(ann, founded, {
      certificate: certificateFor(ann.node, founded, { org: 'hooli' as OrgId }, stranger),
      authorities: new Set([later.node]),
      verifier: createVerifier(founded, { authorities: known }),
      known,
    })
    const grant = () => certificateFor(bob.node, founded, { org: initech }, later)
    const ran = run(newcomer(bob, { org: initech }, later), issuer, { grant })
    expect(ran.initiator).toMatchObject({ kind: 'joined', peer: { node: ann.node, org: 'hooli' } })
    expect(ran.responder).toMatchObject({ kind: 'member', peer: { node: bob.node, org: initech } })
    // The ticket says whose it is: a certificate by anybody else is not what was promised.
    const self = newcomer(bob, { org: initech }, later)
    const machine = new Handshake({ role: 'initiator', self, remote: ann.node, wallNow: NOW })
    machine.start()
    const granted = certificateFor(bob.node, founded, { org: initech }, stranger)
    expect(machine.receive(grantFrame({ granted })).outcome).toMatchObject({ by: 'us', code: 'AUTHORITY_UNKNOWN' })
  })

  it('A-9 comes back after a revocation only with a ticket made later', () => {
    const issuer = member(ann, founded, { isRevoked: ({ node, epoch }) => node === bob.node && epoch <= NOW })
    expect(present(newcomer(bob), {}, issuer).responder).toMatchObject({ code: 'CERTIFICATE_REVOKED' })
    expect(present(newcomer(bob, { issuedAt: at(1) }), {}, issuer).responder).toMatchObject({ kind: 'needs-grant' })
  })

  it('A-7 can be refused by the driver after the ledger was asked', () => {
    const { machine } = awaitingGrant()
    expect(machine.refuse('TICKET_USED_UP', 'used up').outcome).toMatchObject({
      kind: 'refused',
      code: 'TICKET_USED_UP',
    })
    expect(machine.grant({ certificate: certificateFor(bob.node, founded), contacts: [] })).toEqual({
      send: [],
      outcome: undefined,
    })
  })

  it('A-10 takes nothing while the grant is pending', () => {
    const { machine, hello } = awaitingGrant()
    expect(machine.receive(hello).outcome).toMatchObject({ kind: 'refused', code: 'HANDSHAKE_FAILED' })
  })

  it.each<[string, string, Grant]>([
    ['another key', 'CERTIFICATE_INVALID', () => certificateFor(keyPair(6).node, founded)],
    [
      'another organisation',
      'CERTIFICATE_INVALID',
      () => certificateFor(bob.node, founded, { org: GLOBEX }, globexAuthority),
    ],
    [
      'the past',
      'CERTIFICATE_EXPIRED',
      () => certificateFor(bob.node, founded, { notBefore: at(-9 * DAY_MS), notAfter: at(-DAY_MS) }),
    ],
  ])('does not take a certificate for %s', (_what, code, grant) => {
    const self = newcomer(bob)
    const machine = new Handshake({ role: 'initiator', self, remote: ann.node, wallNow: NOW })
    machine.start()
    const needs = { kind: 'needs-grant', ticket: self.ticket, newcomer: bob.node } as const
    const frame = grantFrame({ granted: grant(needs) })
    expect(machine.receive(frame).outcome).toMatchObject({ kind: 'refused', by: 'us', code })
  })

  it('does not take another swarm’s genesis, or an issuer without certificate', () => {
    for (const [changes, code] of [
      [{ genesis: founding('other').bytes }, 'WRONG_SWARM'],
      [{ certificate: certificateFor(ann.node, founding('other')) }, 'CERTIFICATE_INVALID'],
      [{ certificate: certificateFor(keyPair(6).node, founded) }, 'CERTIFICATE_INVALID'],
      [{ version: 2 }, 'UNSUPPORTED_VERSION'],
    ] as const) {
      const machine = new Handshake({ role: 'initiator', self: newcomer(bob), remote: ann.node, wallNow: NOW })
      machine.start()
      expect(machine.receive(grantFrame(changes)).outcome).toMatchObject({ kind: 'refused', by: 'us', code })
    }
  })
})

describe('handshake with hostile or foreign peers', () => {
  it('A-12 tells peers of other versions so, even when the rest is unreadable', () => {
    for (const [newest, oldest, hint] of [
      [9, 2, 'this node'],
      [0, 0, 'the peer'],
    ] as const) {
      const machine = started('responder')
      const frame = { kind: 'hello', newest, oldest, body: Uint8Array.of(255) } as const
      const { outcome } = machine.receive(encode(handshakeFrameShape, frame))
      expect(outcome).toMatchObject({
        kind: 'refused',
        code: 'UNSUPPORTED_VERSION',
        message: expect.stringContaining(hint),
      })
    }
  })

  it('A-12 cleans a peer’s words and does not believe its codes', () => {
    const frame = { kind: 'refuse', code: 'toString', message: 'no\u001b[2J\u202eway' } as const
    const { outcome } = started('initiator').receive(encode(handshakeFrameShape, frame))
    expect(outcome).toEqual({ kind: 'refused', by: 'peer', code: 'HANDSHAKE_FAILED', message: 'no [2J way' })
  })

  it('cuts its own refusals to what a frame holds', () => {
    const frame = value(decode(handshakeFrameShape, refuseFrame({ code: 'INTERNAL', message: `é${'x'.repeat(9000)}` })))
    expect(frame).toMatchObject({ kind: 'refuse', code: 'INTERNAL' })
  })

  it('A-10 refuses every frame out of turn, and then is over', () => {
    const frames: HandshakeFrame[] = [
      { kind: 'done' },
      { kind: 'hello', newest: 1, oldest: 1, body: new Uint8Array(0) },
      { kind: 'welcome', version: 1, certificate: { bytes: new Uint8Array(0), clusterHash: new Uint8Array(32) } },
      { kind: 'welcome', version: 7, certificate: { bytes: new Uint8Array(0), clusterHash: new Uint8Array(32) } },
      value(decode(handshakeFrameShape, grantFrame({}))),
    ]
    for (const role of ['initiator', 'responder'] as const) {
      for (const frame of frames) {
        const machine = started(role)
        const step = machine.receive(encode(handshakeFrameShape, frame))
        expect(step.outcome).toMatchObject({ kind: 'refused', by: 'us' })
        expect(step.send.length).toBe(1)
        expect(machine.receive(encode(handshakeFrameShape, frame))).toEqual({ send: [], outcome: undefined })
        expect(machine.expire()).toEqual({ send: [], outcome: undefined })
      }
    }
  })

  it('A-16 takes no more contacts than it may be told of', () => {
    const machine = new Handshake({ role: 'initiator', self: newcomer(bob), remote: ann.node, wallNow: NOW })
    machine.start()
    const [one] = CONTACTS
    if (one === undefined) return
    const crowd = { contacts: Array.from({ length: CONTACTS_MAX }, () => one) }
    const frame = grantFrame(crowd)
    expect(frame.length).toBeLessThan(HANDSHAKE_FRAME_BYTES_MAX - GENESIS_BYTES_MAX)
    expect(() => grantFrame({ contacts: [...crowd.contacts, one] })).toThrow()
    expect(machine.receive(frame).outcome).toMatchObject({ kind: 'joined' })
  })

  it('A-10 refuses oversized frames unread', () => {
    const outcome = started('responder').receive(new Uint8Array(HANDSHAKE_FRAME_BYTES_MAX + 1)).outcome
    expect(outcome).toMatchObject({ kind: 'refused', code: 'HANDSHAKE_FAILED' })
  })

  it('A-10 ends when the driver’s time is up', () => {
    expect(started('responder').expire().outcome).toMatchObject({ kind: 'refused', by: 'us', code: 'TIMEOUT' })
  })

  it('A-10 answers any bytes, in any number, within its bounds and without a throw', () => {
    const seeds = [
      ...run(member(ann, founded), member(bob, founded)).framesFromInitiator,
      ...run(newcomer(bob), member(ann, founded)).framesFromInitiator,
      ...run(newcomer(bob), member(ann, founded)).framesFromResponder,
    ]
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc.constantFrom(...seeds),
      fc
        .tuple(fc.constantFrom(...seeds), fc.nat(), fc.nat(255))
        .map(([seed, i, byte]) => seed.with(i % seed.length, byte)),
    )
    fc.assert(
      fc.property(fc.constantFrom('initiator', 'responder'), fc.array(frame, { maxLength: 5 }), (role, frames) => {
        const machine = new Handshake(options(role))
        const steps = [machine.start(), ...frames.map((bytes) => machine.receive(bytes))]
        expect(steps.flatMap((step) => step.send).length).toBeLessThanOrEqual(HANDSHAKE_FRAMES_MAX)
        for (const sent of steps.flatMap((step) => step.send))
          expect(sent.length).toBeLessThanOrEqual(HANDSHAKE_FRAME_BYTES_MAX)
        expect(steps.filter((step) => step.outcome !== undefined).length).toBeLessThanOrEqual(2)
      }),
      { numRuns: 300 },
    )
  })
})

function options(role: 'initiator' | 'responder'): HandshakeOptions {
  return role === 'initiator'
    ? { role, self: member(ann, founded), remote: bob.node, wallNow: NOW }
    : { role, self: member(bob, founded), remote: ann.node, wallNow: NOW }
}

function started(role: 'initiator' | 'responder'): Handshake {
  const machine = new Handshake(options(role))
  machine.start()
  return machine
}

function otherCluster() {
  // The same swarm, but somebody changed a cluster-wide parameter locally.
  return { ...founded, clusterHash: new Uint8Array(32) }
}

function signedBy(keys: KeyPair, authority: KeyPair): MemberParty {
  return member(keys, founded, { certificate: certificateFor(keys.node, founded, {}, authority) })
}

/** To whom acme's key speaks no more. */
function withdrawing(keys: KeyPair): MemberParty {
  const known: Authorities = {
    ...foundingAuthorities(founded.genesis),
    organisationOf: () => undefined,
    withdrawnFrom: () => ACME,
  }
  return member(keys, founded, { verifier: createVerifier(founded, { authorities: known }), known })
}

/** To whom acme has ended the membership of that node. */
function expelling(keys: KeyPair, expelled: KeyPair): MemberParty {
  const known: Authorities = {
    ...foundingAuthorities(founded.genesis),
    isExpelled: (node, org) => node === expelled.node && org === ACME,
  }
  return member(keys, founded, { verifier: createVerifier(founded, { authorities: known }), known })
}

function revoking(keys: KeyPair): MemberParty {
  return member(keys, founded, { isRevoked: () => true })
}

function awaitingGrant(): { readonly machine: Handshake; readonly hello: Uint8Array } {
  const hello = ticketHello(newcomer(bob))
  const machine = new Handshake({ role: 'responder', self: member(ann, founded), remote: bob.node, wallNow: NOW })
  machine.start()
  expect(machine.receive(hello).outcome).toMatchObject({ kind: 'needs-grant', newcomer: bob.node })
  return { machine, hello }
}

/** A hello as a newcomer that does not judge its own ticket would send it. */
function ticketHello(self: NewcomerParty): Uint8Array {
  const swarm = new Uint8Array(Buffer.from(self.ticket.swarm, 'hex'))
  const body = encode(helloBodyShape, { swarm, credential: { kind: 'ticket', bytes: self.ticket.bytes } })
  return encode(handshakeFrameShape, { kind: 'hello', newest: 1, oldest: 1, body })
}

function present(self: NewcomerParty, changes: Partial<HandshakeOptions> = {}, issuer = member(ann, founded)): Ran {
  const machine = new Handshake({ role: 'responder', self: issuer, remote: self.node, wallNow: NOW, ...changes })
  machine.start()
  const step = machine.receive(ticketHello(self))
  return { initiator: undefined, responder: step.outcome, framesFromInitiator: [], framesFromResponder: step.send }
}

function grantFrame(changes: Partial<Extract<HandshakeFrame, { kind: 'grant' }>>): Uint8Array {
  return encode(handshakeFrameShape, {
    kind: 'grant',
    version: 1,
    certificate: certificateFor(ann.node, founded),
    genesis: founded.bytes,
    granted: certificateFor(bob.node, founded),
    contacts: [],
    ...changes,
  })
}
