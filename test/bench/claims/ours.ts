import { PAYLOAD, WORKERS_COUNT, type WorkSystem } from '../peers/work-system.ts'
import { BenchClient, BenchDaemon } from '../work-daemon.ts'

/** As many as the peers' workers may have at once, and more: none of them is to be what limits. */
const SLOTS_COUNT = 1_024

/** One of our nodes as the peers are driven: a producer, two worker processes, and every task on disk before it counts. */
export interface OurSystem extends WorkSystem {
  /** The same for a producer that wants to know first that its task was accepted, and asks then how it ends. */
  readonly inTwoSteps: Pick<WorkSystem, 'name' | 'submit'>
}

export async function startSwarmNode(nodeArgs: readonly string[] = []): Promise<OurSystem> {
  const daemon = await BenchDaemon.start({ nodeArgs })
  for (let i = 0; i < WORKERS_COUNT; i++) await daemon.worker('noop', SLOTS_COUNT)
  const client = await BenchClient.connect(daemon.socket)
  const input = { text: PAYLOAD }
  const ended = (state: unknown, done: () => void): void => {
    if (state !== 'completed') throw new Error(`a task ended as ${state}`)
    done()
  }
  return {
    name: 'swarm-node',
    submit: (done) => client.send('task.call', { skill: 'noop', input }, ({ state }) => ended(state, done)),
    inTwoSteps: {
      name: 'swarm-node, task.submit and task.wait',
      submit: (done) => {
        client.send('task.submit', { skill: 'noop', input }, ({ task }) => {
          client.send('task.wait', { task }, ({ state }) => ended(state, done))
        })
      },
    },
    stop: async () => {
      client.close()
      await daemon.stop()
    },
  }
}
