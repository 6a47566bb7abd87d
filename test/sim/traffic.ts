import type { Checker, Simulation, SwarmProgram } from '../../src/sim/index.ts'
import type { MessageKind } from '../../src/wire/index.ts'

/** Messages by kind; a gossiped one counts once for every link that it crossed. */
export type Counts = ReadonlyMap<string, number>

/** Counts what crosses the network. */
export class Traffic implements Checker<SwarmProgram> {
  readonly #counts = new Map<string, number>()

  constructor(sim: Simulation<SwarmProgram>) {
    sim.check(this)
  }

  onSend(...[, , kind]: Parameters<NonNullable<Checker<SwarmProgram>['onSend']>>): void {
    this.#add(kind)
  }

  onForward(...[, kind]: Parameters<NonNullable<Checker<SwarmProgram>['onForward']>>): void {
    this.#add(kind)
  }

  read(): Counts {
    return new Map(this.#counts)
  }

  #add(kind: MessageKind): void {
    this.#counts.set(kind, (this.#counts.get(kind) ?? 0) + 1)
  }
}

/** What came after `before`. */
export function since(before: Counts, now: Counts): Counts {
  return new Map([...now].map(([kind, count]) => [kind, count - (before.get(kind) ?? 0)]))
}

export function total(counts: Counts, isCounted: (kind: string) => boolean): number {
  let sum = 0
  for (const [kind, count] of counts) if (isCounted(kind)) sum += count
  return sum
}
