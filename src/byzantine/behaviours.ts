import { PROPOSAL_LIES } from './proposal-lies.ts'
import { SHOWING_LIES } from './showing-lies.ts'
import type { Behaviour } from './types.ts'
import { VOTE_LIES } from './vote-lies.ts'
import { WHOLE_LIES } from './whole-lies.ts'

/** Every known way to lie, made anew for each run. Each is a correct member with one habit. */
export const BEHAVIOURS: Readonly<Record<string, () => Behaviour>> = {
  ...WHOLE_LIES,
  ...PROPOSAL_LIES,
  ...VOTE_LIES,
  ...SHOWING_LIES,
}
