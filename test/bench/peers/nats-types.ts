/** The part of the NATS client that is used here. */
export interface Nats {
  connect(options: { readonly port: number; readonly servers?: string }): Promise<NatsConnection>
}

interface NatsConnection {
  jetstream(): JetStream
  jetstreamManager(): Promise<{
    readonly streams: { add(config: object): Promise<unknown> }
    readonly consumers: { add(stream: string, config: object): Promise<unknown> }
  }>
  publish(subject: string, data: Uint8Array): void
  subscribe(
    subject: string,
    options: { callback: (cause: unknown, message: { readonly subject: string }) => void },
  ): unknown
  flush(): Promise<void>
  close(): Promise<void>
}

interface JetStream {
  publish(subject: string, data: Uint8Array): Promise<unknown>
  readonly consumers: {
    get(stream: string, consumer: string): Promise<{ consume(options: object): Promise<AsyncIterable<JsMessage>> }>
  }
}

interface JsMessage {
  readonly subject: string
  readonly data: Uint8Array
  ack(): void
}

export const STREAM = 'TASKS'
export const CONSUMER = 'workers'
/** Tasks go to `tasks.ID`, and their results to `results.ID`. */
export const TASKS = 'tasks.'
export const RESULTS = 'results.'
