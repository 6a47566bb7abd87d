import { connect, type SwarmClient } from '../../src/index.ts'
import type { RunningNode } from '../local-swarm.ts'
import type { Entrance, WorkInput } from './player.ts'
import type { Ending } from './tally.ts'

/** A node that is away is waited for this long: longer than its restart takes on a slow machine. */
const PATIENCE_MS = 60_000

/** One node at which requests are submitted, through a client that reconnects by itself. */
export class NodeEntrance implements Entrance {
  readonly name: string
  readonly #client: SwarmClient
  readonly #isOpen: () => boolean

  static async at(node: RunningNode): Promise<NodeEntrance> {
    let isOpen = true
    const client = await connect({
      socket: node.socket,
      client: 'demo/1',
      onConnection: (state) => {
        isOpen = state === 'connected'
      },
    })
    return new NodeEntrance(node.name, client, () => isOpen)
  }

  private constructor(name: string, client: SwarmClient, isOpen: () => boolean) {
    this.name = name
    this.#client = client
    this.#isOpen = isOpen
  }

  get open(): boolean {
    return this.#isOpen()
  }

  async submit(skills: readonly string[], input: WorkInput, key: string): Promise<string> {
    const { task } = await this.#client.submit(skills, input, { key, retries: 10, timeoutMs: PATIENCE_MS })
    return task
  }

  wait(task: string): Promise<Ending> {
    return this.#client.wait(task)
  }

  get(task: string): Promise<Ending> {
    return this.#client.get(task, { timeoutMs: PATIENCE_MS })
  }

  close(): void {
    this.#client.close()
  }
}
