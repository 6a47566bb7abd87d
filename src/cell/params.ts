import { assert } from '../kernel/index.ts'

/** Version of the rules and of the snapshot. */
export const CELL_FORMAT_COUNT = 1
/** What consensus can hold. */
export const CUSTODIANS_MAX = 64
/** Custodians that one motion takes in or lets go. */
export const CHANGES_MAX = 4
/** A node's id, and room for a word of its own. */
export const JOURNAL_NAME_BYTES_MAX = 96
/** A node needs one, and another while it moves from it. */
export const JOURNALS_PER_OWNER_MAX = 8
/** Owners that left may still have journals here. */
export const JOURNALS_MAX = 1024
/** In-sync replicas of a journal: more would make every entry slower than it is safe. */
export const REPLICAS_MAX = 8

assert(JOURNALS_MAX >= CUSTODIANS_MAX * JOURNALS_PER_OWNER_MAX, 'every custodian can have its journals')
