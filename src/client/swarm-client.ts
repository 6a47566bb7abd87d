import type {
  CancelResult,
  HelloResult,
  HistoryReport,
  MethodName,
  ParamsOf,
  RequestId,
  ResultOf,
  RunParams,
  SubmitResult,
  TaskRecord,
  TasksReport,
  WhyReport,
} from '../ipc/index.ts'
import { SwarmError } from '../kernel/index.ts'
import { type AgentListener, type AgentSpec, Attachment } from './attachment.ts'
import { aborted, Calls } from './calls.ts'
import { ControlClient } from './control-client.ts'
import { type EventFilter, EventStream } from './event-stream.ts'
import { CALL_TIMEOUT_MS, OUTPUT_TIMEOUT_MS, PATIENT_CALL_TIMEOUT_MS, WAIT_SLICE_MS } from './params.ts'
import { fromPayload, toPayload } from './payload.ts'
import { dataDirectory, socketPath, socketToken } from './place.ts'
import { Reconnection } from './reconnection.ts'
import { runKey, type TaskHandler } from './run.ts'

export interface ConnectOptions {
  /** Of the daemon on this host; where `swarm-node` commands look for it unless given. */
  readonly socket?: string | undefined
  /** For a shared socket; `SWARM_NODE_TOKEN` unless given. */
  readonly token?: string | undefined
  /** What this program calls itself, `name/version`; for logs. */
  readonly client?: string | undefined
  /** How long the daemon may be away before everything fails with NO_DAEMON; for ever unless given. */
  readonly giveUpAfterMs?: number | undefined
  /**
   * Payloads come as `JsonText`, the text that they are, because numbers may be wider than ours. A `JsonText` that is
   * given goes as it is, whatever this says.
   */
  readonly exactPayloads?: boolean | undefined
  /** Closes the client when aborted. */
  readonly signal?: AbortSignal | undefined
  /** The connection is lost, and is being made again; or is there again. */
  onConnection?(state: 'lost' | 'connected'): void
}

export interface CallOptions {
  /** 30 s unless given; it includes the time in which the daemon is away. Infinity: none. */
  readonly timeoutMs?: number | undefined
  readonly signal?: AbortSignal | undefined
}

/** What `task.submit` takes beside skill and input. */
export type SubmitOptions = Omit<ParamsOf<'task.submit'>, 'skill' | 'skills' | 'input'>

/**
 * Connects to the daemon on this host, for an agent, a client, or both. What comes back stays connected by itself.
 *
 * @throws SwarmError NO_DAEMON, UNAUTHORISED, UNSUPPORTED_VERSION, TIMEOUT: the first connection is not tried twice
 */
export async function connect(options: ConnectOptions = {}): Promise<SwarmClient> {
  const { env } = process
  const socket = options.socket ?? socketPath(undefined, env, dataDirectory(undefined, env))
  const client = new SwarmClient({ ...options, socket, token: options.token ?? socketToken(env) })
  await client.open()
  return client
}

/** A daemon as a program sees it, over connections that come and go. Made by {@link connect}. */
export class SwarmClient {
  readonly #options: ConnectOptions & { readonly socket: string }
  readonly #calls = new Calls()
  /** Apart, because they last: they must not keep other questions from being asked. */
  readonly #waits = new Calls()
  readonly #attachments = new Set<Attachment>()
  readonly #byAgent = new Map<string, Attachment>()
  readonly #streams = new Set<EventStream>()
  readonly #reconnection: Reconnection
  #connection: ControlClient | undefined
  #hello: HelloResult | undefined
  #end: SwarmError | undefined
  /** The signal may outlive this client, and must not keep it. */
  #forgetSignal = () => {}

  /** @internal */
  constructor(options: ConnectOptions & { readonly socket: string }) {
    this.#options = options
    this.#reconnection = new Reconnection(options.giveUpAfterMs, () => this.#open())
  }

  /** What the daemon said of itself when it was last connected. */
  get hello(): HelloResult {
    if (this.#hello === undefined) throw new SwarmError('NO_DAEMON', 'the daemon has not answered yet')
    return this.#hello
  }

  /** @internal */
  async open(): Promise<void> {
    const { signal } = this.#options
    if (signal === undefined) return this.#open()
    if (signal.aborted) throw aborted('connect', signal)
    const abandoned = Promise.withResolvers<never>()
    const onAbort = () => {
      this.close()
      abandoned.reject(aborted('connect', signal))
    }
    signal.addEventListener('abort', onAbort, { once: true })
    this.#forgetSignal = () => signal.removeEventListener('abort', onAbort)
    try {
      await Promise.race([this.#open(), abandoned.promise])
    } catch (cause) {
      this.close()
      throw cause
    }
  }

  /**
   * Attaches an agent; the handler is called for each task that it gets, `slots` of them at once.
   *
   * @throws SwarmError BAD_REQUEST (all that is wrong), QUOTA_EXCEEDED, OVERLOADED, SHUTTING_DOWN
   */
  async attach(spec: AgentSpec, handler: TaskHandler, listener: AgentListener = {}): Promise<Attachment> {
    const attachment = new Attachment({ onOver: (over) => this.#forget(over) }, spec, handler, listener)
    return this.#patiently(async (connection) => {
      await attachment.attachTo(connection, (agent) => {
        this.#attachments.add(attachment)
        this.#byAgent.set(agent, attachment)
      })
      return attachment
    })
  }

  /**
   * Submits a task; it is durable when this returns. With a `key` it is asked again should the connection be lost
   * meanwhile, because the same key again is the same task.
   */
  submit(
    skill: string | readonly string[],
    input?: unknown,
    { timeoutMs, signal, ...options }: SubmitOptions & CallOptions = {},
  ): Promise<SubmitResult> {
    return this.#ask(
      'task.submit',
      submissionOf(skill, input, options),
      { timeoutMs, signal },
      options.key !== undefined,
    )
  }

  /**
   * Submits a task and waits for it, in one question: the record once it has ended. The quickest way to a result. With a
   * `key` it is asked again should the connection be lost meanwhile; without one it may have been accepted then.
   *
   * @throws SwarmError TIMEOUT (with the task in `data`; it goes on), CANCELLED (the signal), and what `submit` throws
   */
  async run(
    skill: string | readonly string[],
    input?: unknown,
    { timeoutMs = Number.POSITIVE_INFINITY, signal, ...options }: SubmitOptions & CallOptions = {},
  ): Promise<TaskRecord> {
    const until = performance.now() + timeoutMs
    const sliceMs = Math.min(WAIT_SLICE_MS, Math.max(1, timeoutMs))
    const params = { ...submissionOf(skill, input, options), timeoutMs: sliceMs }
    const patience = { timeoutMs: timeoutMs + CALL_TIMEOUT_MS, answerMs: sliceMs + CALL_TIMEOUT_MS }
    try {
      return fromRecord(
        await this.#waits.ask('task.call', params, { ...patience, signal, isRepeatable: options.key !== undefined }),
      )
    } catch (cause) {
      const task = cause instanceof SwarmError && cause.code === 'TIMEOUT' ? cause.data.task : undefined
      if (typeof task !== 'string' || performance.now() >= until) throw cause
      return this.wait(task, { timeoutMs: until - performance.now(), signal })
    }
  }

  /** The record of a task once it has ended. @throws SwarmError TIMEOUT, CANCELLED (the signal), NOT_FOUND */
  async wait(task: string, { timeoutMs = Number.POSITIVE_INFINITY, signal }: CallOptions = {}): Promise<TaskRecord> {
    const until = performance.now() + timeoutMs
    for (;;) {
      const leftMs = Math.min(WAIT_SLICE_MS, Math.max(1, until - performance.now()))
      const options = { timeoutMs: leftMs + CALL_TIMEOUT_MS, signal, isRepeatable: true }
      try {
        return fromRecord(await this.#waits.ask('task.wait', { task, timeoutMs: leftMs }, options))
      } catch (cause) {
        if (!isPassing(cause) || performance.now() >= until) throw cause
        // Who stops says so to those who wait, and closes: the question is asked again when it is back.
        if (cause.code === 'SHUTTING_DOWN') await this.#connection?.closed
      }
    }
  }

  /**
   * The record of a task as it stands, from any node. The time-out is a minute unless given: an output may come from far.
   *
   * @throws SwarmError NOT_FOUND, TIMEOUT
   */
  async get(task: string, { timeoutMs = OUTPUT_TIMEOUT_MS, signal }: CallOptions = {}): Promise<TaskRecord> {
    return fromRecord(await this.#ask('task.get', { task }, { timeoutMs, signal }))
  }

  /** Stops a task, wherever it is. @returns how it ended, which need not be `cancelled` @throws SwarmError NOT_FOUND */
  cancel(task: string, reason?: string, options?: CallOptions): Promise<CancelResult> {
    return this.#ask('task.cancel', { task, ...(reason === undefined ? {} : { reason }) }, options)
  }

  /** Extra input for the agent that runs it. @throws SwarmError NOT_FOUND (it does not run), OVERLOADED, TOO_LARGE */
  async steer(task: string, input: unknown, options: CallOptions = {}): Promise<void> {
    await this.#ask('task.steer', { task, input: toPayload(input) }, options, false)
  }

  /** Why a task waits, or why it ran where it ran. @throws SwarmError NOT_FOUND */
  why(task: string, options?: CallOptions): Promise<WhyReport> {
    return this.#ask('task.why', { task }, options)
  }

  /** What happened to a task, oldest first. @throws SwarmError NOT_FOUND */
  history(task: string, options?: CallOptions): Promise<HistoryReport> {
    return this.#ask('task.history', { task }, options)
  }

  /** Tasks that this node coordinates; `next`, as `after`, leads to the rest. */
  list(filter: ParamsOf<'task.list'> = {}, options?: CallOptions): Promise<TasksReport> {
    return this.#ask('task.list', filter, options)
  }

  /** Any other question (`node.status`, …). One that changes something is not repeated after a lost connection. */
  call<M extends MethodName>(method: M, params: ParamsOf<M>, options?: CallOptions): Promise<ResultOf<M>> {
    return this.#ask(method, params, options, isQuestion(method))
  }

  /** Events from now on, as far as they pass the filter. Subscribed when this returns. */
  async events(filter: EventFilter = {}, { signal }: Pick<CallOptions, 'signal'> = {}): Promise<EventStream> {
    const onAbort = () => void stream.return()
    const stream = new EventStream(filter, (over) => {
      this.#streams.delete(over)
      signal?.removeEventListener('abort', onAbort)
    })
    await this.#patiently((connection) => stream.subscribeOver(connection))
    this.#streams.add(stream)
    signal?.addEventListener('abort', onAbort, { once: true })
    if (signal?.aborted === true) await stream.return()
    return stream
  }

  /** Ends everything: attached agents are gone at once. {@link Attachment.detach} is the polite way. */
  close(): void {
    this.#finish(new SwarmError('CANCELLED', 'this client is closed; connect again'))
  }

  #ask<M extends MethodName>(
    method: M,
    params: ParamsOf<M>,
    { timeoutMs = PATIENT_CALL_TIMEOUT_MS, signal }: CallOptions = {},
    isRepeatable = true,
  ): Promise<ResultOf<M>> {
    return this.#calls.ask(method, params, { timeoutMs, signal, isRepeatable })
  }

  async #open(): Promise<void> {
    const { socket, token, exactPayloads, client = `node/${process.versions.node}` } = this.#options
    const connection: ControlClient = await ControlClient.connect({
      socket,
      client,
      token,
      exactPayloads,
      listener: {
        onRequest: (id, method, params) => this.#onRequest(connection, id, method, params),
        onNotice: (method, params) => this.#onNotice(method, params),
        onRoom: () => {
          this.#calls.pump()
          this.#waits.pump()
        },
      },
    })
    // Closed while it was being opened.
    if (this.#end !== undefined) return connection.close()
    try {
      await this.#resume(connection)
    } catch (cause) {
      connection.close()
      for (const attachment of [...this.#attachments]) attachment.onLost(connection.gone ?? AWAY)
      throw cause
    }
    if (this.#end !== undefined) return connection.close()
    this.#connection = connection
    this.#hello = connection.hello
    void connection.closed.then(() => this.#onLost(connection))
    this.#calls.use(connection)
    this.#waits.use(connection)
  }

  /** What there was over the connection before, over this one. */
  async #resume(connection: ControlClient): Promise<void> {
    const attached = [...this.#attachments].map((attachment) => this.#attachAgain(attachment, connection))
    const subscribed = [...this.#streams].map((stream) => stream.subscribeOver(connection))
    // All are waited for even when one fails: none may come after it.
    const outcomes = await Promise.allSettled([...attached, ...subscribed])
    const failed = outcomes.find((outcome) => outcome.status === 'rejected')
    if (failed !== undefined) throw failed.reason
  }

  async #attachAgain(attachment: Attachment, connection: ControlClient): Promise<void> {
    try {
      await attachment.attachTo(connection, (agent) => this.#byAgent.set(agent, attachment))
    } catch (cause) {
      if (cause === connection.gone || !(cause instanceof SwarmError) || isTemporary(cause)) throw cause
      attachment.fail(cause)
    }
  }

  #onLost(connection: ControlClient): void {
    if (this.#connection !== connection) return
    this.#connection = undefined
    this.#byAgent.clear()
    this.#calls.lose()
    this.#waits.lose()
    if (this.#end !== undefined) return
    for (const attachment of [...this.#attachments]) attachment.onLost(connection.gone ?? AWAY)
    for (const stream of this.#streams) stream.interrupted()
    this.#options.onConnection?.('lost')
    void this.#reconnect()
  }

  async #reconnect(): Promise<void> {
    try {
      await this.#reconnection.run()
      if (this.#end === undefined) this.#options.onConnection?.('connected')
    } catch (cause) {
      const error = cause instanceof SwarmError ? cause : new SwarmError('INTERNAL', String(cause), { cause })
      this.#finish(error)
    }
  }

  /** For what belongs to one connection: again over the next one when it was lost meanwhile. */
  async #patiently<T>(use: (connection: ControlClient) => Promise<T>): Promise<T> {
    for (;;) {
      if (this.#end !== undefined) throw this.#end
      const connection = this.#connection
      if (connection === undefined) {
        // A question that is answered shows that there is one.
        await this.#ask('node.status', {})
        continue
      }
      try {
        return await use(connection)
      } catch (cause) {
        if (cause !== connection.gone) throw cause
        await connection.closed
      }
    }
  }

  #onRequest(
    connection: ControlClient,
    id: RequestId,
    method: string,
    params: Readonly<Record<string, unknown>>,
  ): void {
    const attachment = this.#byAgent.get(String(params.agent))
    if (method === 'task.run' && attachment !== undefined) {
      attachment.onRun(connection, id, params as unknown as RunParams)
      return
    }
    const message = `this client has no such agent or does not know ${method}`
    connection.respond(id, { kind: 'failed', error: { code: 'NOT_FOUND', message, retryable: true } })
  }

  #onNotice(method: string, params: Readonly<Record<string, unknown>>): void {
    for (const attachment of this.#attachments) {
      if (method === 'task.cancel') attachment.onCancel(runKey(params.task, params.attempt), String(params.reason))
      else if (method === 'task.steer') attachment.onSteer(runKey(params.task, params.attempt), params.input)
      else if (method === 'drain') attachment.onDrain(Number(params.deadlineMs))
    }
  }

  #forget(attachment: Attachment): void {
    this.#attachments.delete(attachment)
    for (const [agent, other] of this.#byAgent) if (other === attachment) this.#byAgent.delete(agent)
  }

  #finish(error: SwarmError): void {
    if (this.#end !== undefined) return
    this.#end = error
    this.#forgetSignal()
    this.#reconnection.stop()
    for (const attachment of [...this.#attachments]) attachment.fail(error)
    for (const stream of this.#streams) stream.fail(error)
    this.#connection?.close()
    this.#calls.end(error)
    this.#waits.end(error)
  }
}

const AWAY = new SwarmError('NO_DAEMON', 'the connection to the daemon was lost')

function submissionOf(
  skill: string | readonly string[],
  input: unknown,
  options: SubmitOptions,
): ParamsOf<'task.submit'> {
  const skills = typeof skill === 'string' ? { skill } : { skills: [...skill] }
  return { ...skills, ...(input === undefined ? {} : { input: toPayload(input) }), ...options }
}

function fromRecord(record: TaskRecord): TaskRecord {
  return 'output' in record ? { ...record, output: fromPayload(record.output) } : record
}

/** Of an answer to a wait: the task goes on, and so does the waiting. */
function isPassing(cause: unknown): cause is SwarmError {
  return cause instanceof SwarmError && (cause.code === 'TIMEOUT' || cause.code === 'SHUTTING_DOWN')
}

/** Of a refusal to attach: it may be another time. */
function isTemporary({ code }: SwarmError): boolean {
  return code === 'OVERLOADED' || code === 'SHUTTING_DOWN' || code === 'TIMEOUT' || code === 'NO_DAEMON'
}

/** Asking twice is the same as asking once. */
function isQuestion(method: MethodName): boolean {
  return /^(?:node\.(?!stop|drain)|council\.(?!propose)|config\.|task\.(?!submit|call|steer))/.test(method)
}
