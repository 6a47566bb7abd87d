import { assert } from '../kernel/index.ts'

/** All times in milliseconds of this node's *awake* clock: the time in which it was itself late does not count. */
export interface MembershipParams {
  /** A neighbour not heard from for this long is probed by the first of its judges. */
  readonly probeCycleMs: number
  /** Each further judge waits for so much longer, up to `TURNS_MAX` of them: what the first has asked need not be asked again. */
  readonly probeSpacingMs: number
  /** Wait for a direct ack before others are asked. Above the round trip of all but the worst paths. */
  readonly directTimeoutMs: number
  /** Wait for an indirect ack after that. Two round trips. */
  readonly indirectTimeoutMs: number
  /** Helpers asked at once (SWIM's k). */
  readonly indirectProbes: number
  /** A suspect neighbour is probed again this often, so that a live one can refute. */
  readonly suspectProbeMs: number
  /** Suspicion never ends sooner: it outlasts a pause of 2 s and the refutation (M-6). */
  readonly suspicionMinMs: number
  /** The same when the accusers' connections broke, which a paused process does not cause. */
  readonly suspicionLostMinMs: number
  /** Suspicion without any independent confirmation. */
  readonly suspicionMaxMs: number
  /** Suspicion at a node that is neither neighbour nor linked: it leaves the judgement to those who are. */
  readonly suspicionOrphanMs: number
  /** Independent confirmations that shrink suspicion to its minimum. */
  readonly confirmations: number
  /** Upper bound of the local health score (Lifeguard's S). */
  readonly healthMax: number
  /** A step later than this past the deadline counts as a pause of our own. */
  readonly lagToleranceMs: number
  /** News waits this long for company, and is passed on again after as long. */
  readonly gossipIntervalMs: number
  /** The same, but for doubts, while a crowd grows: what one message can say of three newcomers is not worth three. */
  readonly growthGossipMs: number
  /** Peers that hear the news in one interval. */
  readonly gossipFanout: number
  /** Messages of news per second on average, with a burst of four seconds' worth (M-27). */
  readonly gossipPerSecond: number
  /** λ: each rumour is sent λ·log2(members + 1) + 1 times. */
  readonly retransmitFactor: number
  /** Rumours that wait to be passed on. When full, the most often sent one goes. */
  readonly rumoursMax: number
  /** Tables are compared with a random link this often. */
  readonly syncIntervalMs: number
  /** Entries in one reply, in bytes. Below the bound of the message kind. */
  readonly syncBytesMax: number
  /** Up to so many members everyone links to everyone. */
  readonly fullMeshMax: number
  /** Back to the full mesh below this: between the two nothing changes. */
  readonly fullMeshMin: number
  /** Hash rings above the full mesh, and neighbours on either side of each. */
  readonly rings: number
  readonly ringSpan: number
  /** Peers that other cores may hold (input `hold`). */
  readonly heldMax: number
  /** More links than this and those nobody needs are closed, oldest first. */
  readonly linksMax: number
  /** A link nobody needs is kept at least this long. */
  readonly lingerMs: number
  /** Neighbours are reckoned anew at most this often. */
  readonly overlayIntervalMs: number
  /**
   * Connects and disconnects per second, with a burst of four seconds' worth. Few links carry the news to everyone; the
   * others can be made while there is nothing more urgent, and thirty nodes of one host come together twice as fast.
   */
  readonly linkChangesPerSecond: number
  /** The same for dials to peers that other cores hold, which have business to do now. */
  readonly heldDialsPerSecond: number
  /** The higher of two ids waits this long for the lower to dial. */
  readonly dialDelayMs: number
  /** A swarm to which nobody has come for this long has stopped growing. */
  readonly growthCalmMs: number
  /** While it grows, who has this many links, or is about to, waits before it dials a new neighbour. */
  readonly growthLinksMax: number
  /** No dial waits longer for that, so that a swarm that never rests has its links all the same. */
  readonly growthPatienceMs: number
  /** A wanted neighbour without a link after this long is probed through others. */
  readonly connectPatienceMs: number
  /** One of the dead (or, when alone, of the remembered peers) is dialled this often, so that partitions heal. */
  readonly recontactIntervalMs: number
  /** How long that dial may take. */
  readonly recontactPatienceMs: number
  /** The dead and the left are remembered, and the dead re-contacted, for this long. */
  readonly tombstoneMs: number
  /** Entries in the table (M-4). When full, the oldest left goes, then the oldest dead; else newcomers are refused. */
  readonly membersMax: number
  /** Remembered peers are written at most this often. */
  readonly rememberIntervalMs: number
  /** Incarnations reserved in the log at a time, so that a refutation does not wait for the disk. */
  readonly incarnationsReserved: number
  /** Own incarnations per second that others can provoke. */
  readonly refutationsPerSecond: number
}

const LAN: MembershipParams = {
  probeCycleMs: 1000,
  probeSpacingMs: 600,
  directTimeoutMs: 300,
  indirectTimeoutMs: 300,
  indirectProbes: 3,
  suspectProbeMs: 250,
  suspicionMinMs: 2600,
  suspicionLostMinMs: 1500,
  suspicionMaxMs: 8000,
  suspicionOrphanMs: 20_000,
  confirmations: 3,
  healthMax: 8,
  lagToleranceMs: 100,
  gossipIntervalMs: 100,
  growthGossipMs: 800,
  gossipFanout: 4,
  gossipPerSecond: 6,
  retransmitFactor: 1,
  rumoursMax: 4096,
  syncIntervalMs: 10_000,
  syncBytesMax: 192 * 1024,
  fullMeshMax: 12,
  fullMeshMin: 9,
  rings: 2,
  ringSpan: 2,
  heldMax: 64,
  linksMax: 24,
  lingerMs: 60_000,
  overlayIntervalMs: 500,
  linkChangesPerSecond: 4,
  heldDialsPerSecond: 16,
  dialDelayMs: 1500,
  growthCalmMs: 2500,
  growthLinksMax: 3,
  growthPatienceMs: 8000,
  connectPatienceMs: 10_000,
  recontactIntervalMs: 4000,
  recontactPatienceMs: 3000,
  tombstoneMs: 3_600_000,
  membersMax: 20_000,
  rememberIntervalMs: 30_000,
  incarnationsReserved: 64,
  refutationsPerSecond: 2,
}

/** One host: the same protocol with a shorter wait for acks, because loopback answers within a millisecond. */
const LOCAL: MembershipParams = { ...LAN, directTimeoutMs: 200, indirectTimeoutMs: 200 }

/** Round trips up to 400 ms: what waits for an answer waits longer, and so M-5 becomes 8 s. */
const WAN: MembershipParams = {
  ...LAN,
  probeCycleMs: 1200,
  directTimeoutMs: 900,
  indirectTimeoutMs: 1500,
  suspectProbeMs: 500,
  suspicionMinMs: 3600,
  suspicionLostMinMs: 2400,
  suspicionMaxMs: 12_000,
  gossipIntervalMs: 200,
  connectPatienceMs: 12_000,
  recontactPatienceMs: 6000,
  recontactIntervalMs: 8000,
  suspicionOrphanMs: 30_000,
  tombstoneMs: 24 * 3_600_000,
}

export const MEMBERSHIP_PROFILES = { local: LOCAL, lan: LAN, wan: WAN } as const

/** Judges of a node that wait for each other; those beyond are as patient as the last. */
export const TURNS_MAX = 7

/** Whoever is linked to a node and no neighbour of it waits three times as long as the last of those who are. */
export function outsiderPatienceMs({ probeCycleMs, probeSpacingMs }: MembershipParams): number {
  return 3 * (probeCycleMs + probeSpacingMs * TURNS_MAX)
}

/** The longest pause of a live process that must not look like its death (M-6). */
export const PAUSE_TOLERATED_MS = 2000

/**
 * The relations between the constants, each with its reason. A configuration that breaks one is an operator's error to
 * be found before it gets here, so here it is a bug.
 */
export function checkMembershipParams(p: MembershipParams): void {
  const directAndIndirect = p.directTimeoutMs + p.indirectTimeoutMs
  assert(
    p.suspicionMinMs + directAndIndirect >= PAUSE_TOLERATED_MS + 4 * p.suspectProbeMs,
    'M-6: a live node has four probes to refute in after a pause',
    { p },
  )
  assert(p.suspicionLostMinMs <= p.suspicionMinMs, 'a broken connection is stronger evidence than silence', { p })
  assert(p.suspicionMinMs <= p.suspicionMaxMs, 'confirmations shorten a suspicion', { p })
  assert(p.growthGossipMs < p.growthCalmMs, 'news of the last who came is told', { p })
  assert(
    p.gossipPerSecond * 4 >= 4 * p.gossipFanout,
    'M-5: what is new in a calm swarm is told in four rounds at once',
    { p },
  )
  assert(p.suspicionMaxMs < p.suspicionOrphanMs, 'who cannot judge leaves time to those who can', { p })
  assert(p.suspectProbeMs * 4 <= p.suspicionLostMinMs, 'a suspect is probed several times before it is given up', { p })
  assert(p.syncIntervalMs < p.suspicionOrphanMs, 'a refutation missed as gossip arrives by sync before orphans judge', {
    p,
  })
  assert(p.fullMeshMin < p.fullMeshMax, 'hysteresis', { p })
  assert(2 * p.rings * p.ringSpan <= p.linksMax && p.fullMeshMax <= p.linksMax, 'neighbours are never surplus', { p })
  assert(
    p.growthPatienceMs + p.dialDelayMs < p.connectPatienceMs,
    'M-5: a neighbour that is not dialled yet is not missed yet',
    { p },
  )

  assert(p.syncBytesMax <= 200 * 1024, 'a reply fits its message kind with one largest entry to spare', { p })
  assert(p.recontactPatienceMs < p.recontactIntervalMs, 'one re-contact at a time', { p })
  assert(p.lagToleranceMs < p.directTimeoutMs, 'a pause that could fail a probe is noticed', { p })
  assert(p.membersMax > p.fullMeshMax, 'a full mesh fits the table', { p })
}
