/** The part of BullMQ that is used here. */
export interface BullMq {
  readonly Queue: new (name: string, options: { connection: RedisAddress }) => BullQueue
  readonly Worker: new (name: string, work: (job: { data: unknown }) => Promise<unknown>, options: object) => Ready
  readonly QueueEvents: new (name: string, options: { connection: RedisAddress }) => BullEvents
}

export interface RedisAddress {
  readonly path: string
  readonly maxRetriesPerRequest: null
}

export interface BullJob {
  readonly name: string
  readonly data: unknown
  readonly opts: { readonly jobId: string; readonly removeOnComplete: boolean }
}

interface Ready {
  waitUntilReady(): Promise<unknown>
  on(event: 'error', listener: (cause: unknown) => void): unknown
}

interface BullQueue extends Ready {
  addBulk(jobs: readonly BullJob[]): Promise<unknown>
  disconnect(): Promise<void>
}

interface BullEvents extends Omit<Ready, 'on'> {
  on(event: 'completed' | 'error', listener: (event: { readonly jobId: string }) => void): unknown
  disconnect(): Promise<void>
}

export const QUEUE = 'bench'

export function redisAt(path: string): RedisAddress {
  return { path, maxRetriesPerRequest: null }
}
