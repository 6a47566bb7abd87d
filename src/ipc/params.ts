import { assert } from '../kernel/index.ts'

/** The version of the agent and control protocol (`hello`'s `protocol`). */
export const IPC_PROTOCOL = 1

const KIB = 1024
const MIB = 1024 * KIB

/** What one connection may cost the daemon. Every field is a bound; what happens at it is in README.md, I-2 to I-7. */
export interface SessionLimits {
  /** Bytes of one line without its newline: a 1 MiB input and what is wrapped around it. */
  readonly lineBytesMax: number
  /** Requests that are not answered yet. */
  readonly requestsInFlightMax: number
  /** Tasks that the agents of one connection have at once. */
  readonly ordersMax: number
  readonly subscriptionsMax: number
  /** Unsent bytes above which events are dropped: a follower that stands still must not cost memory. */
  readonly eventBacklogBytesMax: number
  /** Unsent bytes above which the client is not read: whoever does not take answers may not ask more. */
  readonly pauseReadingBytes: number
  /** Unsent bytes above which the connection is closed: answers already under way when reading was paused fit below. */
  readonly outputBytesMax: number
  /** Lines a second on average: about the most a socket carries one by one, so that only a loop gone wild meets it. */
  readonly linesPerSecond: number
  readonly linesBurst: number
  /** Time for the first line; a local program needs microseconds, a person typing into `nc` some seconds. */
  readonly helloTimeoutMs: number
  /** What a refused request should wait before it asks again. */
  readonly retryAfterMs: number
}

export const SESSION_LIMITS: SessionLimits = checked({
  lineBytesMax: 1 * MIB + 4 * KIB,
  requestsInFlightMax: 4096,
  ordersMax: 65_536,
  subscriptionsMax: 64,
  eventBacklogBytesMax: 1 * MIB,
  pauseReadingBytes: 4 * MIB,
  outputBytesMax: 16 * MIB,
  linesPerSecond: 100_000,
  linesBurst: 100_000,
  helloTimeoutMs: 10_000,
  retryAfterMs: 50,
})

/** The limits, once their relations hold. */
export function checked(limits: SessionLimits): SessionLimits {
  assert(limits.eventBacklogBytesMax <= limits.pauseReadingBytes, 'events give way before requests do', { limits })
  assert(
    limits.pauseReadingBytes + limits.lineBytesMax <= limits.outputBytesMax,
    'one more answer fits after reading was paused',
    { limits },
  )
  assert(limits.linesBurst >= limits.requestsInFlightMax, 'filling the pipeline at once is no flood', { limits })
  return limits
}

/** Characters of a request id that is a text: it is held for every request in flight. */
export const REQUEST_ID_CHARS_MAX = 128

/** What an error names of wrong parameters, and characters of each problem: what is wrong may be all of a line. */
export const PROBLEMS_MAX = 32
export const PROBLEM_CHARS_MAX = 256
