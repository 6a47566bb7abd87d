import type { Stream, StreamMessageEvent } from '@libp2p/interface'
import { FrameSplitter } from '../link/index.ts'

export interface LaneStreamHandler {
  onFrame(body: Uint8Array): void
  /** All frames that have arrived together have been handed over. */
  onRead(): void
  /** The stream takes data again. */
  onDrain(): void
  /** It is over, for whatever reason, unless we dropped it ourselves. Called once. */
  onClosed(): void
  /** Bytes that are not frames. The stream is to be dropped. */
  onFault(reason: string): void
}

/** One lane's libp2p stream: frames in, frames out, and whether it takes more. */
export class LaneStream {
  readonly #stream: Stream
  readonly #splitter = new FrameSplitter()
  readonly #handler: LaneStreamHandler
  #over = false

  constructor(stream: Stream, handler: LaneStreamHandler) {
    this.#stream = stream
    this.#handler = handler
    stream.addEventListener('drain', this.#drained)
    stream.addEventListener('close', this.#closed)
    stream.addEventListener('remoteCloseWrite', this.#closed)
    stream.addEventListener('message', this.#message)
  }

  /** Whether a frame written now goes to the connection and not into a buffer that waits for the peer (N-11). */
  get writable(): boolean {
    const { writeStatus, writableNeedsDrain } = this.#stream
    return !this.#over && writeStatus === 'writable' && !writableNeedsDrain
  }

  /** Takes a frame even if not {@link writable}. A stream that refuses is about to close, and says so by its event. */
  write(bytes: Uint8Array): void {
    if (this.#over || this.#stream.writeStatus !== 'writable') return
    try {
      this.#stream.send(bytes)
    } catch (cause) {
      this.#stream.abort(cause instanceof Error ? cause : new Error(String(cause)))
    }
  }

  /** Ends the stream without a further call to the handler. */
  drop(reason: string): void {
    if (this.#over) return
    this.#finish()
    this.#stream.abort(new Error(reason))
  }

  readonly #message = (event: StreamMessageEvent): void => {
    const { data } = event
    if (data instanceof Uint8Array) this.#push(data)
    else for (const chunk of data) this.#push(chunk)
    this.#handler.onRead()
  }

  #push(chunk: Uint8Array): void {
    for (const body of this.#splitter.push(chunk)) {
      if (this.#over) return
      this.#handler.onFrame(body)
    }
    if (this.#splitter.fault !== undefined && !this.#over) this.#handler.onFault(this.#splitter.fault)
  }

  readonly #drained = (): void => this.#handler.onDrain()

  readonly #closed = (): void => {
    if (this.#over) return
    this.#finish()
    // After half of it has been closed, the rest is of no use.
    this.#stream.abort(new Error('a lane needs both directions'))
    this.#handler.onClosed()
  }

  #finish(): void {
    this.#over = true
    this.#stream.removeEventListener('message', this.#message)
    this.#stream.removeEventListener('drain', this.#drained)
    this.#stream.removeEventListener('close', this.#closed)
    this.#stream.removeEventListener('remoteCloseWrite', this.#closed)
  }
}
