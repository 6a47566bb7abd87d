export { CellMachine } from './machine.ts'
export {
  type CellOperation,
  type CellResult,
  type Configuration,
  type CustodyEpoch,
  cellResultShape,
  decodeCellOperation,
  encodeCellOperation,
  type JournalName,
} from './operations.ts'
export { CHANGES_MAX } from './params.ts'
export type { CellState } from './state.ts'
