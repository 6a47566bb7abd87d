import {
  after,
  assert,
  BoundedQueue,
  err,
  type Millis,
  NEVER,
  ok,
  type Result,
  type WallMillis,
} from '../kernel/index.ts'
import type { Alarm } from './alarms.ts'
import type { Ground } from './ground.ts'
import type { TaskId } from './ids.ts'
import type { ClaimsRecord } from './records.ts'
import type { EndState, Task } from './task.ts'
import type { ClaimsCounts, Refusal } from './types.ts'

/** A submission key and the task it stands for (T-4). */
interface Key {
  readonly task: TaskId
  readonly bodyHash: number
  readonly tenant: string
  readonly key: string
  /** When its task ended; undefined while it is open. */
  endedAt: WallMillis | undefined
  /** By the clock that does not step: one that was ahead for a while would have it kept for as long, and all that came after it. */
  expiresAt: Millis
}

/** What a task takes of the bounds beyond its input: the objects around it. */
const TASK_OVERHEAD_BYTES = 1024

/** All tasks that this node coordinates or has coordinated lately, by id and by key; and how many may be open. */
export class Book {
  readonly #ground: Ground
  readonly #tasks = new Map<string, Task>()
  /** Ended tasks in order of their end. A ring: a map that loses its first entries is slow to find the next one. */
  readonly #ended: BoundedQueue<Task>
  readonly #keys = new Map<string, Key>()
  readonly #endedKeys = new Map<string, Key>()
  #endedBytes = 0
  #openBytes = 0
  #expiry: Alarm | undefined
  #isResumed = false
  #accepted = 0
  #open = 0
  readonly #ends: Record<EndState, number> = { completed: 0, failed: 0, cancelled: 0, 'dead-lettered': 0 }

  constructor(ground: Ground) {
    this.#ground = ground
    // One more than is kept: the newest is in before the oldest goes.
    this.#ended = new BoundedQueue(ground.params.endedTasksMax + 1)
  }

  get(id: string): Task | undefined {
    return this.#tasks.get(id)
  }

  values(): MapIterator<Task> {
    return this.#tasks.values()
  }

  /** Accepted and not ended. */
  get openCount(): number {
    return this.#open
  }

  /** T-5: accepted is the sum of the rest. The caller knows how many are offered and running. */
  counts(offered: number, running: number): ClaimsCounts {
    const { completed, failed, cancelled, 'dead-lettered': deadLettered } = this.#ends
    const waiting = this.#open - offered - running
    return { accepted: this.#accepted, waiting, offered, running, completed, failed, cancelled, deadLettered }
  }

  /** The task of a key, if it is remembered; an error when the key stands for another body. */
  keyed(tenant: string, key: string, bodyHash: number): Result<TaskId | undefined, Refusal> {
    const known = this.#keys.get(keyText(tenant, key))
    if (known === undefined) return ok(undefined)
    if (known.bodyHash === bodyHash) return ok(known.task)
    const message = `key ${key} was used for another task (${known.task}); the same key must come with the same task, use another key`
    return err({ code: 'DUPLICATE_KEY', message, data: { task: known.task } })
  }

  /** Whether one more may come in (ALC-8): the lower its class, the sooner it is refused. */
  refusal(priority: number, inputBytes: number, keyed: boolean): Refusal | undefined {
    const { params } = this.#ground
    const share = params.shedFromShare + ((1 - params.shedFromShare) * (priority + 1)) / 10
    const data = { retryAfterMs: params.retryAfterMs }
    if (this.#open >= params.openTasksMax * share) {
      const message = `${this.#open} tasks are open and class ${priority} is shed from ${Math.floor(params.openTasksMax * share)} on; try again later or at another node`
      return { code: 'OVERLOADED', message, data }
    }
    if (this.#openBytes + inputBytes + TASK_OVERHEAD_BYTES > params.openBytesMax * share) {
      return {
        code: 'OVERLOADED',
        message: `inputs of open tasks take ${this.#openBytes} bytes; try again later`,
        data,
      }
    }
    if (keyed && this.#keys.size >= params.keysMax) {
      return {
        code: 'OVERLOADED',
        message: `${this.#keys.size} keys are remembered; try again later or without a key`,
        data,
      }
    }
    return undefined
  }

  add(task: Task): void {
    assert(!this.#tasks.has(task.id), 'a task id is given once', { task: task.id })
    this.#tasks.set(task.id, task)
    this.#accepted += 1
    this.#open += 1
    this.#openBytes += bytesOf(task)
    const { key, bodyHash, demand } = task.submission
    if (key === undefined) return
    this.#keys.set(keyText(demand.tenant, key), {
      task: task.id,
      bodyHash,
      tenant: demand.tenant,
      key,
      endedAt: undefined,
      expiresAt: NEVER,
    })
  }

  /** The task is over: it is kept for queries as long as there is room. */
  end(task: Task, state: EndState, at: WallMillis): void {
    assert(!task.hasEnded, 'T-2: a task ends once', { task: task.id, state })
    this.#open -= 1
    this.#openBytes -= bytesOf(task)
    this.#ends[state] += 1
    task.state = state
    task.endedAt = at
    const hasRoom = this.#ended.push(task)
    assert(hasRoom, 'what is too much has been forgotten before', { ended: this.#ended.size })
    this.#endedBytes += endedBytesOf(task)
    const { key, demand } = task.submission
    if (key !== undefined) {
      const entry = this.#keys.get(keyText(demand.tenant, key))
      if (entry !== undefined) this.#expireLater(entry, at)
    }
    this.#trim()
  }

  /** From the journal: a key whose task is no longer kept. */
  remember(tenant: string, key: string, task: TaskId, bodyHash: number, endedAt: WallMillis): void {
    const text = keyText(tenant, key)
    if (this.#keys.has(text)) return
    const entry: Key = { task, bodyHash, tenant, key, endedAt: undefined, expiresAt: NEVER }
    this.#keys.set(text, entry)
    this.#expireLater(entry, endedAt)
  }

  /** Keys of tasks that are no longer kept, as records. */
  *keyRecords(): Generator<ClaimsRecord> {
    for (const { tenant, key, task, bodyHash, endedAt } of this.#endedKeys.values()) {
      if (endedAt === undefined || this.#tasks.has(task)) continue
      yield { kind: 'key', tenant, key, task, bodyHash, endedAt }
    }
  }

  /** The journal is read, and it is known how late it is. */
  resume(): void {
    this.#isResumed = true
    const { params, wall, now } = this.#ground
    const entries = [...this.#endedKeys]
    for (const [, entry] of entries) {
      const pastMs = Math.max(0, wall - (entry.endedAt ?? wall))
      entry.expiresAt = after(now, params.keyRetentionMs - pastMs)
    }
    this.#endedKeys.clear()
    for (const [text, entry] of entries.sort(([, a], [, b]) => a.expiresAt - b.expiresAt))
      this.#endedKeys.set(text, entry)
    this.#trim()
  }

  #expireLater(entry: Key, endedAt: WallMillis): void {
    entry.endedAt = endedAt
    entry.expiresAt = this.#isResumed ? after(this.#ground.now, this.#ground.params.keyRetentionMs) : NEVER
    this.#endedKeys.set(keyText(entry.tenant, entry.key), entry)
  }

  /** Forgets what has been kept long enough, and does so again later. */
  #trim(): void {
    const { params, wall, now } = this.#ground
    for (let task = this.#ended.peek(); task !== undefined; task = this.#ended.peek()) {
      const isOld = (task.endedAt ?? 0) + params.endedRetentionMs <= wall
      const isTooMuch = this.#ended.size > params.endedTasksMax || this.#endedBytes > params.endedBytesMax
      if (!isOld && !isTooMuch) break
      this.#ended.shift()
      this.#tasks.delete(task.id)
      this.#endedBytes -= endedBytesOf(task)
    }
    for (const [text, entry] of this.#endedKeys) {
      if (entry.expiresAt > now) break
      this.#endedKeys.delete(text)
      this.#keys.delete(text)
    }
    if (this.#expiry !== undefined || (this.#ended.size === 0 && this.#endedKeys.size === 0)) return
    const everyMs = Math.max(1_000, Math.min(params.endedRetentionMs, params.keyRetentionMs) / 10)
    this.#expiry = this.#ground.in(everyMs, () => {
      this.#expiry = undefined
      this.#trim()
    })
  }
}

function keyText(tenant: string, key: string): string {
  return `${tenant}\n${key}`
}

function bytesOf(task: Task): number {
  return task.submission.input.length + TASK_OVERHEAD_BYTES
}

function endedBytesOf(task: Task): number {
  return (task.output?.length ?? 0) + task.submission.input.length + TASK_OVERHEAD_BYTES
}
