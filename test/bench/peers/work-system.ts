import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { performance } from 'node:perf_hooks'
import { type Latency, latencyOf } from '../figures.ts'

/** Characters that make a task of about 200 bytes with the JSON around them. */
export const PAYLOAD = 'x'.repeat(180)

/** Something that takes tasks from one producer to two worker processes, and their results back. */
export interface WorkSystem {
  readonly name: string
  /** Submits one no-op task; `done` once its result is here. */
  submit(done: () => void): void
  stop(): Promise<void>
}

export const WORKERS_COUNT = 2
const WORKER_STOP = 'SIGKILL'

/** Worker processes of a system, ready to work. */
export class Workers {
  readonly #children: readonly ChildProcess[]

  /** @param script says a message to its parent once it is ready */
  static async start(script: URL, args: readonly string[], count = WORKERS_COUNT): Promise<Workers> {
    const children = Array.from({ length: count }, () => fork(script, args, { execArgv: [] }))
    const workers = new Workers(children)
    process.once('exit', () => workers.kill())
    try {
      await Promise.all(children.map(ready))
    } catch (cause) {
      workers.kill()
      throw cause
    }
    return workers
  }

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children
  }

  kill(): void {
    for (const child of this.#children) child.kill(WORKER_STOP)
  }
}

async function ready(child: ChildProcess): Promise<void> {
  const [said] = await Promise.race([once(child, 'message'), once(child, 'exit')])
  if (said !== 'ready') throw new Error(`a worker ended with ${said} before it was ready`)
}

/** Tasks per second with so many in flight all the time. */
export function throughputOf(system: WorkSystem, inFlight: number, seconds: number): Promise<number> {
  const startedAt = performance.now()
  const until = startedAt + seconds * 1000
  let open = 0
  let done = 0
  return new Promise((resolve) => {
    const fill = (): void => {
      while (open < inFlight && performance.now() < until) {
        open += 1
        system.submit(finished)
      }
      if (open === 0) resolve(done / ((performance.now() - startedAt) / 1000))
    }
    const finished = (): void => {
      open -= 1
      done += 1
      fill()
    }
    fill()
  })
}

/** Submit to result at so many tasks a second, each at its time whether or not the ones before it are done. */
export async function latencyAt(
  system: Pick<WorkSystem, 'submit'>,
  perSecond: number,
  seconds: number,
): Promise<Latency> {
  const times: number[] = []
  const count = Math.ceil(perSecond * seconds)
  const startedAt = performance.now()
  await new Promise<void>((resolve) => {
    let sent = 0
    const next = (): void => {
      const at = performance.now()
      sent += 1
      system.submit(() => {
        times.push(performance.now() - at)
        if (times.length === count) resolve()
      })
      if (sent < count) setTimeout(next, Math.max(0, startedAt + (sent * 1000) / perSecond - performance.now()))
    }
    next()
  })
  return latencyOf(times)
}
