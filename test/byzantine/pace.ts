import { BEHAVIOURS, type Host, nodes, type Route, World } from '../../src/byzantine/index.ts'
import { consensusParams } from '../../src/consensus/index.ts'
import { faultsTolerated, Random } from '../../src/kernel/index.ts'

/**
 * How fast a group decides in virtual time, with the defaults of the core and 1 ms to the disk: while f of its members
 * lie, all in one way, on links of 2 to 6 ms one way; and over wide networks, where a message takes as long as a time-out.
 * Virtual time knows no processors: this is about rounds and time-outs lost.
 */

const IN_FLIGHT = 4
const SIZES = [4, 7, 10]
/** Of the fault-free rate, that a group with f liars of one kind must keep. */
const SHARE_MIN = 0.5
/** One way, from the nearest pair to the farthest. */
const WIDE = [
  [80, 200],
  [150, 400],
] as const

interface Measured {
  /** When the measurement began, and when each decision in it was first known. */
  readonly decidedAt: readonly number[]
  /** Views that passed meanwhile. */
  readonly views: number
}

interface Course {
  readonly seed: string
  readonly size: number
  readonly lie?: string | undefined
  readonly route: Route
  readonly warmUpMs: number
  readonly measuredMs: number
}

function measure({ seed, size, lie, route, warmUpMs, measuredMs }: Course): Measured {
  const members = nodes(size)
  const liars = lie === undefined ? 0 : faultsTolerated(size)
  const hosts = members.map((node, i) => ({
    node,
    behaviour: lie !== undefined && i >= size - liars ? BEHAVIOURS[lie]?.() : undefined,
  }))
  const world = new World({ seed, members, hosts, params: consensusParams(), diskMs: 1, route })
  const all: number[] = []
  let height = 0
  world.watcher = {
    onDecision: (_host, { block }) => {
      if (block.header.height <= height) return
      height = block.header.height
      all.push(world.now)
    },
  }
  keepBusy(world)
  const view = (): number => world.honest[0]?.core.view ?? 0
  world.run(warmUpMs, () => false, Number.POSITIVE_INFINITY)
  const before = view()
  world.run(warmUpMs + measuredMs, () => false, Number.POSITIVE_INFINITY)
  return { decidedAt: [warmUpMs, ...all.filter((at) => at >= warmUpMs)], views: view() - before }
}

/** A few operations under way at each honest member, always. */
function keepBusy(world: World): void {
  const open = new Map<Host, Set<number>>(world.honest.map((host) => [host, new Set()]))
  const feed = (): void => {
    for (const [host, mine] of open) {
      for (const id of mine) if (world.outcomes.delete(id)) mine.delete(id)
      while (mine.size < IN_FLIGHT) mine.add(world.submit(host, `w:${world.events}`))
    }
    world.after(1, feed)
  }
  feed()
}

const longest = (decidedAt: readonly number[]): number =>
  Math.max(...decidedAt.map((at, i) => at - (decidedAt[i - 1] ?? at)))

export interface Pace {
  /** Blocks decided in a second of virtual time. */
  readonly blocksPerSecond: number
  /** The longest time between two decisions, once time-outs have met the liars. */
  readonly longestMs: number
}

/** Rates of a group whose last f members lie in this way; fault-free without one. */
export function paceOf(lie: string | undefined, size: number): Pace {
  const route: Route = (_envelope, { random }) => 2 + random.float() * 4
  const measuredMs = 3_000
  const { decidedAt } = measure({ seed: `pace ${lie} ${size}`, size, lie, route, warmUpMs: 2_000, measuredMs })
  return { blocksPerSecond: (decidedAt.length - 1) / (measuredMs / 1000), longestMs: longest(decidedAt) }
}

/** The same without liars, each pair so far apart; and the views that led to nothing once distances are known. */
export function widePaceOf(size: number, [nearMs, farMs]: readonly [number, number]): Pace & { skipped: number } {
  const random = new Random(`wide ${size} ${farMs}`)
  const apart = Array.from({ length: size }, () => Array.from({ length: size }, () => random.between(nearMs, farMs)))
  const route: Route = ({ from, to }, { random: dice }) => {
    const [low, high] = from.index < to.index ? [from.index, to.index] : [to.index, from.index]
    return (apart[low]?.[high] ?? farMs) * (1 + dice.float() * 0.05)
  }
  const measuredMs = 30_000
  const { decidedAt, views } = measure({ seed: `wide ${size}`, size, route, warmUpMs: 20_000, measuredMs })
  const blocks = decidedAt.length - 1
  // The last view may be on its way to its block.
  return {
    blocksPerSecond: blocks / (measuredMs / 1000),
    longestMs: longest(decidedAt),
    skipped: Math.max(0, views - blocks - 1),
  }
}

/** Prints the tables; the number of rows that are not as they should be. */
export function printPaces(only: string | undefined): number {
  let failed = 0
  for (const size of SIZES) failed += printLies(size, only)
  if (only !== undefined) return failed
  console.log('over wide networks, without liars, from 20 s on')
  for (const apart of WIDE) {
    for (const size of SIZES) {
      const { blocksPerSecond, longestMs, skipped } = widePaceOf(size, apart)
      failed += skipped > 0 ? 1 : 0
      console.log(
        `  n = ${String(size).padEnd(3)} ${apart.join(' to ')} ms one way ${blocksPerSecond.toFixed(1).padStart(6)}/s  longest ${longestMs.toFixed(0).padStart(5)} ms  ${skipped} views skipped`,
      )
    }
  }
  return failed
}

function printLies(size: number, only: string | undefined): number {
  let failed = 0
  const free = paceOf(undefined, size)
  console.log(
    `n = ${size}, f = ${faultsTolerated(size)}: ${free.blocksPerSecond.toFixed(1)} blocks/s without faults, at most ${free.longestMs.toFixed(0)} ms between two`,
  )
  for (const lie of Object.keys(BEHAVIOURS)) {
    if (only !== undefined && only !== lie) continue
    const { blocksPerSecond, longestMs } = paceOf(lie, size)
    const share = blocksPerSecond / free.blocksPerSecond
    if (share < SHARE_MIN) failed += 1
    console.log(
      `  ${lie.padEnd(24)} ${blocksPerSecond.toFixed(1).padStart(6)}/s ${(100 * share).toFixed(0).padStart(5)}%  longest ${longestMs.toFixed(0).padStart(5)} ms${share < SHARE_MIN ? '  BELOW HALF' : ''}`,
    )
  }
  return failed
}
