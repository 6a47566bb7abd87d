import { InvalidArgumentError } from 'commander'

const UNIT_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const

/** Milliseconds of `250ms`, `30s`, `5m`, `24h` or `7d`; undefined when it is none of these. */
export function durationMs(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text)
  if (match === null) return undefined
  const ms = Math.round(Number(match[1]) * UNIT_MS[match[2] as keyof typeof UNIT_MS])
  return Number.isSafeInteger(ms) ? ms : undefined
}

/** For commander: a duration option. */
export function parseDuration(text: string): number {
  const ms = durationMs(text)
  if (ms === undefined) throw new InvalidArgumentError('A duration looks like 250ms, 30s, 5m or 24h.')
  return ms
}

/** For commander: a whole number of at least `min` and at most `max`. */
export function parseCount(min: number, max: number): (text: string) => number {
  return (text) => {
    const count = Number(text)
    if (/^\d+$/.test(text) && count >= min && count <= max) return count
    throw new InvalidArgumentError(`It is a whole number from ${min} to ${max}.`)
  }
}

/** For commander: a number that is not negative. */
export function parseAmount(text: string): number {
  const amount = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isFinite(amount) && amount >= 0) return amount
  throw new InvalidArgumentError('It is a number that is not negative.')
}

/** For commander: an option that may be given several times. */
export function collect(text: string, before: readonly string[] = []): readonly string[] {
  return [...before, text]
}

/** For commander: `K=V`, several times; the last one for a key wins. */
export function collectLabel(
  text: string,
  before: Readonly<Record<string, string>> = {},
): Readonly<Record<string, string>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('A label looks like key=value.')
  return { ...before, [text.slice(0, at)]: text.slice(at + 1) }
}

/** For commander: `K=V` where V is an amount, several times. */
export function collectAmount(
  text: string,
  before: Readonly<Record<string, number>> = {},
): Readonly<Record<string, number>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('It looks like memory=8.')
  return { ...before, [text.slice(0, at)]: parseAmount(text.slice(at + 1)) }
}

export interface SkillFlag {
  readonly name: string
  readonly proficiency?: number
}

/** For commander: `S` or `S=P`, several times. */
export function collectSkill(text: string, before: readonly SkillFlag[] = []): readonly SkillFlag[] {
  const at = text.lastIndexOf('=')
  if (at === -1) return [...before, { name: text }]
  const proficiency = text.endsWith('=') ? Number.NaN : Number(text.slice(at + 1))
  if (at === 0 || !(proficiency >= 0 && proficiency <= 1))
    throw new InvalidArgumentError('It looks like ocr or ocr=0.8, from 0 to 1.')
  return [...before, { name: text.slice(0, at), proficiency }]
}

/** `1d 2h`, `3m 20s`, `42s`: the two largest units that say something. */
export function formatSeconds(seconds: number): string {
  const whole = Math.floor(seconds)
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3_600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'm'],
    [whole % 60, 's'],
  ]
  const from = parts.findIndex(([count]) => count > 0)
  if (from === -1) return '0s'
  return parts
    .slice(from, from + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join(' ')
}

/** A path; an empty one, as an unset variable makes it, would mean the directory that one happens to be in. */
export function parsePath(text: string): string {
  if (text === '') throw new InvalidArgumentError('It is empty.')
  return text
}
