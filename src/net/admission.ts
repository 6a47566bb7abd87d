import { noise } from '@chainsafe/libp2p-noise'
import type {
  ComponentLogger,
  ConnectionEncrypter,
  MessageStream,
  PeerId,
  PrivateKey,
  SecureConnectionOptions,
  SecuredConnection,
  StreamMuxer,
  Upgrader,
} from '@libp2p/interface'
import type { Certificate, HandshakeOptions, MemberParty, NewcomerParty, Ticket } from '../identity/index.ts'
import { assert, BoundedMap, type ErrorCode, type NodeId, TokenBucket } from '../kernel/index.ts'
import { PROTOCOL_PREFIX } from '../wire/index.ts'
import { Crossings } from './crossing.ts'
import { exchange, turnAway } from './exchange.ts'
import { Gate, type Passage } from './gate.ts'
import { boundMuxer } from './muxer-bounds.ts'
import type { JoinGrant, NetworkClock, NetworkOptions } from './options.ts'
import { ADMISSION_TIMEOUT_MS, VISITORS_MAX, VISITS_PER_PEER_BURST, VISITS_PER_PEER_PER_SECOND } from './params.ts'
import { crossed, Refusal } from './refusal.ts'
import { type IsSpoken, nameStreams } from './stream-names.ts'
import { gatherWrites, joinWrites, quietDecoder, quietEvents, tuneStreams } from './stream-tuning.ts'

/** Without the swarm id, so that members of another swarm are told so instead of finding no common protocol. */
export const ADMISSION_PROTOCOL = `${PROTOCOL_PREFIX}/admission/2`

const TOO_OFTEN = 'this node comes and goes too often: it may come back in a while'

/** What admission found out about one connection, and what became of it. */
export interface Admitted {
  readonly peer: Certificate
  /** The certificate as it was shown. */
  readonly shown: Uint8Array
  readonly dialledBy: NodeId
  /** When this connection also made a member of this node. */
  readonly joined: Omit<JoinGrant, 'issuer'> | undefined
  /** The connection below the encryption: what libp2p closes. */
  readonly raw: MessageStream
  muxer: StreamMuxer | undefined
  /** The peer ended the connection in good order, rather than vanish. */
  goodbye: boolean
}

export interface AdmissionInit {
  readonly self: NodeId
  readonly clock: NetworkClock
  readonly party: () => MemberParty | undefined
  readonly grant: NetworkOptions['grant']
  readonly onUnknownAuthority: (peer: NodeId) => void
  /** Why nothing of this peer is wanted now, whatever it can prove. */
  readonly unwelcome: (peer: NodeId) => { readonly code: ErrorCode; readonly message: string } | undefined
}

interface EncrypterComponents {
  readonly peerId: PeerId
  readonly privateKey: PrivateKey
  readonly logger: ComponentLogger
  readonly upgrader: Upgrader
  readonly registrar: { getHandler(protocol: string): unknown }
}

/**
 * The door (P-1 to P-5): a connection encrypter that runs Noise, then the exchange of certificates, and throws for
 * whoever does not pass, so that libp2p never gets to build a muxer for it.
 *
 * There is one muxer, so nothing is negotiated about it: the exchange ends with the word of the responder that it lets
 * this connection stand.
 */
export class AdmissionControl {
  readonly gate = new Gate()
  readonly crossings: Crossings
  readonly refusedByUs: Partial<Record<ErrorCode, number>> = {}
  readonly refusedByPeers: Partial<Record<ErrorCode, number>> = {}
  admittedCount = 0
  muxerCount = 0
  bytesIn = 0
  bytesOut = 0
  readonly #init: AdmissionInit
  /** By the timeline object, which libp2p hands from the raw connection on to the finished one. */
  readonly #passages = new WeakMap<object, Passage>()
  readonly #admitted = new WeakMap<object, Admitted>()
  readonly #bySecured = new WeakMap<object, Admitted>()
  readonly #tickets = new BoundedMap<NodeId, Ticket>(1)
  /** How often members may still come (P-18). */
  readonly #visits = new BoundedMap<NodeId, TokenBucket>(VISITORS_MAX)
  #isSpoken: IsSpoken = () => false

  constructor(init: AdmissionInit) {
    this.#init = init
    this.crossings = new Crossings(init.self)
  }

  /** For libp2p's `connectionEncrypters`. */
  encrypter(): (components: EncrypterComponents) => ConnectionEncrypter {
    return (components) => {
      const secure = noise()(components)
      this.#isSpoken = speaks(components)
      const admit = async (role: HandshakeOptions['role'], raw: MessageStream, options?: SecureConnectionOptions) => {
        const secured = await this.#admit(role, raw, options, secure)
        const [streamMuxer] = components.upgrader.getStreamMuxers().values()
        assert(streamMuxer !== undefined, 'a host has a muxer')
        return { ...secured, streamMuxer }
      }
      return {
        protocol: ADMISSION_PROTOCOL,
        secureOutbound: (raw, options) => admit('initiator', raw, options),
        secureInbound: (raw, options) => admit('responder', raw, options),
      }
    }
  }

  /** An inbound connection holds a place in the gate until it is admitted or closed. */
  holdPlace(raw: MessageStream, passage: Passage): void {
    this.#passages.set(raw.timeline, passage)
    raw.addEventListener('close', () => passage.failed(this.#init.clock.now()))
  }

  /** What is known about a finished connection, or about the raw one it was made of. */
  of(connection: { readonly timeline: object }): Admitted | undefined {
    return this.#admitted.get(connection.timeline)
  }

  /** Told by the muxer factory; `secured` is the stream that admission returned. */
  onMuxer(secured: MessageStream, muxer: StreamMuxer): void {
    this.muxerCount += 1
    const admitted = this.#bySecured.get(secured)
    if (admitted !== undefined) admitted.muxer = muxer
    boundMuxer(secured, muxer)
    nameStreams(muxer, this.#isSpoken)
    tuneStreams(muxer)
    if (admitted !== undefined) gatherWrites(admitted.raw, secured, muxer)
    secured.addEventListener('message', ({ data }) => {
      this.bytesIn += data.byteLength
    })
    const send = secured.send.bind(secured)
    secured.send = (data) => {
      this.bytesOut += data.byteLength
      return send(data)
    }
  }

  /** Shows this ticket to its issuer, and to nobody else, until it is withdrawn; there is one at a time. */
  useTicket(ticket: Ticket): void {
    this.#tickets.set(ticket.issuer, ticket)
  }

  withdrawTicket(): void {
    this.#tickets.clear()
  }

  async #admit(
    role: HandshakeOptions['role'],
    raw: MessageStream,
    options: SecureConnectionOptions = {},
    secure: ConnectionEncrypter,
  ): Promise<SecuredConnection> {
    joinWrites(raw)
    quietEvents(raw)
    const timeout = AbortSignal.timeout(ADMISSION_TIMEOUT_MS)
    const signal = options.signal === undefined ? timeout : AbortSignal.any([options.signal, timeout])
    const noiseOptions = { ...options, signal, skipStreamMuxerNegotiation: true }
    const secured = await (role === 'initiator'
      ? secure.secureOutbound(raw, noiseOptions)
      : secure.secureInbound(raw, noiseOptions))
    quietDecoder(secured.connection)
    quietEvents(secured.connection)
    const peer = secured.remotePeer.toString() as NodeId
    try {
      const admitted = await this.#judge(role, peer, raw, secured.connection, signal)
      this.#remember(secured.connection, admitted)
    } catch (cause) {
      if (cause instanceof Refusal) this.#refused(peer, cause)
      throw cause
    }
    return { connection: secured.connection, remotePeer: secured.remotePeer }
  }

  async #judge(
    role: HandshakeOptions['role'],
    peer: NodeId,
    raw: MessageStream,
    secured: MessageStream,
    signal: AbortSignal,
  ): Promise<Admitted> {
    const { clock, self, grant } = this.#init
    const unwelcome = this.#init.unwelcome(peer)
    if (unwelcome !== undefined) return turnAway(secured, unwelcome.code, unwelcome.message)
    const party = this.#init.party() ?? this.#newcomer()
    if (party === undefined) return turnAway(secured, 'HANDSHAKE_FAILED', 'this node is not a member yet: try later')
    const dials = role === 'initiator'
    if (!dials && !this.#mayVisit(peer)) return turnAway(secured, 'OVERLOADED', TOO_OFTEN)
    if (dials && !this.crossings.beginDial(clock.now(), peer)) throw crossed()
    try {
      const options = { role, self: party, remote: peer, wallNow: clock.wallNow() }
      const stands = () => dials || this.crossings.admitsDialOf(clock.now(), peer)
      const result = await exchange(secured, options, grant, signal, stands)
      const dialledBy = dials ? self : peer
      this.crossings.stands(clock.now(), peer, dialledBy)
      return {
        peer: result.peer,
        shown: result.shown,
        dialledBy,
        joined: result.joined,
        raw,
        muxer: undefined,
        goodbye: false,
      }
    } finally {
      if (dials) this.crossings.endDial(peer)
    }
  }

  #mayVisit(peer: NodeId): boolean {
    const now = this.#init.clock.now()
    const visits = this.#visits.get(peer) ?? new TokenBucket(VISITS_PER_PEER_PER_SECOND, VISITS_PER_PEER_BURST, now)
    this.#visits.set(peer, visits)
    return visits.take(now)
  }

  #newcomer(): NewcomerParty | undefined {
    for (const ticket of this.#tickets.values()) return { kind: 'newcomer', node: this.#init.self, ticket }
    return undefined
  }

  #remember(secured: MessageStream, admitted: Admitted): void {
    const { raw } = admitted
    this.admittedCount += 1
    this.#passages.get(raw.timeline)?.admitted()
    this.#admitted.set(raw.timeline, admitted)
    this.#bySecured.set(secured, admitted)
    // Runs before the muxer's own listener: a muxer that is over by now was ended by the peer's word, not by a cut.
    secured.addEventListener('close', () => {
      admitted.goodbye = admitted.muxer !== undefined && admitted.muxer.status !== 'open'
    })
  }

  #refused(peer: NodeId, refusal: Refusal): void {
    if (refusal.by === 'us' && refusal.code === 'AUTHORITY_UNKNOWN') this.#init.onUnknownAuthority(peer)
    const counts = refusal.by === 'us' ? this.refusedByUs : this.refusedByPeers
    counts[refusal.code] = (counts[refusal.code] ?? 0) + 1
  }
}

/** The registrar is asked for late: libp2p makes it after the encrypters. */
function speaks(components: EncrypterComponents): IsSpoken {
  return (protocol) => {
    try {
      components.registrar.getHandler(protocol)
      return true
    } catch {
      // That is how libp2p says no.
      return false
    }
  }
}
