import {
  createSigner,
  createVerifier,
  decodeGenesis,
  decodeTicket,
  type Founding,
  foundingAuthorities,
  foundSwarm,
  Handshake,
  issueCertificate,
  issueTicket,
  KeyPair,
  type MemberParty,
  parseTicket,
  type Ticket,
  TicketLedger,
  ticketText,
} from '../../src/identity/index.ts'
import { assert, type OrgId, type WallMillis } from '../../src/kernel/index.ts'
import { CHEAP_WEIGHT, COSTLY_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'

const NOW = 1_700_000_000_000 as WallMillis
const ACME = 'acme' as OrgId

interface World {
  readonly founding: Founding
  readonly ann: MemberParty
  readonly annKeys: KeyPair
  readonly bob: MemberParty
  readonly ticket: Ticket
  readonly newcomer: KeyPair
}

/** A swarm with two members and a newcomer, with fixed keys. */
export function makeWorld(): World {
  const [authority, ann, bob, newcomer] = [1, 2, 3, 4].map((n) => KeyPair.fromSeed(new Uint8Array(32).fill(n)))
  assert(authority && ann && bob && newcomer, 'four keys')
  const founding = foundSwarm(
    {
      name: 'fuzz',
      createdAt: NOW,
      nonce: new Uint8Array(16),
      organisations: [{ name: ACME, authorities: [authority.node], validatorSeatsMax: 1 }],
      validators: [{ node: ann.node, org: ACME }],
      parameters: { fullMeshMax: '32' },
    },
    authority,
  )
  assert(founding.ok, 'the swarm is founded')
  const { swarm } = founding.value
  const signer = createSigner(authority, swarm)
  const member = (keys: KeyPair): MemberParty => ({
    kind: 'member',
    node: keys.node,
    founding: founding.value,
    verifier: createVerifier(founding.value),
    known: foundingAuthorities(founding.value.genesis),
    certificate: issueCertificate(signer, {
      swarm,
      node: keys.node,
      org: ACME,
      roles: ['worker'],
      labels: { rack: 'r1' },
      epoch: NOW,
      notBefore: NOW,
      notAfter: (NOW + 1_000_000) as WallMillis,
    }),
    isRevoked: () => false,
    authorities: new Set([authority.node]),
  })
  const ticket = issueTicket(signer, {
    swarm,
    issuer: ann.node,
    addresses: ['/ip4/192.0.2.7/tcp/4001'],
    org: ACME,
    roles: ['worker'],
    labels: {},
    id: '00'.repeat(16),
    issuedAt: NOW,
    notAfter: (NOW + 1_000_000) as WallMillis,
    usesMax: 2,
    certificateTtlMs: 1_000_000,
  })
  assert(ticket.ok, 'the ticket is made')
  return { founding: founding.value, ann: member(ann), annKeys: ann, bob: member(bob), ticket: ticket.value, newcomer }
}

/** Everything that a stranger can put before the handshake, and what is read of certificates, tickets and logs. */
export function identityTargets(): readonly FuzzTarget[] {
  const world = makeWorld()
  const { founding, ann, bob, ticket, newcomer } = world
  const joining = { kind: 'newcomer', node: newcomer.node, ticket } as const
  const start = (options: ConstructorParameters<typeof Handshake>[0]) => {
    const machine = new Handshake(options)
    return { machine, first: machine.start().send[0] ?? new Uint8Array(0) }
  }
  const memberHello = start({ role: 'initiator', self: ann, remote: bob.node, wallNow: NOW }).first
  const ticketHello = start({ role: 'initiator', self: joining, remote: ann.node, wallNow: NOW }).first
  const responder = () => start({ role: 'responder', self: ann, remote: newcomer.node, wallNow: NOW }).machine
  const welcome = start({ role: 'responder', self: bob, remote: ann.node, wallNow: NOW }).machine.receive(
    memberHello,
  ).send
  const ledger = new TicketLedger()
  ledger.use(ticket, newcomer.node, NOW)
  const common = { bytesMax: INPUT_BYTES_MAX, weight: COSTLY_WEIGHT }
  return [
    handshakeTarget('identity/handshake-responder', [memberHello, ticketHello], responder),
    handshakeTarget('identity/handshake-initiator', [...welcome, memberHello], () => {
      return start({ role: 'initiator', self: ann, remote: bob.node, wallNow: NOW }).machine
    }),
    handshakeTarget('identity/handshake-newcomer', [...welcome, ticketHello], () => {
      return start({ role: 'initiator', self: joining, remote: ann.node, wallNow: NOW }).machine
    }),
    {
      ...common,
      name: 'identity/certificate',
      samples: [ann.certificate, bob.certificate],
      attempt: (input) => (ann.verifier.certificate(input).ok ? 'accepted' : undefined),
    },
    {
      ...common,
      name: 'identity/genesis',
      samples: [founding.bytes],
      attempt: (input) => (decodeGenesis(input).ok ? 'accepted' : undefined),
    },
    {
      ...common,
      name: 'identity/ticket-bytes',
      samples: [ticket.bytes],
      attempt: (input) => {
        const decoded = decodeTicket(input)
        return decoded.ok ? decoded.value.bytes : undefined
      },
    },
    {
      ...common,
      name: 'identity/ticket-text',
      samples: [Buffer.from(ticketText(ticket))],
      attempt: (input) => (parseTicket(Buffer.from(input).toString('latin1')).ok ? 'accepted' : undefined),
    },
    {
      ...common,
      name: 'identity/ticket-ledger',
      samples: [...ledger.records()],
      weight: CHEAP_WEIGHT,
      attempt: (input) => (new TicketLedger().restore(input) ? 'accepted' : undefined),
    },
  ]
}

/** any frame has an answer, and a refused peer gets no second one. */
function handshakeTarget(name: string, samples: readonly Uint8Array[], start: () => Handshake): FuzzTarget {
  return {
    name,
    samples,
    bytesMax: INPUT_BYTES_MAX,
    weight: COSTLY_WEIGHT,
    attempt: (input) => {
      const machine = start()
      const { send, outcome } = machine.receive(input)
      assert(send.length <= 1, 'one frame is answered with at most one')
      if (outcome?.kind !== 'refused') return 'accepted'
      assert(machine.receive(input).send.length === 0, 'after a refusal nothing follows')
      return undefined
    },
  }
}
