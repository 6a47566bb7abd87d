import { SESSION_LIMITS } from '../ipc/index.ts'

/** A daemon in good health answers in microseconds; one that stands still is worth telling about. */
export const CALL_TIMEOUT_MS = 10_000
/** Longer than a council tries (15 s): it is the daemon that knows who is missing. */
export const DECISION_TIMEOUT_MS = 25_000
/** An output of 1 MiB may come from another node first, over a link as slow as 20 kB/s. */
export const OUTPUT_TIMEOUT_MS = 60_000

/** For a call of a client that reconnects: a daemon that is restarted is back within it. */
export const PATIENT_CALL_TIMEOUT_MS = 30_000

/** One question of `task.wait`. It is asked again until the task ends; a daemon that has died is noticed in between. */
export const WAIT_SLICE_MS = 30_000

/** The longest that a timer can wait, 24 days; a longer one would end at once. */
export const TIMER_MS_MAX = 2 ** 31 - 1

/**
 * Questions unanswered at once. The daemon allows `requestsInFlightMax` on a connection; waits last, and may not keep
 * everything else from being asked, so each kind has half of it.
 */
export const IN_FLIGHT_MAX = SESSION_LIMITS.requestsInFlightMax / 2

/** Questions of one kind that wait for their turn or for the daemon to come back. One more is `OVERLOADED`. */
export const CALLS_QUEUED_MAX = 100_000

/** Unsent bytes above which no further question and no progress is written. Outcomes always are: they end tasks. */
export const UNSENT_BYTES_MAX = 4 * 1024 * 1024

/** A process that was stopped or hangs is found out after three of these: later than a pause that nobody minds. */
export const HEARTBEAT_MS = 5_000

/** Extra inputs of one task that its handler has not asked for yet. */
export const STEERS_HELD_MAX = 64

/** Events that one reader has not taken; above it they are dropped and counted. */
export const EVENTS_HELD_MAX = 1_024

/** Before the first attempt to reconnect; doubled for each further one, with chance so that many do not come at once. */
export const BACK_OFF_FIRST_MS = 50
export const BACK_OFF_MAX_MS = 5_000

/** What is still unsent when a connection is closed may take so long. */
export const LINGER_MS = 1_000
