export { Link, type LinkInit } from './core.ts'
export { FrameSplitter } from './frame-splitter.ts'
export { LinkKinds } from './kinds.ts'
export {
  ACK_DELAY_MS,
  FRAME_BYTES,
  FRAME_BYTES_MAX,
  type LaneParams,
  LINK_PARAMS,
  type LinkParams,
  VIOLATION_POINTS,
} from './params.ts'
export type { GapReason, LaneStats, LinkEffect, LinkInput, LinkMessage, LinkStats } from './types.ts'
