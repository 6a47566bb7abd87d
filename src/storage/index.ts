export { SegmentedLog } from './log.ts'
export { type OpenedLog, type OpenLogOptions, openLog } from './open-log.ts'
export { DEFAULT_LOG_PARAMS, type LogParams } from './params.ts'
