import { assert } from '../kernel/index.ts'

/** All times in milliseconds. */
export interface DirectoryParams {
  /** A change that matters waits at most, and two digests are apart at least, this long. */
  readonly intervalMinMs: number
  /** Two digests that differ in the load alone are this far apart among 16 members, and in proportion among others. */
  readonly loadIntervalMs: number
  /** A node that has nothing to offer yet tells its first digest once nobody has come for so long (D-12). */
  readonly growthCalmMs: number
  /** A digest goes out this often even without a change, so that others know it still holds. */
  readonly heartbeatMs: number
  /** An entry not renewed for this long is gone. */
  readonly expiryMs: number
  /** Tables are compared with a random link this often. */
  readonly syncIntervalMs: number
  /** Digests in one reply, in bytes. */
  readonly syncBytesMax: number
  /** Members whose digests are held (D-2). */
  readonly entriesMax: number
  /** A change of free slots, queue or load matters from this share of the whole on. */
  readonly significantShare: number
}

/**
 * Heartbeats are as given up to so many members. Above, they and the expiry stretch with the number, so that a node hears
 * as many a second in a crowd as in a small cell; who is down, membership tells long before (D-4).
 */
const CROWD_MEMBERS = 16

/** A change of the load is told once it has lasted for this share of `loadIntervalMs`: most tasks are over before. */
export const LOAD_LASTS_SHARE = 0.2

/** By how much heartbeats and expiry stretch among so many members. */
export function crowdStretch(members: number): number {
  return Math.max(1, members / CROWD_MEMBERS)
}

/** How far apart digests are that differ in the load alone: the more members hear of it, the more rarely (D-4). */
export function loadIntervalAmong(members: number, { intervalMinMs, loadIntervalMs }: DirectoryParams): number {
  return Math.max(intervalMinMs, (loadIntervalMs * members) / CROWD_MEMBERS)
}

const LAN: DirectoryParams = {
  intervalMinMs: 250,
  loadIntervalMs: 5_000,
  growthCalmMs: 2_500,
  heartbeatMs: 60_000,
  expiryMs: 240_000,
  syncIntervalMs: 10_000,
  syncBytesMax: 192 * 1024,
  entriesMax: 20_000,
  significantShare: 0.2,
}

export const DIRECTORY_PROFILES = {
  local: { ...LAN, intervalMinMs: 100 },
  lan: LAN,
  wan: { ...LAN, intervalMinMs: 1000 },
} as const satisfies Record<string, DirectoryParams>

/** The relations between the constants, each with its reason. */
export function checkDirectoryParams(p: DirectoryParams): void {
  assert(p.heartbeatMs * 3 < p.expiryMs, 'two lost heartbeats must not make a live node vanish', { p })
  assert(p.intervalMinMs < p.heartbeatMs, 'a change is told sooner than no change', { p })
  assert(p.loadIntervalMs < p.heartbeatMs, 'a change of load is told sooner than no change', { p })
  assert(p.syncIntervalMs < p.expiryMs, 'what gossip lost is repaired before it expires', { p })
  assert(p.syncBytesMax <= 200 * 1024, 'a reply fits its message kind with one largest digest to spare', { p })
  assert(p.significantShare > 0 && p.significantShare <= 1, 'a share', { p })
}
