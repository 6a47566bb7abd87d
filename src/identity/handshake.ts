import { assert, type ErrorCode, type NodeId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import { decode, negotiateVersion, PROTOCOL_VERSION } from '../wire/index.ts'
import type { Founding } from './genesis.ts'
import {
  type Contact,
  decodeHandshakeFrame,
  encodeHandshakeFrame,
  encodeHello,
  type GrantFrame,
  type HelloFrame,
  helloBodyShape,
  malformedFrame,
  refusalOfPeer,
  refuseFrame,
  type WelcomeFrame,
} from './handshake-frames.ts'
import {
  judgeCertificate,
  judgeGrant,
  judgeTicket,
  type MemberParty,
  type NewcomerParty,
  OWN_IDENTITY,
  speaks,
  versionRefusal,
  WRONG_SWARM,
  wrongIssuer,
} from './judgement.ts'
import { toHex } from './names.ts'
import { HANDSHAKE_TIMEOUT_MS } from './params.ts'
import type { Refusal } from './refusal.ts'
import { checkTicketAt, type Ticket } from './ticket.ts'
import type { Certificate } from './types.ts'

const DONE = encodeHandshakeFrame({ kind: 'done' })

export interface HandshakeOptions {
  readonly role: 'initiator' | 'responder'
  readonly self: MemberParty | NewcomerParty
  /** The peer, as Noise has proven it. */
  readonly remote: NodeId
  readonly wallNow: WallMillis
}

export type HandshakeOutcome =
  /** Both are members; the connection may be used. */
  | { readonly kind: 'member'; readonly peer: Certificate; readonly shown: Uint8Array; readonly version: number }
  /** Count the ticket's use durably and issue a certificate for the peer, then call `grant`; or call `refuse`. */
  | { readonly kind: 'needs-grant'; readonly ticket: Ticket; readonly newcomer: NodeId }
  /** This node was let in: `founding` and `certificate` are to be kept, and the connection may be used. */
  | {
      readonly kind: 'joined'
      readonly peer: Certificate
      readonly shown: Uint8Array
      readonly version: number
      readonly founding: Founding
      readonly certificate: Uint8Array
      /** Other members, as the issuer says. */
      readonly contacts: readonly Contact[]
    }
  | { readonly kind: 'refused'; readonly by: 'us' | 'peer'; readonly code: ErrorCode; readonly message: string }

/** What an issuer hands to a newcomer. */
export interface Granted {
  readonly certificate: Uint8Array
  /** Other members, at most CONTACTS_MAX with CONTACT_ADDRESSES_MAX addresses each. */
  readonly contacts: readonly Contact[]
}

/** The peer's certificate: what it says, and its bytes, for who judges it again later. */
interface Shown {
  readonly peer: Certificate
  readonly shown: Uint8Array
}

/** What to send now, in order, and how it ended if it has. After a refusal of ours: send, then close. */
export interface HandshakeStep {
  readonly send: readonly Uint8Array[]
  readonly outcome: HandshakeOutcome | undefined
}

type Phase = 'new' | 'awaiting-hello' | 'awaiting-answer' | 'awaiting-grant' | 'awaiting-done' | 'over'

/**
 * The exchange that decides whether a peer is let in, as a state machine (README, "The handshake"; ).
 * It knows no sockets, clocks or disks: the driver feeds it frames, sends what it returns and arms the time-out.
 */
export class Handshake {
  readonly #options: HandshakeOptions
  #phase: Phase = 'new'
  #version = PROTOCOL_VERSION
  #peer: Shown | undefined

  constructor(options: HandshakeOptions) {
    this.#options = options
  }

  /** Call once, first. An initiator speaks first. */
  start(): HandshakeStep {
    assert(this.#phase === 'new', 'a handshake starts once')
    const { role, self, remote } = this.#options
    if (remote === self.node) return this.refuse('HANDSHAKE_FAILED', OWN_IDENTITY)
    if (role === 'responder') {
      if (self.kind === 'newcomer') {
        return this.refuse(
          'HANDSHAKE_FAILED',
          'this node is itself still joining: dial another member, or try again later',
        )
      }
      this.#phase = 'awaiting-hello'
      return waiting
    }
    const hello = this.#hello()
    if (!hello.ok) return this.#end(hello.error)
    this.#phase = 'awaiting-answer'
    return { send: [hello.value], outcome: undefined }
  }

  /** Takes one frame, as long as it came. Whatever it holds, the answer is an outcome and never a throw. */
  receive(bytes: Uint8Array): HandshakeStep {
    assert(this.#phase !== 'new', 'a handshake is started before it receives')
    if (this.#phase === 'over') return waiting
    const decoded = decodeHandshakeFrame(bytes)
    if (!decoded.ok) return this.#end(decoded.error)
    const frame = decoded.value
    if (frame.kind === 'refuse') {
      this.#phase = 'over'
      return { send: [], outcome: { kind: 'refused', by: 'peer', ...refusalOfPeer(frame) } }
    }
    if (this.#phase === 'awaiting-hello' && frame.kind === 'hello') return this.#onHello(frame)
    if (this.#phase === 'awaiting-answer' && frame.kind === 'welcome') return this.#onWelcome(frame)
    if (this.#phase === 'awaiting-answer' && frame.kind === 'grant') return this.#onGrant(frame)
    if (this.#phase === 'awaiting-done' && frame.kind === 'done') return this.#onDone()
    return this.refuse('HANDSHAKE_FAILED', `a ${frame.kind} frame came out of turn: bring both programs up to date`)
  }

  /** Answers `needs-grant` with the newcomer's certificate, when the use of its ticket is durable. */
  grant({ certificate, contacts }: Granted): HandshakeStep {
    if (this.#phase === 'over') return waiting
    const { self, remote } = this.#options
    assert(this.#phase === 'awaiting-grant' && self.kind === 'member', 'a grant answers needs-grant')
    const granted = self.verifier.certificate(certificate)
    assert(granted.ok && granted.value.node === remote, 'the certificate granted is good and the newcomer’s own')
    this.#peer = { peer: granted.value, shown: certificate }
    this.#phase = 'awaiting-done'
    const frame = encodeHandshakeFrame({
      kind: 'grant',
      version: this.#version,
      certificate: self.certificate,
      genesis: self.founding.bytes,
      granted: certificate,
      contacts,
    })
    return { send: [frame], outcome: undefined }
  }

  /** Ends the handshake for a reason of ours: an unusable ticket, a full node, a shutdown. */
  refuse(code: ErrorCode, message: string): HandshakeStep {
    return this.#phase === 'over' ? waiting : this.#end({ code, message })
  }

  /** The driver's time-out has passed. */
  expire(): HandshakeStep {
    return this.refuse('TIMEOUT', `the handshake took longer than ${HANDSHAKE_TIMEOUT_MS} ms: try again`)
  }

  #hello(): Result<Uint8Array, Refusal> {
    const { self, remote, wallNow } = this.#options
    if (self.kind === 'newcomer') {
      // whoever else sits at that address must not even see the ticket.
      if (self.ticket.issuer !== remote) return wrongIssuer(self.ticket.issuer, remote)
      const inTime = checkTicketAt(self.ticket, wallNow)
      if (!inTime.ok) return inTime
      return ok(encodeHello(self.ticket.swarm, { kind: 'ticket', bytes: self.ticket.bytes }))
    }
    const { swarm, clusterHash } = self.founding
    return ok(encodeHello(swarm, { kind: 'certificate', bytes: self.certificate, clusterHash }))
  }

  #onHello(frame: HelloFrame): HandshakeStep {
    const { self } = this.#options
    assert(self.kind === 'member', 'only members answer a hello')
    const version = negotiateVersion(frame)
    if (version === undefined) return this.#end(versionRefusal(frame.oldest, frame.newest))
    this.#version = version
    const body = decode(helloBodyShape, frame.body)
    if (!body.ok) return this.#end(malformedFrame(body.error).error)
    if (toHex(body.value.swarm) !== self.founding.swarm) return this.refuse('WRONG_SWARM', WRONG_SWARM)
    const { credential } = body.value
    return credential.kind === 'ticket' ? this.#onTicket(self, credential.bytes) : this.#onMember(self, credential)
  }

  #onMember(
    self: MemberParty,
    credential: { readonly bytes: Uint8Array; readonly clusterHash: Uint8Array },
  ): HandshakeStep {
    const { remote, wallNow } = this.#options
    const peer = judgeCertificate(self, credential, remote, wallNow)
    if (!peer.ok) return this.#end(peer.error)
    this.#peer = { peer: peer.value, shown: credential.bytes.slice() }
    this.#phase = 'awaiting-done'
    const certificate = { bytes: self.certificate, clusterHash: self.founding.clusterHash }
    return {
      send: [encodeHandshakeFrame({ kind: 'welcome', version: this.#version, certificate })],
      outcome: undefined,
    }
  }

  #onTicket(self: MemberParty, bytes: Uint8Array): HandshakeStep {
    const { remote, wallNow } = this.#options
    const ticket = judgeTicket(self, bytes, remote, wallNow)
    if (!ticket.ok) return this.#end(ticket.error)
    this.#phase = 'awaiting-grant'
    return { send: [], outcome: { kind: 'needs-grant', ticket: ticket.value, newcomer: remote } }
  }

  #onWelcome(frame: WelcomeFrame): HandshakeStep {
    const { self, remote, wallNow } = this.#options
    if (self.kind !== 'member')
      return this.refuse('HANDSHAKE_FAILED', 'a newcomer was answered as if it were a member: try again')
    if (!speaks(frame.version)) return this.#end(versionRefusal(frame.version, frame.version))
    const peer = judgeCertificate(self, frame.certificate, remote, wallNow)
    if (!peer.ok) return this.#end(peer.error)
    this.#phase = 'over'
    return {
      send: [DONE],
      outcome: { kind: 'member', peer: peer.value, shown: frame.certificate.bytes.slice(), version: frame.version },
    }
  }

  #onGrant(frame: GrantFrame): HandshakeStep {
    const { self, remote, wallNow } = this.#options
    if (self.kind !== 'newcomer')
      return this.refuse('HANDSHAKE_FAILED', 'a member was answered as if it were a newcomer: try again')
    if (!speaks(frame.version)) return this.#end(versionRefusal(frame.version, frame.version))
    const joined = judgeGrant(self, frame, remote, wallNow)
    if (!joined.ok) return this.#end(joined.error)
    this.#phase = 'over'
    return {
      send: [DONE],
      outcome: {
        kind: 'joined',
        version: frame.version,
        shown: frame.certificate.slice(),
        ...joined.value,
        contacts: frame.contacts,
      },
    }
  }

  #onDone(): HandshakeStep {
    assert(this.#peer !== undefined, 'a peer was judged before it was answered')
    this.#phase = 'over'
    return { send: [], outcome: { kind: 'member', ...this.#peer, version: this.#version } }
  }

  #end(refused: Refusal): HandshakeStep {
    this.#phase = 'over'
    return { send: [refuseFrame(refused)], outcome: { kind: 'refused', by: 'us', ...refused } }
  }
}

const waiting: HandshakeStep = { send: [], outcome: undefined }
