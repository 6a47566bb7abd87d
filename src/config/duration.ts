const UNITS_MS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const
const DURATION = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/

/** Milliseconds of `250ms`, `30s`, `5m`, `24h`, `7d`; undefined for anything else and for parts of a millisecond. */
export function parseDuration(text: string): number | undefined {
  const match = DURATION.exec(text)
  if (match === null) return undefined
  const ms = Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS]
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** The shortest way to write it that reads back as the same. */
export function formatDuration(ms: number): string {
  const unit = (['d', 'h', 'm', 's'] as const).find((name) => ms >= UNITS_MS[name] && ms % UNITS_MS[name] === 0) ?? 'ms'
  return `${ms / UNITS_MS[unit]}${unit}`
}
