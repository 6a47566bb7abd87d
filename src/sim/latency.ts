import { assert, type Random } from '../kernel/index.ts'

/** How far apart two machines are, one way, before the weather. Machines are numbered from 0. */
export interface Latency {
  readonly name: string
  /** The region of a machine, for scenarios and labels. */
  regionOf(machine: number): string
  /** Milliseconds one way from one machine to another. */
  oneWayMs(from: number, to: number): number
  /** Mean of the exponential part that each message adds. */
  readonly jitterMs: number
}

/** Every pair equally far: one site, or one wide network. */
export function uniformLatency(name: string, oneWayMs: number, jitterMs: number): Latency {
  return { name, regionOf: () => 'site', oneWayMs: () => oneWayMs, jitterMs }
}

/** A switch and two network stacks. */
export const LAN: Latency = uniformLatency('lan', 0.15, 0.05)

/** Half of a 60 ms round trip. */
export const WAN: Latency = uniformLatency('wan', 30, 3)

export interface LatencyMatrix {
  readonly regions: readonly string[]
  /** Round trips in milliseconds, row to column; not symmetric. */
  readonly roundTripMs: readonly (readonly number[])[]
}

/** Reads a matrix whose first row and column name the regions. */
export function parseLatencyMatrix(csv: string): LatencyMatrix {
  const rows = csv
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .map((line) => line.split(','))
  const regions = (rows[0] ?? []).slice(1)
  assert(regions.length > 0, 'a latency matrix names its regions in its first row')
  const roundTripMs = rows.slice(1).map((row) => row.slice(1).map(Number))
  const square = roundTripMs.length === regions.length && roundTripMs.every((row) => row.length === regions.length)
  assert(square, 'a latency matrix is square', { regions: regions.length, rows: roundTripMs.length })
  assert(
    roundTripMs.every((row) => row.every((value) => Number.isFinite(value) && value >= 0)),
    'a latency is a number of milliseconds',
  )
  return { regions, roundTripMs }
}

/** Spreads machines over `regionCount` regions of a matrix, drawn by the seed. */
export function matrixLatency(name: string, matrix: LatencyMatrix, regionCount: number, random: Random): Latency {
  const chosen = random.sample([...matrix.regions.keys()], regionCount)
  const regionAt = (machine: number): number => chosen[machine % chosen.length] as number
  return {
    name,
    regionOf: (machine) => matrix.regions[regionAt(machine)] as string,
    oneWayMs: (from, to) => (matrix.roundTripMs[regionAt(from)]?.[regionAt(to)] as number) / 2,
    jitterMs: 1,
  }
}
