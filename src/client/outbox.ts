import type { Socket } from 'node:net'
import { LINGER_MS, UNSENT_BYTES_MAX } from './params.ts'

/** What leaves a connection: everything of one turn of the loop in one write (AC-1). */
export class Outbox {
  readonly #socket: Socket
  #unwritten: Uint8Array[] = []
  #unwrittenBytes = 0
  /** Of what says how far something is, only the latest is worth sending. */
  readonly #hints = new Map<string, Uint8Array>()
  #isScheduled = false

  /** `onRoom` is called when more may be written after it could not. */
  constructor(socket: Socket, onRoom: () => void) {
    this.#socket = socket
    socket.on('drain', () => {
      this.#flushHints()
      onRoom()
    })
  }

  /** Whether what can wait should be written now. */
  get hasRoom(): boolean {
    return this.#unwrittenBytes + this.#socket.writableLength < UNSENT_BYTES_MAX
  }

  push(bytes: Uint8Array): void {
    this.#unwritten.push(bytes)
    this.#unwrittenBytes += bytes.length
    this.#schedule()
  }

  /** Takes the place of what was hinted under this key and has not left. */
  hint(key: string, bytes: Uint8Array): void {
    this.#hints.set(key, bytes)
    this.#schedule()
  }

  /** What was hinted is of no interest any more. */
  unhint(key: string): void {
    this.#hints.delete(key)
  }

  flush(): void {
    this.#isScheduled = false
    if (this.#socket.destroyed) return
    if (this.hasRoom) this.#takeHints()
    if (this.#unwritten.length === 0) return
    const [first] = this.#unwritten
    const bytes = this.#unwritten.length === 1 && first !== undefined ? first : Buffer.concat(this.#unwritten)
    this.#unwritten = []
    this.#unwrittenBytes = 0
    this.#socket.write(bytes)
  }

  /** Sends what there is and closes; whatever is unsent after {@link LINGER_MS} is lost. */
  close(): void {
    this.flush()
    if (this.#socket.writableLength === 0) {
      this.#socket.destroy()
      return
    }
    this.#socket.destroySoon()
    setTimeout(() => this.#socket.destroy(), LINGER_MS)
  }

  #schedule(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    setImmediate(() => this.flush())
  }

  #flushHints(): void {
    if (this.#hints.size > 0) this.#schedule()
  }

  #takeHints(): void {
    for (const bytes of this.#hints.values()) {
      this.#unwritten.push(bytes)
      this.#unwrittenBytes += bytes.length
    }
    this.#hints.clear()
  }
}
