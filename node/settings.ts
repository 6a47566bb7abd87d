import {
  type ConfigReport,
  DIRECTORY_PROFILES,
  type DirectoryParams,
  type FoundingTerms,
  MEMBERSHIP_PROFILES,
  type MembershipParams,
  type NetworkOptions,
  type NodeId,
  SwarmError,
} from '../src/index.ts'
import { LOG_LEVELS, type LogLevel } from './log.ts'
import type { StartOptions } from './start-options.ts'

/** What the daemon goes by. */
export interface Settings {
  readonly start: StartOptions
  readonly http: string | undefined
  /** Demanded on the socket when it is shared. */
  readonly token: string | undefined
  readonly logLevel: LogLevel
  readonly logModules: Readonly<Record<string, LogLevel>>
  /** Standard error when there is none. */
  readonly logFile: string | undefined
  readonly region: string
  readonly zone: string
  readonly labels: Readonly<Record<string, string>>
  readonly founding: FoundingTerms
  readonly network: Pick<NetworkOptions, 'listen' | 'announce' | 'relay' | 'mdns' | 'dht' | 'bootstrap'>
  readonly bootstrapPeers: readonly { readonly node: NodeId; readonly addresses: readonly string[] }[]
  readonly membership: MembershipParams
  readonly directory: DirectoryParams
  readonly compactAfterBytes: number
  readonly revokedNodes: ReadonlySet<string>
  readonly ticketTtlMs: number
  readonly ticketUses: number
  /** Every value and where it came from. */
  readonly report: ConfigReport
}

/** @throws SwarmError BAD_CONFIGURATION with every problem */
export async function resolveSettings(
  start: StartOptions,
  env: Readonly<Record<string, string | undefined>>,
): Promise<Settings> {
  const level = env.SWARM_NODE_LOG_LEVEL ?? 'info'
  if (!isLevel(level)) {
    const message = `SWARM_NODE_LOG_LEVEL is ${JSON.stringify(level)}; it is one of ${LOG_LEVELS.join(', ')}`
    throw new SwarmError('BAD_CONFIGURATION', message)
  }
  return {
    start,
    http: start.http,
    token: env.SWARM_NODE_TOKEN,
    logLevel: level,
    logModules: {},
    logFile: undefined,
    region: start.region ?? '',
    zone: start.zone ?? '',
    labels: start.labels,
    founding: { swarmName: 'swarm', organisation: 'founder', parameters: {} },
    network: { listen: start.listen.length > 0 ? start.listen : ['/ip4/127.0.0.1/tcp/0'] },
    bootstrapPeers: [],
    membership: MEMBERSHIP_PROFILES[start.profile ?? 'lan'],
    directory: DIRECTORY_PROFILES[start.profile ?? 'lan'],
    compactAfterBytes: 1024 * 1024,
    revokedNodes: new Set(),
    ticketTtlMs: 3_600_000,
    ticketUses: 64,
    report: { values: [] },
  }
}

function isLevel(text: string): text is LogLevel {
  return (LOG_LEVELS as readonly string[]).includes(text)
}
