import { assert } from '../kernel/index.ts'

const KIB = 1024
const MIB = 1024 * KIB

// Admission (P-2)

/** Everything between the TCP connection and the verdict, both sides. Several round trips on the worst links fit in. */
export const ADMISSION_TIMEOUT_MS = 5_000
/** How long a refusing side waits for the other to read why and hang up; a reset would throw the reason away. */
export const REFUSAL_LINGER_MS = 500
/** Connections not yet admitted, from everywhere. 5 s of them at 100 KiB each is 25 MiB at worst. */
export const PENDING_ADMISSIONS_MAX = 256
/** From one source address. A host with 100 processes (or a NAT) forms a swarm without hitting it. */
export const PENDING_PER_SOURCE_MAX = 128
/** Failed admissions that one source may cause: a burst for a swarm whose certificates ran out, then a trickle. */
export const FAILURES_PER_SOURCE_BURST = 64
export const FAILURES_PER_SOURCE_PER_SECOND = 4
/** Sources remembered for throttling; beyond it the one seen longest ago is forgotten. */
export const SOURCES_MAX = 4_096
/** How often one member is let in: a burst for a network that comes and goes, then a trickle. Each costs 7 ms of a core. */
export const VISITS_PER_PEER_BURST = 32
export const VISITS_PER_PEER_PER_SECOND = 0.5
/** Members whose visits are counted; beyond it the one that came longest ago is forgotten. */
export const VISITORS_MAX = 4_096
/** How long the newer of two crossing dials is taken for a duplicate (P-5): the time in which both are still under way. */
export const DUPLICATE_WINDOW_MS = ADMISSION_TIMEOUT_MS

// Connections

/** Members linked at once. Above a full mesh the overlay keeps a bounded set of neighbours, a relay or issuer more. */
export const CONNECTIONS_MAX = 512
/** New inbound connections per second and source: a cell of 100 processes behind one address starts at once. */
export const INBOUND_PER_SECOND_PER_SOURCE = 256
/**
 * Dials under way at once. A hundred processes that start together on two cores must not try more than those can finish
 * within the time of an admission, or they time each other out for ever: so a time-out halves the number, down to the
 * lower bound, and every success adds a quarter.
 */
export const PARALLEL_DIALS_MIN = 1
export const PARALLEL_DIALS_START = 2
export const PARALLEL_DIALS_MAX = 8
export const DIAL_TIMEOUT_MS = 8_000
/** The first turn of one of several addresses: four of the longest round trips that we care for, and an admission. */
export const FIRST_TURN_MS = 1_500
export const ADDRESS_DIAL_TIMEOUT_MS = ADMISSION_TIMEOUT_MS + 1_000
export const ADDRESSES_PER_PEER_MAX = 16
/** First wait after a failed dial; then doubled up to the bound, each time a random part from half to all of it. */
export const DIAL_BACKOFF_MIN_MS = 250
export const DIAL_BACKOFF_MAX_MS = 30_000
export const DIAL_BACKOFF_FACTOR = 2
/** How long a new stream may take to say what it is for; its name is in the first bytes that its opener sends. */
export const STREAM_NAME_TIMEOUT_MS = 5_000
/** A stopping node's time for its goodbyes (P-12), well under the second in which `stop` must end. */
export const GOODBYE_MS = 400
/** What libp2p may take after that; then the process ends anyway. */
export const HOST_STOP_MS = 450
/** No bytes for this long ends a connection whose peer is gone without a word; probes pass every few seconds. */
export const SOCKET_IDLE_MS = 60_000
/** How long the expiry watch sleeps at most: the wall clock may be set while it does. */
export const EXPIRY_CHECK_MS_MAX = 1_500

// Yamux: memory per connection is streams x window, and a peer decides how many streams it opens (defaults: 1,000 x 16 MiB).

export const STREAM_WINDOW_BYTES = 256 * KIB
export const STREAM_WINDOW_BYTES_MAX = MIB
/** Three lanes, gossip each way, identify, ping, relay and DHT requests. */
export const STREAMS_PER_CONNECTION_MAX = 64
export const STREAM_READ_BUFFER_BYTES = 4 * MIB
export const STREAM_WRITE_BUFFER_BYTES = 8 * MIB
/** What waits to be written to one connection. Streams wait by themselves, so this holds a few frames of each at most. */
export const CONNECTION_WRITE_BUFFER_BYTES = 16 * MIB

// Gossip (P-8): hints only, repeated by their owners, so slow and small beats fast and complete.

export const GOSSIP_HEARTBEAT_MS = 2_000
export const GOSSIP_BYTES_MAX = 64 * KIB
/**
 * Every hint reaches a node once per neighbour in the mesh: three are enough for all to hear it, five are the most. What
 * is lost is asked for by one peer a heartbeat, and compared by tables anyway (D-5).
 */
export const GOSSIP_MESH = { d: 3, low: 2, high: 5, outbound: 1, lazy: 1 } as const
/** Bounds on what one decoded RPC may hold: CVE-2026-46679 was a heap filled through the defaults (5,000 each). */
export const GOSSIP_DECODE_LIMITS = {
  maxSubscriptions: 64,
  maxMessages: 128,
  maxIhaveMessageIDs: 512,
  maxIwantMessageIDs: 512,
  maxIdontwantMessageIDs: 512,
  maxControlMessages: 64,
  maxPeerInfos: 0,
} as const
/** How long a message id is remembered: longer than any path through the mesh takes. */
export const GOSSIP_SEEN_MS = 60_000
export const GOSSIP_OUT_BUFFER_BYTES = 2 * MIB
/** A swarm that forms says much at once: so many seconds' worth are taken together. */
export const GOSSIP_TAKEN_BURST_SECONDS = 10
/** All that a node takes of a kind, in times what it takes from one peer: so one liar cannot keep out what others say. */
export const GOSSIP_WHOLE_FACTOR = 2
/**
 * And what a peer may send before it is charged. A correct one passes on all that it takes, whoever made it up, and says
 * something itself; after a pause of the receiver the messages of some seconds arrive together.
 */
export const GOSSIP_SENT_FACTOR = 4
export const GOSSIP_SENT_BURST_SECONDS = 10

// Penalties (P-9)

export const PENALTY_POINTS_MAX = 100
/** A peer that errs once a minute for a day is a nuisance; one that errs ten times a second is an attack. */
export const PENALTY_HALF_LIFE_MS = 60_000
export const DENY_MS = 60_000
export const PENALISED_PEERS_MAX = 4_096
export const DENIED_PEERS_MAX = 4_096

// Relay (P-13)

/** Reservations a relay member grants. Each holds one connection that is there anyway. */
export const RELAY_RESERVATIONS_MAX = 256
export const RELAYED_STREAMS_MAX = 1_024
/** Relays a node that can only dial out keeps a reservation with. */
export const RELAYS_WANTED = 2

// Kademlia (P-13)

/** Queries one peer may send per second; the package itself limits no message rate. */
export const DHT_STREAMS_PER_PEER_MAX = 8
export const DHT_QUERIES_PER_SECOND = 20
export const DHT_QUERIES_BURST = 60
/** The table refreshes itself this often: provider records are hints and are verified on contact. */
export const DHT_SELF_QUERY_MS = 10 * 60_000

// mDNS

/**
 * Every question is answered by every node to every node: 30 nodes that asked every 20 s spent 2% of a core each on it.
 * So the LAN is asked at the start, seldom after that, and more often only by a node that has nobody to talk to.
 */
export const MDNS_INTERVAL_MS = 10 * 60_000
export const MDNS_LONELY_MS = 10_000

assert(REFUSAL_LINGER_MS < ADMISSION_TIMEOUT_MS, 'a refusal must fit into the time of an admission')
assert(PENDING_PER_SOURCE_MAX < PENDING_ADMISSIONS_MAX, 'one source must not be able to take every place')
assert(DIAL_BACKOFF_MIN_MS < DIAL_BACKOFF_MAX_MS, 'back-off grows')
assert(ADDRESS_DIAL_TIMEOUT_MS > ADMISSION_TIMEOUT_MS, 'a dial must outlive its admission, or refusals are lost')
assert(GOSSIP_SENT_BURST_SECONDS >= GOSSIP_TAKEN_BURST_SECONDS, 'what was taken at once is passed on at once')
assert(GOSSIP_WHOLE_FACTOR < GOSSIP_SENT_FACTOR, 'who passes on what it has taken is not charged for it')
assert(GOSSIP_OUT_BUFFER_BYTES > GOSSIP_BYTES_MAX, 'one message must fit into the buffer')
assert(EXPIRY_CHECK_MS_MAX < 2_000, 'P-10 allows 2 s')
assert(GOODBYE_MS + HOST_STOP_MS < 1_000, 'P-12 allows 1 s')
