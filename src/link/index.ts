export type { GapReason, LaneStats, LinkEffect, LinkInput, LinkMessage, LinkStats } from './types.ts'
