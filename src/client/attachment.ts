import type { AgentError, ParamsOf, RequestId, RunParams } from '../ipc/index.ts'
import { SwarmError } from '../kernel/index.ts'
import type { ControlClient } from './control-client.ts'
import { HEARTBEAT_MS } from './params.ts'
import { toPayload } from './payload.ts'
import { Run, type TaskHandler } from './run.ts'

const HEARTBEAT = 'agent.heartbeat'

/** An agent as it describes itself (`agent.attach`). */
export interface AgentSpec extends Omit<ParamsOf<'agent.attach'>, 'skills' | 'heartbeatMs'> {
  /** A name alone stands for full proficiency. */
  readonly skills: readonly (string | { readonly name: string; readonly proficiency?: number })[]
  /**
   * How often the daemon hears that this process still runs; after three times as long without, its tasks are offered
   * again (AC-13). 5 s unless given. 0: never, for handlers that hold up the loop of their process for longer.
   */
  readonly heartbeatMs?: number | undefined
}

export type AgentChanges = Partial<Omit<AgentSpec, 'name' | 'heartbeatMs'>>

/** What an agent may want to know of its standing. */
export interface AgentListener {
  /** At first and after every reconnection; `agent` names this attachment at that node. */
  onAttached?(agent: string): void
  /** The connection is gone, and with it the tasks that ran; it is attached again when the daemon is back. */
  onLost?(reason: SwarmError): void
  /** The node drains: no new tasks will come, and what runs after `deadlineMs` is lost. */
  onDrain?(deadlineMs: number): void
}

/** What an attachment needs of its client. */
export interface AttachmentHost {
  /** It is over: detached, or refused for good. */
  onOver(attachment: Attachment): void
}

/** One agent, over connections that come and go (AC-5 to AC-8). */
export class Attachment {
  readonly #host: AttachmentHost
  readonly #handler: TaskHandler
  readonly #listener: AgentListener
  #spec: AgentSpec
  #agent: string | undefined
  /** Over which it is attached, also while others of its client are not yet. */
  #connection: ControlClient | undefined
  /** While it is being attached; settles when it is, or that has failed. */
  #attaching: Promise<void> | undefined
  /** Handed over and not answered, by task and attempt; the first `slots` of them run. */
  readonly #runs = new Map<string, Run>()
  readonly #held: Run[] = []
  #runningCount = 0
  #isLeaving = false
  #isOver = false
  #heart: NodeJS.Timeout | undefined
  #settle: { resolve(): void; reject(error: SwarmError): void } = { resolve: () => {}, reject: () => {} }
  /** Settles when it is detached; rejects when a daemon refuses it for good. */
  readonly ended: Promise<void>

  /** @internal */
  constructor(host: AttachmentHost, spec: AgentSpec, handler: TaskHandler, listener: AgentListener) {
    this.#host = host
    this.#spec = spec
    this.#handler = handler
    this.#listener = listener
    this.ended = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject }
    })
    // Who does not look at it has the errors of `attach`, `update` and `detach`.
    this.ended.catch(() => {})
  }

  /** Its name at the node; undefined while it is not attached. */
  get agent(): string | undefined {
    return this.#agent
  }

  get name(): string {
    return this.#spec.name
  }

  /** Tasks that it works at. */
  get runningCount(): number {
    return this.#runningCount
  }

  /** Changes what it says of itself; what is left out stays. @throws SwarmError BAD_REQUEST, with nothing changed */
  async update(changes: AgentChanges): Promise<void> {
    const { skills, ...rest } = changes
    const params = { ...rest, ...(skills === undefined ? {} : { skills: skillsOf(skills) }) }
    while (this.#attaching !== undefined) await this.#attaching
    if (this.#agent !== undefined) await this.#connection?.call('agent.update', { agent: this.#agent, ...params })
    this.#spec = { ...this.#spec, ...changes }
    this.#fill()
  }

  /** No new tasks; settles when those that run have ended. */
  async detach(): Promise<void> {
    while (this.#attaching !== undefined) await this.#attaching
    const connection = this.#connection
    const agent = this.#agent
    if (connection !== undefined && agent !== undefined) {
      try {
        await connection.call('agent.detach', { agent })
      } catch (cause) {
        // With its connection it is gone as well.
        if (cause !== connection.gone) throw cause
      }
    }
    this.#isLeaving = true
    this.#leaveIfDone()
    return this.ended
  }

  /** @internal Attaches over this connection. @throws SwarmError what the daemon answered */
  attachTo(connection: ControlClient, register: (agent: string) => void): Promise<void> {
    const attached = this.#attach(connection, register)
    const settled = () => {
      this.#attaching = undefined
    }
    this.#attaching = attached.then(settled, settled)
    return attached
  }

  async #attach(connection: ControlClient, register: (agent: string) => void): Promise<void> {
    const { heartbeatMs = HEARTBEAT_MS, ...spec } = this.#spec
    const beats = heartbeatMs > 0 && connection.hello.features.includes('heartbeats')
    const params = { ...spec, skills: skillsOf(spec.skills), ...(beats ? { heartbeatMs } : {}) }
    await connection.call('agent.attach', params, undefined, ({ agent }) => {
      // In the same turn: the next line may already be its first task.
      // Unless the client was closed meanwhile, and the connection with it.
      if (this.#isOver) return
      register(agent)
      this.#agent = agent
      this.#connection = connection
      if (beats) this.#beat(connection, heartbeatMs)
    })
    if (this.#agent !== undefined) this.#listener.onAttached?.(this.#agent)
  }

  /** @internal */
  onRun(connection: ControlClient, id: RequestId, params: RunParams): void {
    const run = new Run(params, {
      hint: (progress) => connection.hint(run.key, 'task.progress', progress),
      outcome: (output, error) => {
        connection.unhint(run.key)
        answer(connection, id, output, error)
        this.#onEnded(run)
      },
    })
    this.#runs.set(run.key, run)
    this.#held.push(run)
    this.#fill()
  }

  /** @internal */
  onCancel(key: string, reason: string): void {
    this.#runs.get(key)?.abort(new SwarmError('CANCELLED', `the task is cancelled: ${reason}`))
  }

  /** @internal */
  onSteer(key: string, input: unknown): void {
    this.#runs.get(key)?.steer(input)
  }

  /** @internal */
  onDrain(deadlineMs: number): void {
    this.#listener.onDrain?.(deadlineMs)
  }

  /** @internal The connection is gone, and with it what ran: it is offered again (AC-6). */
  onLost(reason: SwarmError): void {
    if (this.#agent === undefined) return
    this.#agent = undefined
    clearInterval(this.#heart)
    const runs = [...this.#runs.values()]
    this.#runs.clear()
    this.#held.length = 0
    for (const run of runs) run.abort(reason)
    this.#listener.onLost?.(reason)
    if (this.#isLeaving) this.#finish()
  }

  /** @internal No daemon will have it. */
  fail(error: SwarmError): void {
    this.onLost(error)
    if (this.#isOver) return
    this.#isOver = true
    this.#host.onOver(this)
    this.#settle.reject(error)
  }

  /** AC-13. All agents of the connection together say it once. */
  #beat(connection: ControlClient, heartbeatMs: number): void {
    clearInterval(this.#heart)
    this.#heart = setInterval(() => connection.hint(HEARTBEAT, HEARTBEAT, {}), heartbeatMs).unref()
  }

  /** Begins what there is a slot for, also when a handler that was told to stop still has not (AC-7). */
  #fill(): void {
    while (this.#runningCount < (this.#spec.slots ?? 1)) {
      const run = this.#held.shift()
      if (run === undefined) return
      this.#runningCount += 1
      void run.start(this.#handler).finally(() => {
        this.#runningCount -= 1
        this.#fill()
        this.#leaveIfDone()
      })
    }
  }

  #onEnded(run: Run): void {
    if (this.#runs.get(run.key) === run) this.#runs.delete(run.key)
  }

  #leaveIfDone(): void {
    if (this.#isLeaving && this.#runs.size === 0) this.#finish()
  }

  #finish(): void {
    if (this.#isOver) return
    this.#isOver = true
    clearInterval(this.#heart)
    this.#agent = undefined
    this.#host.onOver(this)
    this.#settle.resolve()
  }
}

function skillsOf(skills: AgentSpec['skills']): ParamsOf<'agent.attach'>['skills'] {
  return skills.map((skill) => (typeof skill === 'string' ? { name: skill } : { ...skill }))
}

/** The answer frees the slot, so there is one whatever the handler returned. */
function answer(connection: ControlClient, id: RequestId, output: unknown, error: AgentError | undefined): void {
  try {
    const payload = error === undefined ? toPayload(output) : undefined
    connection.respond(id, error === undefined ? { kind: 'completed', output: payload } : { kind: 'failed', error })
  } catch (cause) {
    const code = cause instanceof SwarmError ? cause.code : 'BAD_OUTPUT'
    const message = cause instanceof Error ? cause.message : String(cause)
    connection.respond(id, { kind: 'failed', error: { code, message, retryable: false } })
  }
}
