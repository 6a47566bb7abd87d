export const PROFILES = ['local', 'lan', 'wan'] as const
export type Profile = (typeof PROFILES)[number]

/** What `start` was told on the command line. Everything left out comes from the environment, a file, a profile or the defaults. */
export interface StartOptions {
  readonly data?: string | undefined
  readonly socket?: string | undefined
  /** A configuration file. */
  readonly config?: string | undefined
  readonly profile?: Profile | undefined
  /** A join ticket. */
  readonly join?: string | undefined
  /** Multiaddrs; empty for the configured ones. */
  readonly listen: readonly string[]
  readonly region?: string | undefined
  readonly zone?: string | undefined
  readonly labels: Readonly<Record<string, string>>
  /** A person vouches for the store: nothing is missing from it. */
  readonly trustStore?: boolean | undefined
  /** HOST:PORT. */
  readonly http?: string | undefined
}

/** The same as arguments of `swarm-node`, for a process that is started to do it. */
export function startArguments(options: StartOptions): readonly string[] {
  const single = { config: options.config, profile: options.profile, join: options.join, region: options.region }
  const rest = { zone: options.zone, http: options.http, data: options.data, socket: options.socket }
  return [
    'start',
    ...Object.entries({ ...single, ...rest }).flatMap(([name, value]) =>
      value === undefined ? [] : [`--${name}`, value],
    ),
    ...(options.trustStore === true ? ['--trust-store'] : []),
    ...options.listen.flatMap((address) => ['--listen', address]),
    ...Object.entries(options.labels).flatMap(([key, value]) => ['--label', `${key}=${value}`]),
  ]
}
