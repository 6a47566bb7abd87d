import type { Config } from './schema.ts'

/** Something that must hold between keys, and why (CF-7). */
export interface Relation {
  /** The keys it reads; the first one is where a problem is shown. */
  readonly paths: readonly string[]
  readonly rule: string
  readonly reason: string
  readonly holds: (config: Config) => boolean
}

/** The longest pause of a live process that must not look like its death; `PAUSE_TOLERATED_MS` of membership. */
const PAUSE_TOLERATED_MS = 2000

const below = (name: string): string => `membership.${name}`

export const RELATIONS: readonly Relation[] = [
  {
    paths: ['suspicionMinMs', 'directTimeoutMs', 'indirectTimeoutMs', 'suspectProbeMs'].map(below),
    rule: `suspicionMinMs + directTimeoutMs + indirectTimeoutMs ≥ ${PAUSE_TOLERATED_MS} + 4 × suspectProbeMs`,
    reason: 'after a pause of 2 s a live node must have four probes left to answer, or pauses count as deaths',
    holds: ({ membership: m }) =>
      m.suspicionMinMs + m.directTimeoutMs + m.indirectTimeoutMs >= PAUSE_TOLERATED_MS + 4 * m.suspectProbeMs,
  },
  {
    paths: ['suspicionLostMinMs', 'suspicionMinMs'].map(below),
    rule: 'suspicionLostMinMs ≤ suspicionMinMs',
    reason: 'a broken connection is stronger evidence than silence',
    holds: ({ membership: m }) => m.suspicionLostMinMs <= m.suspicionMinMs,
  },
  {
    paths: ['suspicionMinMs', 'suspicionMaxMs'].map(below),
    rule: 'suspicionMinMs ≤ suspicionMaxMs',
    reason: 'confirmations shorten a suspicion, they do not lengthen it',
    holds: ({ membership: m }) => m.suspicionMinMs <= m.suspicionMaxMs,
  },
  {
    paths: ['suspicionOrphanMs', 'suspicionMaxMs'].map(below),
    rule: 'suspicionMaxMs < suspicionOrphanMs',
    reason: 'who cannot judge leaves time to those who can',
    holds: ({ membership: m }) => m.suspicionMaxMs < m.suspicionOrphanMs,
  },
  {
    paths: ['suspectProbeMs', 'suspicionLostMinMs'].map(below),
    rule: '4 × suspectProbeMs ≤ suspicionLostMinMs',
    reason: 'a suspect is probed several times before it is given up',
    holds: ({ membership: m }) => m.suspectProbeMs * 4 <= m.suspicionLostMinMs,
  },
  {
    paths: ['syncIntervalMs', 'suspicionOrphanMs'].map(below),
    rule: 'syncIntervalMs < suspicionOrphanMs',
    reason: 'an answer to a suspicion that gossip lost must arrive by comparison of tables in time',
    holds: ({ membership: m }) => m.syncIntervalMs < m.suspicionOrphanMs,
  },
  {
    paths: ['fullMeshMin', 'fullMeshMax'].map(below),
    rule: 'fullMeshMin < fullMeshMax',
    reason: 'one node that comes and goes must not make all others link and unlink',
    holds: ({ membership: m }) => m.fullMeshMin < m.fullMeshMax,
  },
  {
    paths: ['linksMax', 'fullMeshMax', 'rings', 'ringSpan'].map(below),
    rule: 'fullMeshMax ≤ linksMax and 2 × rings × ringSpan ≤ linksMax',
    reason: 'neighbours must never be closed as surplus',
    holds: ({ membership: m }) => m.fullMeshMax <= m.linksMax && 2 * m.rings * m.ringSpan <= m.linksMax,
  },
  {
    paths: ['recontactPatienceMs', 'recontactIntervalMs'].map(below),
    rule: 'recontactPatienceMs < recontactIntervalMs',
    reason: 'one of the dead is dialled at a time',
    holds: ({ membership: m }) => m.recontactPatienceMs < m.recontactIntervalMs,
  },
  {
    paths: ['lagToleranceMs', 'directTimeoutMs'].map(below),
    rule: 'lagToleranceMs < directTimeoutMs',
    reason: 'a pause of this node that could fail a probe must be noticed, or others are suspected for it',
    holds: ({ membership: m }) => m.lagToleranceMs < m.directTimeoutMs,
  },
  {
    paths: ['membersMax', 'fullMeshMax'].map(below),
    rule: 'fullMeshMax < membersMax',
    reason: 'a full mesh must fit the table',
    holds: ({ membership: m }) => m.fullMeshMax < m.membersMax,
  },
  {
    paths: ['directory.heartbeatMs', 'directory.expiryMs'],
    rule: '3 × heartbeatMs < expiryMs',
    reason: 'two lost heartbeats must not make a live node vanish',
    holds: ({ directory: d }) => d.heartbeatMs * 3 < d.expiryMs,
  },
  {
    paths: ['directory.intervalMinMs', 'directory.heartbeatMs'],
    rule: 'intervalMinMs < heartbeatMs',
    reason: 'a change is told sooner than no change',
    holds: ({ directory: d }) => d.intervalMinMs < d.heartbeatMs,
  },
  {
    paths: ['directory.loadIntervalMs', 'directory.heartbeatMs'],
    rule: 'loadIntervalMs < heartbeatMs',
    reason: 'a change of load is told sooner than no change',
    holds: ({ directory: d }) => d.loadIntervalMs < d.heartbeatMs,
  },
  {
    paths: ['directory.syncIntervalMs', 'directory.expiryMs'],
    rule: 'syncIntervalMs < expiryMs',
    reason: 'what gossip lost must be repaired before it expires',
    holds: ({ directory: d }) => d.syncIntervalMs < d.expiryMs,
  },
  {
    paths: ['socketAccess', 'token'],
    rule: 'socketAccess = owner unless there is a token',
    reason: 'whoever may connect may use this node and stop it',
    holds: ({ socketAccess, token }) => socketAccess === 'owner' || token !== undefined,
  },
  {
    paths: ['security.ticketTtlMs', 'security.certificateTtlMs'],
    rule: 'ticketTtlMs ≤ certificateTtlMs',
    reason: 'the certificate of its issuer must outlive a ticket for the ticket to be of use',
    holds: ({ security: s }) => s.ticketTtlMs <= s.certificateTtlMs,
  },
]
