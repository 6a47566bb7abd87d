/** Times of many of the same thing, in milliseconds. */
export interface Latency {
  readonly p50Ms: number
  readonly p95Ms: number
  readonly p99Ms: number
  readonly meanMs: number
  readonly count: number
}

export function latencyOf(timesMs: readonly number[]): Latency {
  const sorted = timesMs.toSorted((a, b) => a - b)
  return {
    p50Ms: quantile(sorted, 0.5),
    p95Ms: quantile(sorted, 0.95),
    p99Ms: quantile(sorted, 0.99),
    meanMs: sum(sorted) / sorted.length,
    count: sorted.length,
  }
}

export function median(values: readonly number[]): number {
  return quantile(
    values.toSorted((a, b) => a - b),
    0.5,
  )
}

export function sum(values: readonly number[]): number {
  return values.reduce((a, b) => a + b, 0)
}

/** Of values in rising order; NaN when there are none. */
function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

/** One line of what a bench has to say. */
export interface Figure {
  /** Which part of the bench it belongs to. */
  readonly part: string
  readonly what: string
  readonly value: number
  readonly unit: string
  /** What must be reached; the figure is below or above it. */
  readonly target?: { readonly atMost: number } | { readonly atLeast: number } | undefined
  /** The floor or the peer of the same run, and ours over it. */
  readonly peer?: { readonly name: string; readonly value: number } | undefined
  /** What the target is about: the figure itself (the default), or its ratio to the peer. */
  readonly judged?: 'value' | 'ratio' | undefined
}

/** Whether the target was reached; undefined where there is none, or nothing to compare with. */
export function isReached(figure: Figure): boolean | undefined {
  const { target } = figure
  const judged = figure.judged === 'ratio' ? ratioOf(figure) : figure.value
  if (target === undefined || judged === undefined) return undefined
  return 'atMost' in target ? judged <= target.atMost : judged >= target.atLeast
}

export function ratioOf({ value, peer }: Figure): number | undefined {
  return peer === undefined ? undefined : value / peer.value
}

/** The table: what, figure, target, peer, ratio. */
export function tableOf(figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.what,
    shown(figure.value, figure.unit),
    targetOf(figure),
    figure.peer === undefined ? '' : `${figure.peer.name} ${shown(figure.peer.value, figure.unit)}`,
    figure.peer === undefined ? '' : `${shortened(ratioOf(figure) ?? Number.NaN)}x`,
    { true: 'reached', false: 'MISSED', undefined: '' }[`${isReached(figure)}`] ?? '',
  ])
  const all = [['what', 'figure', 'target', 'peer', 'ratio', ''], ...rows]
  const widths = all[0]?.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0))) ?? []
  return all
    .map((row) =>
      row
        .map((cell, i) => cell.padEnd(widths[i] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

function targetOf({ target, judged, unit }: Figure): string {
  if (target === undefined) return ''
  const [sign, bound] = 'atMost' in target ? ['≤', target.atMost] : ['≥', target.atLeast]
  return `${sign} ${judged === 'ratio' ? `${bound}x` : shown(bound, unit)}`
}

function shown(value: number, unit: string): string {
  return `${shortened(value)}${unit.startsWith('/') ? '' : ' '}${unit}`
}

/** Three digits are what a bench can promise. */
function shortened(value: number): string {
  if (!Number.isFinite(value)) return '–'
  if (Math.abs(value) >= 100) return value.toFixed(0)
  return Number(value.toPrecision(3)).toString()
}
