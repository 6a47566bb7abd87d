import { BEHAVIOURS, nodes, World } from '../../src/byzantine/index.ts'
import { type ConsensusParams, consensusParams } from '../../src/consensus/index.ts'
import { faultsTolerated } from '../../src/kernel/index.ts'

/**
 * How fast a group decides in virtual time while f of its members lie, all in one way: the defaults of the core, links of
 * 2 to 6 ms one way, 1 ms to the disk. Virtual time knows no processors: this is about rounds and time-outs lost.
 */

const WARM_UP_MS = 2_000
const MEASURED_MS = 3_000
const IN_FLIGHT = 4
const SIZES = [4, 7]
/** Of the fault-free rate, that a group with f liars of one kind must keep. */
const SHARE_MIN = 0.5

export interface Pace {
  /** Blocks decided in a second of virtual time. */
  readonly blocksPerSecond: number
  /** The longest time between two decisions, once time-outs have met the liars. */
  readonly longestMs: number
}

/** Rates of a group whose last f members lie in this way; fault-free without one. */
export function paceOf(lie: string | undefined, size: number): Pace {
  const members = nodes(size)
  const liars = lie === undefined ? 0 : faultsTolerated(size)
  const hosts = members.map((node, i) => ({
    node,
    behaviour: lie !== undefined && i >= size - liars ? BEHAVIOURS[lie]?.() : undefined,
  }))
  const world = new World({
    seed: `pace ${lie} ${size}`,
    members,
    hosts,
    // The core's defaults, in place of the short times of the suites.
    params: consensusParams() satisfies ConsensusParams,
    diskMs: 1,
    route: (_envelope, { random }) => 2 + random.float() * 4,
  })
  const decidedAt: number[] = []
  let height = 0
  world.watcher = {
    onDecision: (_host, { block }) => {
      if (block.header.height <= height) return
      height = block.header.height
      decidedAt.push(world.now)
    },
  }
  const open = new Map<number, Set<number>>()
  const feed = (): void => {
    for (const host of world.honest) {
      const mine = open.get(host.index) ?? new Set<number>()
      open.set(host.index, mine)
      for (const id of mine) if (world.outcomes.delete(id)) mine.delete(id)
      while (mine.size < IN_FLIGHT) mine.add(world.submit(host, `w:${world.events}`))
    }
    world.after(1, feed)
  }
  feed()
  world.run(WARM_UP_MS + MEASURED_MS, () => false, Number.POSITIVE_INFINITY)
  const measured = decidedAt.filter((at) => at >= WARM_UP_MS)
  const gaps = measured.map((at, i) => at - (measured[i - 1] ?? WARM_UP_MS))
  return { blocksPerSecond: measured.length / (MEASURED_MS / 1000), longestMs: Math.max(0, ...gaps) }
}

/** Prints the table; the number of lies that cost too much. */
export function printPaces(only: string | undefined): number {
  let failed = 0
  for (const size of SIZES) {
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
  }
  return failed
}
