import { ASKING_LIES } from './asking-lies.ts'
import { COORDINATOR_LIES } from './coordinator-lies.ts'
import { EXECUTOR_LIES } from './executor-lies.ts'
import type { Lie } from './types.ts'
import { WHOLE_LIES } from './whole-lies.ts'

/** Every known way for a member to lie about claims, made anew for each liar. Each is a correct member with one habit. */
export const LIES: Readonly<Record<string, () => Lie>> = {
  ...EXECUTOR_LIES,
  ...COORDINATOR_LIES,
  ...ASKING_LIES,
  ...WHOLE_LIES,
}
