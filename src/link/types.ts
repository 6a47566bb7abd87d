import type { Lane, MessageKind } from '../wire/index.ts'

/** One message as it left a frame. The body is a view into the frame: whoever keeps it keeps the frame. */
export interface LinkMessage<K extends string = MessageKind> {
  readonly kind: K
  readonly body: Uint8Array
}

/**
 * What happens to a link. `up`: the lane has a fresh stream. `down`: its stream is gone. `writable`: its stream takes a
 * frame now. `frame`: the body of a frame from its present stream. `forget`: the peer's state is given up.
 */
export type LinkInput<K extends string = MessageKind> =
  | { readonly kind: 'send'; readonly message: K; readonly body: Uint8Array }
  | { readonly kind: 'frame'; readonly lane: Lane; readonly body: Uint8Array }
  | { readonly kind: 'writable'; readonly lane: Lane }
  | { readonly kind: 'up'; readonly lane: Lane }
  | { readonly kind: 'down'; readonly lane: Lane }
  | { readonly kind: 'forget' }

/** Why messages of a lane may be lost. */
export type GapReason = 'peer-restarted' | 'forgotten' | 'message-refused'

/**
 * What a link asks for. `write`: put these bytes (length prefix included) on the lane's stream. `full`: the message just
 * sent was not taken. `room`: the queue takes messages again after a refusal. `open`: both hellos are exchanged.
 * `close`: the stream is of no use any more, drop it.
 */
export type LinkEffect<K extends string = MessageKind> =
  | { readonly kind: 'write'; readonly lane: Lane; readonly bytes: Uint8Array }
  | { readonly kind: 'deliver'; readonly lane: Lane; readonly messages: readonly LinkMessage<K>[] }
  | { readonly kind: 'full'; readonly lane: Lane }
  | { readonly kind: 'room'; readonly lane: Lane }
  | { readonly kind: 'open'; readonly lane: Lane }
  | { readonly kind: 'gap'; readonly lane: Lane; readonly reason: GapReason }
  | { readonly kind: 'penalise'; readonly points: number; readonly reason: string }
  | { readonly kind: 'close'; readonly lane: Lane; readonly reason: string }

/** Counters since the link was made, and the present fill of its buffers. */
export interface LaneStats {
  readonly open: boolean
  readonly queuedMessages: number
  readonly queuedBytes: number
  readonly unackedMessages: number
  readonly unackedBytes: number
  readonly sentMessages: number
  readonly sentFrames: number
  readonly receivedMessages: number
  readonly receivedFrames: number
  /** Refusals to senders of kinds that refuse. */
  readonly refusedCount: number
  /** Momentary messages lost to a full queue or a broken stream, and messages cut by a gap. */
  readonly droppedCount: number
  readonly gapCount: number
}

export type LinkStats = Readonly<Record<Lane, LaneStats>>
