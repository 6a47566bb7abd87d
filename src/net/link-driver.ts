export type { LinkDriverInit, LinkHandler, LinkStreams, Links } from './link-types.ts'
