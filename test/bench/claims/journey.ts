import { performance } from 'node:perf_hooks'
import { PAYLOAD } from '../peers/work-system.ts'
import type { BenchClient } from '../work-daemon.ts'

/** Tasks on their way from a submitter to an agent, both in this process, so that one clock sees both ends. */
export class Journeys {
  readonly #skills: readonly string[]
  readonly #isDurable: boolean
  readonly #open = new Map<number, { readonly at: number; readonly arrived: (tookMs: number) => void }>()
  #count = 0

  /** @param skills wanted in turn */
  constructor(skills: readonly string[], isDurable: boolean) {
    this.#skills = skills
    this.#isDurable = isDurable
  }

  /** For the agents. */
  readonly onRun = (input: unknown): void => {
    const number = (input as { readonly number: number }).number
    const journey = this.#open.get(number)
    this.#open.delete(number)
    journey?.arrived(performance.now() - journey.at)
  }

  /** Milliseconds from submitting it to its arrival at an agent. */
  one(client: BenchClient, accepted: (task: unknown) => void = () => undefined): Promise<number> {
    this.#count += 1
    const number = this.#count
    return new Promise((arrived) => {
      this.#open.set(number, { at: performance.now(), arrived })
      const input = { number, text: PAYLOAD }
      const params = { skill: this.#skills[number % this.#skills.length], input, durable: this.#isDurable }
      client.send('task.submit', params, ({ task }) => accepted(task))
    })
  }

  /** One after the other, each once the one before it has ended: what a node that has nothing else to do takes. */
  async sequential(client: BenchClient, count: number): Promise<readonly number[]> {
    const times: number[] = []
    for (let i = 0; i < count; i++) {
      const { promise: ended, resolve } = Promise.withResolvers<unknown>()
      times.push(await this.one(client, (task) => client.send('task.wait', { task }, resolve)))
      await ended
    }
    return times
  }

  /** So many a second, each at its time however long others take. Clients take turns. */
  async paced(clients: readonly BenchClient[], perSecond: number, seconds: number): Promise<readonly number[]> {
    const count = Math.ceil(perSecond * seconds)
    const startedAt = performance.now()
    const journeys: Promise<number>[] = []
    await new Promise<void>((resolve) => {
      const next = (): void => {
        const due = Math.min(count, Math.floor(((performance.now() - startedAt) * perSecond) / 1000) + 1)
        while (journeys.length < due) {
          const client = clients[journeys.length % clients.length]
          if (client !== undefined) journeys.push(this.one(client))
        }
        if (journeys.length === count) resolve()
        else setTimeout(next, Math.max(0, startedAt + (journeys.length * 1000) / perSecond - performance.now()))
      }
      next()
    })
    return Promise.all(journeys)
  }
}
