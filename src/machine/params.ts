const KIB = 1024
const HOUR_MS = 3_600_000

/** Longest operation of a machine that takes motions; consensus itself would take more. */
export const MOTION_BYTES_MAX = 8 * KIB
/** Most members a group has, so most voices a motion can get. */
export const VOTERS_MAX = 64
/** Motions that one voter may have opened and that are still open: no liar keeps the others from opening theirs. */
export const MOTIONS_PER_VOTER_MAX = 4
/** Room for all that voters may open. */
export const MOTIONS_MAX = VOTERS_MAX * MOTIONS_PER_VOTER_MAX
/** A motion that is not carried by then is forgotten: long enough for people in all time zones to be asked. */
export const MOTION_TTL_MS = 72 * HOUR_MS
