import { assert } from '../kernel/index.ts'
import type { Lane } from '../wire/index.ts'

const KIB = 1024

/** Longest body of any kind that travels over a link; longer payloads are cut up by their protocol. */
export const BODY_BYTES_MAX = 256 * KIB

/** Kind and length in front of a body: two varints, at most 3 bytes each for codes and lengths below 2^21. */
export const MESSAGE_HEADER_BYTES_MAX = 6

/** The longest message as it stands in a frame. */
export const MESSAGE_BYTES_MAX = BODY_BYTES_MAX + MESSAGE_HEADER_BYTES_MAX

/**
 * A frame is closed once it holds this much: long enough to coalesce hundreds of small messages, short enough that a
 * control message waits for one bulk frame no longer than 5 ms at 100 Mbit/s (N-11). One message may be longer.
 */
export const FRAME_BYTES = 64 * KIB

/** Type and three varints of at most 8 bytes. */
export const FRAME_HEADER_BYTES_MAX = 25

/** Longest frame body that is ever sent; a longer one is a violation and is not read. */
export const FRAME_BYTES_MAX = FRAME_HEADER_BYTES_MAX + MESSAGE_BYTES_MAX

/** Acknowledgements wait this long for a data frame to ride on, in milliseconds. */
export const ACK_DELAY_MS = 20

/** Or until so many messages are unacknowledged. */
export const ACK_MESSAGES = 256

/** The receiver grants anew once this part of the window is used up. */
export const GRANT_FRACTION = 1 / 4

/**
 * A rate limit lets this many seconds' worth through at once: after a pause of the receiver, a garbage collection or a
 * stall of the network an honest peer's messages arrive together.
 */
export const RATE_BURST_SECONDS = 10

/** Points for what no correct peer does; at 100 it is disconnected (W-5). */
export const VIOLATION_POINTS = 100

export interface LaneParams {
  /** Waiting messages, not yet in a frame: at either bound the lane is full. */
  readonly queueMessagesMax: number
  readonly queueBytesMax: number
  /** Sent but unacknowledged resumed messages: at either bound the lane waits for acknowledgements. */
  readonly unackedMessagesMax: number
  readonly unackedBytesMax: number
  /** Bytes of messages a peer may send ahead of what was delivered: also what can stand in front of a higher lane. */
  readonly windowBytes: number
}

export type LinkParams = Readonly<Record<Lane, LaneParams>>

/**
 * All lanes of one link hold at most 4 MiB waiting and 2.5 MiB unacknowledged, whatever the peer does (N-5). The work
 * lane keeps 20,000 messages a second going over 100 ms with delayed acknowledgements in its 4,096.
 */
export const LINK_PARAMS: LinkParams = {
  control: {
    queueMessagesMax: 2048,
    queueBytesMax: 1024 * KIB,
    unackedMessagesMax: 2048,
    unackedBytesMax: 512 * KIB,
    windowBytes: 512 * KIB,
  },
  work: {
    queueMessagesMax: 8192,
    queueBytesMax: 2048 * KIB,
    unackedMessagesMax: 4096,
    unackedBytesMax: 1536 * KIB,
    windowBytes: 1024 * KIB,
  },
  bulk: {
    queueMessagesMax: 1024,
    queueBytesMax: 1024 * KIB,
    unackedMessagesMax: 1024,
    unackedBytesMax: 512 * KIB,
    windowBytes: 512 * KIB,
  },
}

/** @throws InvariantError when a lane with these parameters could stand still for ever. */
export function checkLaneParams(params: LaneParams): void {
  assert(params.queueBytesMax >= MESSAGE_BYTES_MAX, 'the longest message must fit an empty queue', { params })
  assert(params.unackedBytesMax >= MESSAGE_BYTES_MAX, 'the longest message must fit the empty buffer', { params })
  assert(
    params.windowBytes * (1 - GRANT_FRACTION) >= MESSAGE_BYTES_MAX,
    'what is left of the window before a new grant must hold the longest message',
    { params },
  )
  assert(params.unackedMessagesMax > ACK_MESSAGES, 'acknowledgements must come before the buffer is full', { params })
}
