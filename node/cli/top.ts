import type { Command } from 'commander'
import type { MethodName, NodeEvent, ParamsOf, ResultOf } from '../../src/index.ts'
import { action, type Context, withDaemon } from './command.ts'
import type { Snapshot } from './top-view.ts'

/** Tasks of one state that are asked for: more than a screen shows. */
const TASKS_MAX = 50

/** However much happens, the screen is drawn at most so often. */
const DRAW_INTERVAL_MS = 250

/** Load, lag and uptime are told by no event. */
const REFRESH_MS = 2_000

/** Ends of tasks that are remembered for the screen. */
const RECENT_MAX = 20

export function registerTop(program: Command): void {
  program
    .command('top')
    .description('a live view of this node: agents, tasks and what just ended; one picture when nobody looks')
    .action(
      action(async (context) => {
        const { terminal } = context
        if (terminal.isScreen && !terminal.json) return live(context)
        const { topText } = await import('./top-view.ts')
        const snapshot = await withDaemon(context, takeSnapshot)
        terminal.result(snapshot, (shown) => topText({ snapshot: shown, recent: [], perSecond: undefined }, terminal))
        return 0
      }),
    )
}

/** Whoever can be asked. */
interface Asked {
  call<M extends MethodName>(method: M, params: ParamsOf<M>): Promise<ResultOf<M>>
}

async function takeSnapshot(client: Asked): Promise<Snapshot> {
  const [status, { agents }, running, waiting] = await Promise.all([
    client.call('node.status', {}),
    client.call('node.agents', {}),
    client.call('task.list', { state: 'running', limit: TASKS_MAX }),
    client.call('task.list', { state: 'waiting', limit: TASKS_MAX }),
  ])
  return { status, agents, tasks: [...running.tasks, ...waiting.tasks] }
}

/** Until `q` or Ctrl-C, over restarts of the daemon. */
async function live(context: Context): Promise<number> {
  const { withSwarm } = await import('./awaited.ts')
  const { Screen } = await import('./top-view.ts')
  return withSwarm({ ...context, terminal: { ...context.terminal, say: () => {} } }, async (swarm) => {
    const screen = new Screen(context.terminal, process.stdout)
    const events = await swarm.events({ kinds: ['task-changed', 'member-up', 'member-down', 'member-left'] })
    // Not before there is something to end: it takes the keyboard, and Ctrl-C with it.
    const enough = untilEnough()
    const pace = new Pace(async () => screen.draw(await takeSnapshot(swarm)))
    const follow = async () => {
      for await (const event of events) {
        if (isEnd(event)) screen.note(event, RECENT_MAX)
        pace.ask()
      }
    }
    screen.open()
    process.stdout.on('resize', () => pace.ask())
    try {
      pace.ask()
      await Promise.race([enough.promise, follow(), pace.failed])
    } finally {
      pace.stop()
      enough.stop()
      void events.return()
      screen.close()
    }
    return 0
  })
}

function isEnd({ kind, state }: NodeEvent): boolean {
  return kind === 'task-changed' && !['accepted', 'waiting', 'offered', 'running'].includes(String(state))
}

/** Draws when asked, but not too often, and now and then unasked. */
class Pace {
  readonly #draw: () => Promise<void>
  readonly failed: Promise<never>
  #fail: (cause: unknown) => void = () => {}
  #timer: NodeJS.Timeout | undefined
  #lastAt = Number.NEGATIVE_INFINITY
  #isDrawing = false
  #isOver = false

  constructor(draw: () => Promise<void>) {
    this.#draw = draw
    this.failed = new Promise((_, reject) => {
      this.#fail = reject
    })
  }

  ask(): void {
    if (!this.#isDrawing) this.#drawIn(Math.max(0, this.#lastAt + DRAW_INTERVAL_MS - performance.now()))
  }

  stop(): void {
    this.#isOver = true
    clearTimeout(this.#timer)
  }

  #drawIn(ms: number): void {
    if (this.#isOver) return
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => void this.#drawNow(), ms)
  }

  async #drawNow(): Promise<void> {
    this.#isDrawing = true
    this.#lastAt = performance.now()
    try {
      await this.#draw()
    } catch (cause) {
      this.#fail(cause)
    } finally {
      this.#isDrawing = false
      this.#drawIn(REFRESH_MS)
    }
  }
}

/** The person has seen enough. */
function untilEnough(): { readonly promise: Promise<void>; stop(): void } {
  const { promise, resolve } = Promise.withResolvers<void>()
  const { stdin } = process
  const isKeyboard = stdin.isTTY === true
  const onKey = (key: Buffer) => {
    // q, Ctrl-C, Ctrl-D: in raw mode the terminal makes no signals of them.
    if (['q', '\u0003', '\u0004'].includes(key.toString())) resolve()
  }
  if (isKeyboard) stdin.setRawMode(true).on('data', onKey).resume()
  process.once('SIGINT', resolve).once('SIGTERM', resolve)
  return {
    promise,
    stop: () => {
      if (isKeyboard) stdin.setRawMode(false).off('data', onKey).pause()
      process.off('SIGINT', resolve).off('SIGTERM', resolve)
    },
  }
}
