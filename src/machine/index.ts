export { Motions, type Voices, voicesNeeded } from './motions.ts'
export { MOTION_BYTES_MAX } from './params.ts'
export { restoreTables, snapshotOf } from './snapshot.ts'
export { Table } from './table.ts'
