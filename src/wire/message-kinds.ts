/**
 * Every message that crosses the network, once (W-4). What a kind may cost stands here and nowhere else; what its body
 * looks like stands in the `messages.ts` of the protocol that owns it, and `src/swarm/codec.ts` proves that each kind
 * has exactly one body.
 */

/** Strict priority on a link: a lower lane never delays a higher one. */
export const LANES = ['control', 'work', 'bulk'] as const
export type Lane = (typeof LANES)[number]

export interface MessageKindRules {
  /** The number on the wire. Never reused, never changed. */
  readonly code: number
  /** Over a link to one peer, or over gossip to whoever hears it (hints only). */
  readonly via: 'link' | 'gossip'
  /** The link lane; gossip has no lanes and names the lane whose budget it shares. */
  readonly lane: Lane
  /** Longest encoded body. A longer one is refused unread. */
  readonly bytesMax: number
  /**
   * What happens at a full send queue. `drop`: the message is lost and counted, its protocol repeats it anyway.
   * `refuse`: the sender is told at once and decides.
   */
  readonly whenFull: 'drop' | 'refuse'
  /** Whether it is numbered and sent again after a reconnect, or only as good as the moment. */
  readonly delivery: 'resumed' | 'momentary'
  /** Most messages of this kind that one peer may send per second; the rest is dropped and penalised. */
  readonly perSecondMax: number
  /** Points against a peer whose message of this kind is malformed or over the rate; at 100 it is disconnected. */
  readonly penalty: number
}

const KIB = 1024

/** Failure detection is a stream of small repeated datagrams: late is as good as lost. */
const PROBE = {
  via: 'link',
  lane: 'control',
  bytesMax: 16 * KIB,
  whenFull: 'drop',
  delivery: 'momentary',
  perSecondMax: 200,
  penalty: 20,
} as const

/** Anti-entropy: rare, larger, repeated at the next round if lost. */
const SYNC = {
  via: 'link',
  lane: 'control',
  bytesMax: 256 * KIB,
  whenFull: 'drop',
  delivery: 'momentary',
  perSecondMax: 50,
  penalty: 20,
} as const

/** Negotiation of tasks: repeated by its own protocol where it matters; a full queue says so. */
const CLAIM = {
  via: 'link',
  lane: 'work',
  bytesMax: 64 * KIB,
  whenFull: 'refuse',
  delivery: 'resumed',
  perSecondMax: 20_000,
  penalty: 10,
} as const

/** Agreement repeats on its own whatever a decision still needs, so a lost message costs time and nothing else. */
const AGREEMENT = {
  via: 'link',
  lane: 'control',
  bytesMax: 64 * KIB,
  whenFull: 'drop',
  delivery: 'momentary',
  perSecondMax: 5_000,
  penalty: 20,
} as const

/**
 * Of one kind of hint, by one neighbour, for all who speak through it: every hint costs each node of a swarm 0.5 to 2 ms. What is
 * too much is found by comparing tables.
 */
const GOSSIPED_PER_SECOND_MAX = 50

/** A question and its answer, a few times in the life of a certificate; asked again after a back-off if lost. */
const RENEWAL = {
  via: 'link',
  lane: 'control',
  bytesMax: 4 * KIB,
  whenFull: 'drop',
  delivery: 'momentary',
  perSecondMax: 5,
  penalty: 20,
} as const

export const MESSAGE_KINDS = {
  'membership.ping': { code: 1, ...PROBE },
  'membership.ack': { code: 2, ...PROBE },
  'membership.ping-request': { code: 3, ...PROBE },
  'membership.nack': { code: 4, ...PROBE },
  'membership.sync-request': { code: 5, ...SYNC },
  'membership.sync-reply': { code: 6, ...SYNC },
  'membership.gossip': { code: 7, ...PROBE, bytesMax: 32 * KIB },

  'directory.digest': {
    code: 16,
    via: 'gossip',
    lane: 'control',
    bytesMax: 16 * KIB,
    whenFull: 'drop',
    delivery: 'momentary',
    perSecondMax: GOSSIPED_PER_SECOND_MAX,
    penalty: 10,
  },
  'directory.sync-request': { code: 17, ...SYNC },
  'directory.sync-reply': { code: 18, ...SYNC },

  'renewal.request': { code: 24, ...RENEWAL },
  'renewal.granted': { code: 25, ...RENEWAL },
  'renewal.refused': { code: 26, ...RENEWAL },

  'consensus.request': { code: 32, ...AGREEMENT, bytesMax: 256 * KIB },
  'consensus.proposal': { code: 33, ...AGREEMENT, bytesMax: 256 * KIB },
  'consensus.vote': { code: 34, ...AGREEMENT },
  'consensus.certificate': { code: 35, ...AGREEMENT },
  'consensus.status': { code: 36, ...AGREEMENT, bytesMax: 1 * KIB },
  'consensus.fetch': { code: 37, ...AGREEMENT, bytesMax: 1 * KIB },
  'consensus.blocks': { code: 38, ...AGREEMENT, lane: 'bulk', bytesMax: 256 * KIB },
  'consensus.snapshot': { code: 39, ...AGREEMENT, lane: 'bulk', bytesMax: 256 * KIB },
  'consensus.evidence': { code: 40, ...AGREEMENT, perSecondMax: 50 },
  'consensus.announce': {
    code: 41,
    ...AGREEMENT,
    via: 'gossip',
    bytesMax: 1 * KIB,
    perSecondMax: GOSSIPED_PER_SECOND_MAX,
  },

  'claims.offer': { code: 64, ...CLAIM },
  'claims.bid': { code: 65, ...CLAIM },
  'claims.decline': { code: 66, ...CLAIM },
  'claims.award': { code: 67, ...CLAIM, bytesMax: 256 * KIB },
  'claims.accept': { code: 68, ...CLAIM },
  'claims.renew': { code: 69, ...CLAIM, bytesMax: 256 * KIB },
  'claims.renewed': { code: 70, ...CLAIM, bytesMax: 256 * KIB },
  'claims.progress': { code: 71, ...CLAIM, bytesMax: 128 * KIB },
  'claims.result': { code: 72, ...CLAIM, bytesMax: 128 * KIB },
  'claims.ack': { code: 73, ...CLAIM },
  'claims.withdraw': { code: 74, ...CLAIM, bytesMax: 256 * KIB },
  'claims.inventory': { code: 75, ...CLAIM, bytesMax: 256 * KIB },
  /** A long payload's part: on the lowest lane, so that it delays nothing. */
  'claims.part': { code: 76, ...CLAIM, lane: 'bulk', bytesMax: 128 * KIB },
  'claims.query': { code: 77, ...CLAIM },
  'claims.reply': { code: 78, ...CLAIM, bytesMax: 256 * KIB },
  'claims.fetch': { code: 79, ...CLAIM },
} as const satisfies Record<string, MessageKindRules>

export type MessageKind = keyof typeof MESSAGE_KINDS

const KIND_BY_CODE: ReadonlyMap<number, MessageKind> = new Map(
  (Object.keys(MESSAGE_KINDS) as MessageKind[]).map((kind) => [MESSAGE_KINDS[kind].code, kind]),
)

/** The kind with that number on the wire, if there is one. */
export function messageKindOf(code: number): MessageKind | undefined {
  return KIND_BY_CODE.get(code)
}

export function rulesOf(kind: MessageKind): MessageKindRules {
  return MESSAGE_KINDS[kind]
}
