import { z } from 'zod'
import {
  amounts,
  bytes,
  count,
  duration,
  type Form,
  flag,
  keysOf,
  list,
  map,
  optionalText,
  PROFILES,
  text,
  word,
  wordMap,
} from './key.ts'

const KIB = 1024
const MIB = 1024 * KIB
const SECOND_MS = 1000
const MINUTE_MS = 60 * SECOND_MS
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

export const LOG_LEVELS = ['fatal', 'error', 'warn', 'info', 'debug', 'trace'] as const

const PATH: Form = { rule: 'a path', pattern: /^[^\0]+$/, example: '/var/lib/swarm-node' }
const NAME: Form = {
  rule: 'a name of up to 64 letters, digits, dots, dashes and underscores',
  pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/,
  example: 'eu-west',
}
/** Labels that begin with `swarm.` are the program's own: others rely on what they say. */
const LABEL_KEY: Form = {
  rule: 'a name of up to 32 characters (`swarm.` is reserved)',
  pattern: /^(?!swarm\.)[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,30}[A-Za-z0-9])?$/,
  example: 'gpu.model',
}
const LABEL_VALUE: Form = {
  rule: 'a text of up to 64 bytes of UTF-8',
  pattern: /^[^\p{C}]*$/u,
  bytesMax: 64,
  example: 'V100',
}
const ADDRESS: Form = {
  rule: 'a multiaddr of at most 160 characters',
  pattern: /^(?=.{1,160}$)\/(?:ip4|ip6|dns|dns4|dns6|dnsaddr)\/[^/\s]+(?:\/[^/\s]+)*$/,
  example: '/ip4/10.0.0.7/tcp/4001',
}
const OCTET = '(?:25[0-5]|2[0-4]\\d|1?\\d?\\d)'
const PORT = '(?:\\d{1,4}|[1-5]\\d{4}|6[0-4]\\d{3}|65[0-4]\\d\\d|655[0-2]\\d|6553[0-5])'
/** What the transport can listen on: TCP, at an address or a name of this host. */
const LISTEN_ADDRESS: Form = {
  rule: '/ip4/A.B.C.D/tcp/PORT or /ip6/ADDRESS/tcp/PORT, the port from 0 (any that is free) to 65535',
  pattern: new RegExp(
    `^(?=.{1,160}$)\\/(?:ip4\\/(?:${OCTET}\\.){3}${OCTET}|ip6\\/[0-9a-fA-F:.]+|dns[46]?\\/[A-Za-z0-9._-]+)\\/tcp\\/${PORT}$`,
  ),
  example: '/ip4/0.0.0.0/tcp/4001',
}
const PEER_ADDRESS: Form = {
  rule: 'a multiaddr that ends in /p2p/NODE',
  pattern: /^\/[^/\s]+\/[^/\s]+(?:\/[^/\s]+)*\/p2p\/[A-Za-z0-9]{1,64}$/,
  example: '/dns4/seed.example.org/tcp/4001/p2p/12D3KooWExampleExampleExampleExampleExampleExampleEx',
}
const HOST_PORT: Form = {
  rule: 'HOST:PORT, the port from 0 (any that is free) to 65535',
  pattern: new RegExp(`^(?:\\[[0-9a-fA-F:.]+\\]|[A-Za-z0-9.-]+):${PORT}$`),
  example: '127.0.0.1:9464',
}
const NODE: Form = { rule: 'a node id', pattern: /^[A-Za-z0-9]{1,64}$/, example: '12D3KooWExample' }
const UNIT: Form = {
  rule: 'a unit of up to 64 characters',
  pattern: /^[A-Za-z0-9](?:[A-Za-z0-9._/-]{0,62}[A-Za-z0-9])?$/,
  example: 'cpu',
}
const TOKEN: Form = { rule: 'a text of 16 to 256 characters', pattern: /^[!-~]{16,256}$/, example: 'at-least-16-chars' }

const node = z.strictObject({
  region: text(NAME, { help: 'Region of this node; constraints and placement name it.', fallback: 'default' }),
  zone: text(NAME, { help: 'Failure domain within the region.', fallback: 'default' }),
  labels: map(LABEL_KEY, LABEL_VALUE, 8, { help: 'Labels that tasks can ask for.', fallback: {} }),
  capacity: amounts(UNIT, 16, {
    help: 'What the host has of its own, for all its agents together; a unit not named is limited by the agents alone.',
    fallback: {},
  }),
})

const swarm = z.strictObject({
  name: text(NAME, { help: 'Name of a swarm that this node founds.', fallback: 'swarm' }),
  organisation: text(NAME, { help: 'The organisation that founds it.', fallback: 'founder' }),
})

const network = z.strictObject({
  listen: list(LISTEN_ADDRESS, 16, {
    help: 'Addresses to listen on; empty for a node that only dials out.',
    fallback: ['/ip4/0.0.0.0/tcp/0'],
    profiles: { local: ['/ip4/127.0.0.1/tcp/0'] },
  }),
  announce: list(ADDRESS, 8, {
    help: 'Addresses told to others instead of those found out by listening.',
    fallback: [],
  }),
  bootstrap: list(PEER_ADDRESS, 32, { help: 'Members to contact at the start.', fallback: [] }),
  mdns: flag({ help: 'Finds members on the local network.', fallback: false, profiles: { lan: true } }),
  relay: z.strictObject({
    client: flag({
      help: 'Keeps reservations at relays, so that a node behind NAT can be reached.',
      fallback: false,
      profiles: { wan: true },
    }),
    server: word(['auto', 'on', 'off'], {
      help: 'Forwards connections for members that only dial out; auto: if the certificate has the role relay.',
      fallback: 'auto',
    }),
  }),
  dht: word(['off', 'client', 'server'], {
    help: 'Kademlia, for swarms of more than a few cells: ask only, or answer too (stable members).',
    fallback: 'off',
  }),
})

const membership = z.strictObject({
  probeCycleMs: duration(100, MINUTE_MS, {
    help: 'A neighbour not heard from for this long is probed.',
    fallback: 1000,
    profiles: { wan: 1200 },
  }),
  directTimeoutMs: duration(10, MINUTE_MS, {
    help: 'Wait for a direct answer before others are asked.',
    fallback: 300,
    profiles: { local: 200, wan: 900 },
  }),
  indirectTimeoutMs: duration(10, MINUTE_MS, {
    help: 'Wait for an answer through others after that.',
    fallback: 300,
    profiles: { local: 200, wan: 1500 },
  }),
  lagToleranceMs: duration(1, MINUTE_MS, {
    help: 'A step later than this counts as a pause of this node, not of others.',
    fallback: 100,
  }),
  suspectProbeMs: duration(10, MINUTE_MS, {
    help: 'A suspect neighbour is probed again this often.',
    fallback: 250,
    profiles: { wan: 500 },
  }),
  suspicionMinMs: duration(100, HOUR_MS, {
    help: 'A suspicion never ends in a death sooner.',
    fallback: 2600,
    profiles: { wan: 3600 },
    cluster: true,
  }),
  suspicionLostMinMs: duration(100, HOUR_MS, {
    help: 'The same when the connection broke, which a pause does not cause.',
    fallback: 1500,
    profiles: { wan: 2400 },
    cluster: true,
  }),
  suspicionMaxMs: duration(100, HOUR_MS, {
    help: 'Length of a suspicion that nobody confirms.',
    fallback: 8000,
    profiles: { wan: 12_000 },
    cluster: true,
  }),
  suspicionOrphanMs: duration(100, HOUR_MS, {
    help: 'The same at nodes that are not neighbours of the suspect.',
    fallback: 20_000,
    profiles: { wan: 30_000 },
    cluster: true,
  }),
  gossipIntervalMs: duration(10, MINUTE_MS, {
    help: 'News waits this long for company.',
    fallback: 100,
    profiles: { wan: 200 },
  }),
  syncIntervalMs: duration(1000, HOUR_MS, { help: 'Tables are compared with a peer this often.', fallback: 10_000 }),
  fullMeshMax: count(2, 256, { help: 'Up to so many members all link to all.', fallback: 12, cluster: true }),
  fullMeshMin: count(1, 255, { help: 'Back to linking all to all below this.', fallback: 9, cluster: true }),
  rings: count(1, 16, { help: 'Hash rings of neighbours above the full mesh.', fallback: 2, cluster: true }),
  ringSpan: count(1, 16, { help: 'Neighbours on either side of each ring.', fallback: 2, cluster: true }),
  linksMax: count(4, 512, { help: 'Links beyond this that nobody needs are closed.', fallback: 24 }),
  recontactIntervalMs: duration(100, HOUR_MS, {
    help: 'One of the dead is dialled this often, so that partitions heal.',
    fallback: 4000,
    profiles: { wan: 8000 },
  }),
  recontactPatienceMs: duration(100, HOUR_MS, {
    help: 'How long that dial may take.',
    fallback: 3000,
    profiles: { wan: 6000 },
  }),
  tombstoneMs: duration(MINUTE_MS, 30 * DAY_MS, {
    help: 'The dead and the departed are remembered for this long.',
    fallback: HOUR_MS,
    profiles: { wan: DAY_MS },
    cluster: true,
  }),
  membersMax: count(4, 1_000_000, { help: 'Members this node keeps in its table.', fallback: 20_000 }),
})

const directory = z.strictObject({
  intervalMinMs: duration(10, MINUTE_MS, {
    help: 'Two digests of a node are at least this far apart.',
    fallback: 250,
    profiles: { local: 100, wan: 1000 },
  }),
  loadIntervalMs: duration(1000, HOUR_MS, {
    help: 'A digest that differs in load alone goes out at most this often.',
    fallback: 5_000,
  }),
  heartbeatMs: duration(1000, HOUR_MS, {
    help: 'A digest goes out this often even without a change.',
    fallback: 60_000,
    cluster: true,
  }),
  expiryMs: duration(1000, DAY_MS, {
    help: 'A digest not renewed for this long is forgotten.',
    fallback: 240_000,
    cluster: true,
  }),
  syncIntervalMs: duration(1000, HOUR_MS, {
    help: 'Directories are compared with a peer this often.',
    fallback: 10_000,
  }),
})

const council = z.strictObject({
  sizeMax: count(1, 64, {
    help: 'Validators that the council takes in by itself, at most; the council can change it.',
    fallback: 10,
    cluster: true,
  }),
  admitAfterMs: duration(0, DAY_MS, {
    help: 'A member with the role validator is taken into the council once it has been up for this long.',
    fallback: 10_000,
    profiles: { local: 5_000, wan: MINUTE_MS },
  }),
  absentAfterMs: duration(SECOND_MS, 30 * DAY_MS, {
    help: 'A validator that has been gone for this long is let go by the others.',
    fallback: 10 * MINUTE_MS,
    profiles: { wan: 30 * MINUTE_MS },
  }),
})

const claims = z.strictObject({
  leaseMs: duration(2 * SECOND_MS, MINUTE_MS, {
    help: 'How long an executor is left alone with a task without a word; the times of renewal and bidding follow from it.',
    fallback: 10_000,
    profiles: { wan: 20_000 },
    cluster: true,
  }),
  stopGraceMs: duration(100, HOUR_MS, {
    help: 'An agent that lets go of nothing it was told to stop is sent away after this.',
    fallback: 30_000,
  }),
  agentsMax: count(1, 65_536, { help: 'Agents attached at once.', fallback: 20_000 }),
  openTasksMax: count(1, 10_000_000, {
    help: 'Tasks accepted here that have not ended; the lowest class is refused first.',
    fallback: 200_000,
  }),
  openBytesMax: bytes(MIB, 64 * 1024 * MIB, { help: 'Bytes of their inputs.', fallback: 256 * MIB }),
  endedTasksMax: count(0, 10_000_000, { help: 'Ended tasks that can still be asked for.', fallback: 20_000 }),
  endedBytesMax: bytes(0, 64 * 1024 * MIB, { help: 'Bytes of their outputs.', fallback: 64 * MIB }),
  endedRetentionMs: duration(SECOND_MS, 400 * DAY_MS, {
    help: 'Ended tasks can be asked for so long.',
    fallback: HOUR_MS,
  }),
  keyRetentionMs: duration(SECOND_MS, 400 * DAY_MS, {
    help: 'The same key is the same task until so long after its end.',
    fallback: DAY_MS,
  }),
})

const storage = z.strictObject({
  segmentBytesMax: bytes(8 * MIB, 1024 * MIB, { help: 'Size of a full-grown segment of the log.', fallback: 16 * MIB }),
  queuedBytesMax: bytes(8 * MIB, 1024 * MIB, {
    help: 'Most bytes that wait for the disk; new work is refused from half of it on.',
    fallback: 32 * MIB,
  }),
  compactAfterBytes: bytes(64 * KIB, 1024 * MIB, {
    help: 'The log is rewritten in fewer words after so many bytes, or after three times what that takes.',
    fallback: 8 * MIB,
  }),
})

const http = z.strictObject({
  listen: optionalText(HOST_PORT, { help: 'Serves metrics and health over HTTP there; off unless set.' }),
})

const log = z.strictObject({
  level: word(LOG_LEVELS, { help: 'The least important lines that are written.', fallback: 'info' }),
  modules: wordMap(NAME, LOG_LEVELS, { help: 'Levels of single modules.', fallback: {} }),
  pretty: word(['auto', 'on', 'off'], {
    help: 'Lines for people instead of JSON; auto: on a terminal.',
    fallback: 'auto',
  }),
  file: optionalText(PATH, { help: 'Where lines go instead of standard error.' }),
})

const security = z.strictObject({
  revokedNodes: list(NODE, 4096, { help: 'Nodes whose certificates this node no longer honours.', fallback: [] }),
  certificateTtlMs: duration(HOUR_MS, 400 * DAY_MS, {
    help: 'Life of a certificate that this node issues.',
    fallback: 90 * DAY_MS,
  }),
  ticketTtlMs: duration(MINUTE_MS, 90 * DAY_MS, {
    help: 'Life of a join ticket unless told otherwise.',
    fallback: HOUR_MS,
  }),
  ticketUses: count(1, 4096, { help: 'Uses of a join ticket unless told otherwise.', fallback: 64 }),
})

const limits = z.strictObject({
  ipcConnectionsMax: count(1, 65_536, { help: 'Agents and clients connected at once.', fallback: 10_240 }),
  stopDrainMs: duration(0, HOUR_MS, {
    help: 'Time for running tasks to end when the node is told to stop.',
    fallback: 5_000,
  }),
})

/** Every key of a node, once: types, bounds, defaults and help follow from it (CF-5). */
export const configSchema = z.strictObject({
  // The defaults of `data` and `socket` depend on where the node runs: here they stand as people write them down.
  profile: word(PROFILES, { help: 'Defaults for one host, a local network, or the internet.', fallback: 'lan' }),
  data: text(PATH, { help: 'Directory of key, store, socket and log.', fallback: '$XDG_STATE_HOME/swarm-node' }),
  socket: text(PATH, { help: 'Socket of agents and commands.', fallback: '$SWARM_NODE_DATA/swarm.sock' }),
  socketAccess: word(['owner', 'group', 'everyone'], {
    help: 'Which users of this host may connect to the socket; all but the owner need a token.',
    fallback: 'owner',
  }),
  token: optionalText(TOKEN, { help: 'Demanded of whoever connects to the socket.' }, { secret: true }),
  node,
  swarm,
  network,
  membership,
  directory,
  council,
  claims,
  storage,
  http,
  log,
  security,
  limits,
  up: z.strictObject({
    nodes: count(1, 256, { help: 'Nodes that `swarm-node up` starts.', fallback: 3 }),
  }),
})

type DeepReadonly<T> = T extends readonly (infer U)[]
  ? readonly DeepReadonly<U>[]
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

/** A configuration in which everything is decided. */
export type Config = DeepReadonly<z.output<typeof configSchema>>

/** All keys in order. */
export const KEYS = keysOf(configSchema)
