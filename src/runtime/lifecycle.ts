/** One part of a process: how it starts, how it stops, and how long it may take to stop. */
export interface Part {
  readonly name: string
  start(): Promise<void>
  stop(): Promise<void>
  readonly stopTimeoutMs: number
}

export interface StopReport {
  /** Parts that did not stop in time or failed to, with why. */
  readonly problems: readonly { readonly part: string; readonly problem: string }[]
}

/** Starts parts in order and stops them in reverse (U-1, U-2). */
export class Lifecycle {
  readonly #started: Part[] = []

  /** Starts a part now. If it fails, whoever called stops the rest. */
  async add(part: Part): Promise<void> {
    await part.start()
    this.#started.push(part)
  }

  /** Stops everything that was started, last first. Never throws: what went wrong is in the report. */
  async stop(): Promise<StopReport> {
    const problems: { part: string; problem: string }[] = []
    for (let part = this.#started.pop(); part !== undefined; part = this.#started.pop()) {
      const problem = await stopWithin(part)
      if (problem !== undefined) problems.push({ part: part.name, problem })
    }
    return { problems }
  }
}

async function stopWithin(part: Part): Promise<string | undefined> {
  let timer: NodeJS.Timeout | undefined
  const overrun = new Promise<string>((resolve) => {
    timer = setTimeout(() => resolve(`did not stop within ${part.stopTimeoutMs} ms`), part.stopTimeoutMs)
  })
  try {
    return await Promise.race([part.stop().then(() => undefined), overrun])
  } catch (cause) {
    return cause instanceof Error ? cause.message : String(cause)
  } finally {
    clearTimeout(timer)
  }
}
