import type { Stream } from '@libp2p/interface'
import type { NodeId } from '../kernel/index.ts'
import { LANES, type Lane } from '../wire/index.ts'
import { OPEN_TIMEOUT_MS, REOPEN_MS_MAX, REOPEN_MS_MIN } from './link-params.ts'
import type { LinkStreams } from './link-types.ts'

interface Attempt {
  pauseMs: number
  timer: NodeJS.Timeout | undefined
  abort: AbortController | undefined
}

/** Keeps asking for a stream per lane, with growing pauses, for as long as the connection is there. */
export class LinkOpener {
  readonly #peer: NodeId
  readonly #streams: LinkStreams
  readonly #protocolOf: (lane: Lane) => string
  readonly #onStream: (lane: Lane, stream: Stream) => void
  readonly #attempts = new Map<Lane, Attempt>()

  constructor(
    peer: NodeId,
    streams: LinkStreams,
    protocolOf: (lane: Lane) => string,
    onStream: (lane: Lane, stream: Stream) => void,
  ) {
    this.#peer = peer
    this.#streams = streams
    this.#protocolOf = protocolOf
    this.#onStream = onStream
  }

  /** A connection is there: open every lane at once. */
  start(): void {
    for (const lane of LANES) {
      this.#attempts.set(lane, { pauseMs: 0, timer: undefined, abort: undefined })
      this.again(lane)
    }
  }

  /** The lane's stream is gone: the next attempt follows after its pause. */
  again(lane: Lane): void {
    const attempt = this.#attempts.get(lane)
    if (attempt === undefined || attempt.timer !== undefined || attempt.abort !== undefined) return
    const pauseMs = attempt.pauseMs
    attempt.pauseMs = Math.min(REOPEN_MS_MAX, Math.max(REOPEN_MS_MIN, pauseMs * 2))
    if (pauseMs === 0) this.#open(lane, attempt)
    else {
      attempt.timer = setTimeout(() => {
        attempt.timer = undefined
        this.#open(lane, attempt)
      }, pauseMs)
      attempt.timer.unref()
    }
  }

  /** Both hellos went over the lane's stream: should it break, the first new attempt needs only the shortest pause. */
  succeeded(lane: Lane): void {
    const attempt = this.#attempts.get(lane)
    if (attempt !== undefined) attempt.pauseMs = REOPEN_MS_MIN
  }

  stop(): void {
    for (const attempt of this.#attempts.values()) {
      clearTimeout(attempt.timer)
      attempt.abort?.abort()
    }
    this.#attempts.clear()
  }

  #open(lane: Lane, attempt: Attempt): void {
    const abort = new AbortController()
    attempt.abort = abort
    const signal = AbortSignal.any([abort.signal, AbortSignal.timeout(OPEN_TIMEOUT_MS)])
    this.#streams.open(this.#peer, this.#protocolOf(lane), signal).then(
      (stream) => {
        if (this.#attempts.get(lane) !== attempt) {
          stream.abort(new Error('the lane is not wanted any more'))
          return
        }
        attempt.abort = undefined
        this.#onStream(lane, stream)
      },
      () => {
        // Whatever the cause, the answer is the same; that it goes on for too long is the driver's stall timer's news.
        attempt.abort = undefined
        if (this.#attempts.get(lane) === attempt) this.again(lane)
      },
    )
  }
}
