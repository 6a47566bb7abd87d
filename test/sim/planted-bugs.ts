/** A bug to be found: one place of the shipped source, replaced. SI-13. */
export interface PlantedBug {
  readonly name: string
  readonly what: string
  /** Below `src`. */
  readonly file: string
  /** Must occur exactly once. */
  readonly find: string
  readonly replace: string
  readonly campaign: string
  readonly firstSeed?: number
  /** It must be found within this many seeds. */
  readonly seeds: number
}

export const PLANTED_BUGS: readonly PlantedBug[] = []
