/**
 * When to write what one turn of the event loop has given us to send. The first messages of a turn leave as soon as the
 * code that sent them returns, which saves a third of a round trip against waiting; all others of that turn leave
 * together at its end, so that a busy turn makes two frames per lane at most.
 */
export class LinkTurn {
  readonly #flush: () => void
  #end: NodeJS.Immediate | undefined
  #promptDue = false

  constructor(flush: () => void) {
    this.#flush = flush
  }

  /** There is something to write. */
  schedule(): void {
    if (this.#end !== undefined) return
    this.#end = setImmediate(() => {
      this.#end = undefined
      this.#flush()
    })
    this.#promptDue = true
    queueMicrotask(() => this.prompt())
  }

  /** The turn's first messages are complete: now rather than in the microtask that is on its way. */
  prompt(): void {
    if (!this.#promptDue) return
    this.#promptDue = false
    this.#flush()
  }

  stop(): void {
    clearImmediate(this.#end)
    this.#end = undefined
    this.#promptDue = false
  }
}
