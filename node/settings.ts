import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import {
  badConfiguration,
  CLAIMS_PROFILES,
  type ClaimsParams,
  type Config,
  type ConfigReport,
  clusterParameters,
  DEFAULT_LOG_PARAMS,
  DIRECTORY_PROFILES,
  type DirectoryParams,
  describeConfig,
  type FoundingTerms,
  isNodeId,
  type LogParams,
  MEMBERSHIP_PROFILES,
  type MembershipParams,
  type NetworkOptions,
  type NodeId,
  type ResolvedConfig,
  type Role,
  resolveConfig,
  SwarmError,
} from '../src/index.ts'
import type { StartOptions } from './start-options.ts'

type Environment = Readonly<Record<string, string | undefined>>

/** What the daemon goes by: the configuration, and the same in the words of the parts that use it. */
export interface Settings {
  readonly config: Config
  readonly start: {
    readonly data: string
    readonly socket: string
    readonly join: string | undefined
    readonly trustStore: boolean
  }
  /** For a swarm that this node founds. */
  readonly founding: FoundingTerms
  readonly membership: MembershipParams
  readonly directory: DirectoryParams
  readonly claims: ClaimsParams
  /** Of the log on disk. */
  readonly log: LogParams
  /** Members to contact at the start. */
  readonly contacts: readonly { readonly node: NodeId; readonly addresses: readonly string[] }[]
  /** Every value and where it came from. */
  readonly report: ConfigReport
  /** How to reach others, for a node that holds these roles. */
  network(roles: readonly Role[]): NetworkSettings
  /**
   * The same under the cluster-wide parameters of the swarm that this node belongs to.
   *
   * @throws SwarmError BAD_CONFIGURATION when something here contradicts them
   */
  within(parameters: Readonly<Record<string, string>>): Settings
}

export type NetworkSettings = Pick<NetworkOptions, 'listen' | 'announce' | 'relay' | 'mdns' | 'dht'>

/** @throws SwarmError BAD_CONFIGURATION with every problem */
export function resolveSettings(start: StartOptions, env: Environment): Settings {
  const { config: name, data, socket, profile, listen, region, zone, labels, http } = start
  const flags = { data, socket, profile, listen, region, zone, label: labels, http }
  const file = name === undefined ? undefined : { name, content: readConfigFile(name) }
  const resolve = (genesis?: Readonly<Record<string, string>>): Settings => {
    const resolved = resolveConfig({ home: homedir(), env, file, flags, genesis })
    if (!resolved.ok) throw badConfiguration(resolved.error)
    return { ...settingsOf(resolved.value, start), within: resolve }
  }
  return resolve()
}

function settingsOf(resolved: ResolvedConfig, { join, trustStore = false }: StartOptions): Omit<Settings, 'within'> {
  const { config } = resolved
  const { data, socket, swarm, storage, profile } = config
  const { segmentBytesMax, queuedBytesMax } = storage
  return {
    config,
    start: { data, socket, join, trustStore },
    founding: {
      swarmName: swarm.name,
      organisation: swarm.organisation,
      parameters: clusterParameters(config),
      certificateTtlMs: config.security.certificateTtlMs,
    },
    membership: { ...MEMBERSHIP_PROFILES[profile], ...config.membership },
    directory: { ...DIRECTORY_PROFILES[profile], ...config.directory },
    claims: claimsParams(CLAIMS_PROFILES[profile], config.claims),
    log: { ...DEFAULT_LOG_PARAMS, segmentBytesMax, queuedBytesMax },
    contacts: config.network.bootstrap.map(contactOf),
    report: { values: describeConfig(resolved).map(({ path, value, origin }) => ({ path, value, origin })) },
    network: (roles) => networkSettings(config, roles),
  }
}

/** What follows from the length of a lease keeps its proportion to it, so that the relations between them hold. */
function claimsParams(profile: ClaimsParams, { leaseMs, ...rest }: Config['claims']): ClaimsParams {
  const scale = leaseMs / profile.leaseMs
  const shorter = (ms: number): number => Math.min(ms, Math.round(ms * scale))
  return {
    ...profile,
    ...rest,
    leaseMs,
    renewIntervalMs: Math.round(profile.renewIntervalMs * scale),
    windowMaxMs: shorter(profile.windowMaxMs),
    promiseSlackMs: shorter(profile.promiseSlackMs),
    resendMs: shorter(profile.resendMs),
  }
}

function networkSettings({ network }: Config, roles: readonly Role[]): NetworkSettings {
  const { listen, announce, relay, dht, mdns } = network
  const serve = relay.server === 'on' || (relay.server === 'auto' && roles.includes('relay'))
  return {
    listen,
    announce,
    relay: { serve, reserve: relay.client },
    ...(mdns ? { mdns: {} } : {}),
    ...(dht === 'off' ? {} : { dht: { serve: dht === 'server' } }),
  }
}

/** A multiaddr that ends in `/p2p/NODE`, as the schema has seen to. */
function contactOf(address: string): { readonly node: NodeId; readonly addresses: readonly string[] } {
  const at = address.lastIndexOf('/p2p/')
  const node = address.slice(at + '/p2p/'.length)
  if (!isNodeId(node)) throw new SwarmError('BAD_CONFIGURATION', `${address} does not end in a node id`)
  return { node, addresses: [address.slice(0, at)] }
}

function readConfigFile(name: string): string {
  try {
    return readFileSync(name, 'utf8')
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('BAD_CONFIGURATION', `the configuration file ${name} cannot be read: ${reason}`, { cause })
  }
}
