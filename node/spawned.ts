import { SwarmError } from '../src/index.ts'
import { endProcess, isRunning } from './processes.ts'

/** How long a node may take to stop when it is told to, before it is made to. */
const GRACE_MS = 10_000

const SIGNALS = ['SIGINT', 'SIGTERM'] as const
type Signal = (typeof SIGNALS)[number]

/** The processes that a command starts and leaves running; interrupted, it takes them along. */
export class Spawned {
  readonly #pids: number[] = []
  readonly #onSignal: (signal: Signal, isAgain: boolean) => void
  readonly #over = Promise.withResolvers<never>()
  #isInterrupted = false

  /** @param onSignal told of each signal, and whether it is not the first: then this process ends at once */
  constructor(onSignal: (signal: Signal, isAgain: boolean) => void) {
    this.#onSignal = onSignal
  }

  /** @throws SwarmError SHUTTING_DOWN: nobody waits for it any more */
  add(pid: number): void {
    this.#pids.push(pid)
    if (this.#isInterrupted) throw new SwarmError('SHUTTING_DOWN', 'interrupted')
  }

  get isAnyRunning(): boolean {
    return this.#pids.some(isRunning)
  }

  /**
   * Waits for the work, unless a signal comes.
   *
   * @throws SwarmError SHUTTING_DOWN after a signal, when all have ended
   */
  async during<T>(work: Promise<T>): Promise<T> {
    const handlers = SIGNALS.map((signal) => [signal, () => this.#interrupt(signal)] as const)
    for (const [signal, handler] of handlers) process.on(signal, handler)
    // Nobody may be waiting for it when it fails: then the work is done.
    this.#over.promise.catch(() => {})
    try {
      // What the work says once its processes are taken away is no news.
      const mine = work.catch((cause: unknown) => (this.#isInterrupted ? this.#over.promise : Promise.reject(cause)))
      return await Promise.race([mine, this.#over.promise])
    } finally {
      for (const [signal, handler] of handlers) process.off(signal, handler)
    }
  }

  #interrupt(signal: Signal): void {
    const isAgain = this.#isInterrupted
    this.#isInterrupted = true
    this.#onSignal(signal, isAgain)
    if (isAgain) process.exit(1)
    void this.#end().then(() => {
      const message = `interrupted: the ${this.#pids.length} nodes that had been started were stopped`
      this.#over.reject(new SwarmError('SHUTTING_DOWN', message))
    })
  }

  async #end(): Promise<void> {
    // One more may have been on its way while the first were ending.
    while (this.isAnyRunning) await Promise.all(this.#pids.map((pid) => endProcess(pid, GRACE_MS)))
  }
}
