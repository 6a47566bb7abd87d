import { COUNCIL_SIZE_MAX, SEATS_MAX } from './params.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const DAY_MS = 24 * HOUR_MS

/** What values a parameter takes. */
export type ParameterRule =
  | { readonly kind: 'whole'; readonly min: number; readonly max: number }
  | { readonly kind: 'word'; readonly words: readonly string[] }

const whole = (min: number, max: number): ParameterRule => ({ kind: 'whole', min, max })
const words = (...list: readonly string[]): ParameterRule => ({ kind: 'word', words: list })

/**
 * Every parameter that the council can set (GV-9). The cluster-wide keys of `src/config` with the same ranges (a test
 * compares them), and the council's own. Part of the machine: all members judge alike, whatever their configuration.
 */
export const PARAMETERS: Readonly<Record<string, ParameterRule>> = {
  'membership.suspicionMinMs': whole(100, HOUR_MS),
  'membership.suspicionLostMinMs': whole(100, HOUR_MS),
  'membership.suspicionMaxMs': whole(100, HOUR_MS),
  'membership.suspicionOrphanMs': whole(100, HOUR_MS),
  'membership.fullMeshMax': whole(2, 256),
  'membership.fullMeshMin': whole(1, 255),
  'membership.rings': whole(1, 16),
  'membership.ringSpan': whole(1, 16),
  'membership.tombstoneMs': whole(MINUTE_MS, 30 * DAY_MS),
  'directory.heartbeatMs': whole(1000, HOUR_MS),
  'directory.expiryMs': whole(1000, DAY_MS),
  'claims.leaseMs': whole(2000, MINUTE_MS),
  'council.sizeMax': whole(1, SEATS_MAX),
  'council.governance': words('founder', 'council'),
}

/** Values where neither a decision nor the genesis says anything. */
const DEFAULTS: Readonly<Record<string, string>> = {
  'council.sizeMax': `${COUNCIL_SIZE_MAX}`,
  'council.governance': '"founder"',
}

/** Those that no configuration has. */
const OWN = Object.keys(DEFAULTS)

/** What must hold between parameters that are both cluster-wide; the reasons stand in `src/config/relations.ts`. */
const ORDERED: readonly (readonly [lower: string, upper: string, strict: boolean])[] = [
  ['membership.suspicionLostMinMs', 'membership.suspicionMinMs', false],
  ['membership.suspicionMinMs', 'membership.suspicionMaxMs', false],
  ['membership.suspicionMaxMs', 'membership.suspicionOrphanMs', true],
  ['membership.fullMeshMin', 'membership.fullMeshMax', true],
  ['directory.heartbeatMs', 'directory.expiryMs', true],
]

/** The default of a parameter; undefined if only the genesis has one. */
export function defaultOf(name: string): string | undefined {
  return Object.hasOwn(DEFAULTS, name) ? DEFAULTS[name] : undefined
}

/** Why a parameter cannot take this value, by itself; undefined if it can. */
export function faultOfParameter(name: string, value: string): string | undefined {
  if (!Object.hasOwn(PARAMETERS, name)) {
    return `there is no parameter ${name}: 'config show' lists the cluster-wide ones, and there are ${OWN.join(' and ')}`
  }
  const rule = PARAMETERS[name] as ParameterRule
  if (rule.kind === 'word') {
    return rule.words.some((word) => JSON.stringify(word) === value)
      ? undefined
      : `${name} is one of ${rule.words.join(', ')}`
  }
  const number = /^(?:0|[1-9]\d{0,14})$/.test(value) ? Number(value) : Number.NaN
  if (number >= rule.min && number <= rule.max) return undefined
  return `${name} is a whole number from ${rule.min} to ${rule.max}`
}

/** Why a value cannot stand beside those of other parameters; undefined if it can. */
export function faultOfRelations(
  name: string,
  value: string,
  other: (name: string) => string | undefined,
): string | undefined {
  const read = (of: string): number | undefined => {
    const text = of === name ? value : other(of)
    return text === undefined ? undefined : Number(text)
  }
  for (const [lower, upper, strict] of ORDERED) {
    if (lower !== name && upper !== name) continue
    const [low, high] = [read(lower), read(upper)]
    if (low === undefined || high === undefined || low < high || (!strict && low === high)) continue
    return `${lower} (${low}) must ${strict ? 'be less than' : 'not exceed'} ${upper} (${high})`
  }
  return undefined
}
