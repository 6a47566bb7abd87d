import { expect } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { TestDaemon, takePort } from './harness.ts'

/** A decision is everywhere within milliseconds; a command to look for it takes a second on a busy machine. */
export const SEEN_MS = 30_000

/** A council forms as soon as it can, so that a test need not wait for what it is not about. */
export const ENV = { SWARM_NODE_COUNCIL_ADMIT_AFTER_MS: '1s' }

/** Nodes of one swarm, the founder first, whose council has taken all of them in. */
export async function governed(
  count: number,
  /** More for the environment of the one with this place. */
  envOf: (place: number) => Readonly<Record<string, string>> = () => ({}),
): Promise<{
  readonly nodes: readonly TestDaemon[]
  readonly ticket: string
  readonly listen: readonly string[]
}> {
  // At the same place after a restart: who has moved while everybody was away cannot be found again.
  const places = await Promise.all(Array.from({ length: count }, takePort))
  const listen = places.map(({ port }) => `/ip4/127.0.0.1/tcp/${port}`)
  await Promise.all(places.map((place) => place.release()))
  const [first = '', ...rest] = listen
  const founder = await TestDaemon.start({ env: { ...ENV, ...envOf(0) }, listen: first })
  const ticket = await founder.ticket(count * 2)
  const others = await Promise.all(
    rest.map((place, i) => TestDaemon.start({ join: ticket, env: { ...ENV, ...envOf(i + 1) }, listen: place })),
  )
  const nodes = [founder, ...others]
  await Promise.all(nodes.map((daemon) => seated(daemon, count)))
  return { nodes, ticket, listen }
}

export async function council(daemon: TestDaemon) {
  const client = await daemon.client()
  const status = await client.call('council.status', {})
  client.close()
  return status
}

export async function seated(daemon: TestDaemon, members: number): Promise<void> {
  await eventually(`a council of ${members}`, async () => (await council(daemon)).members.length === members, SEEN_MS)
}

export async function propose(daemon: TestDaemon, name: string): Promise<void> {
  const { code, stderr } = await daemon.command('council', 'propose', 'tenant', '--name', name, '--weight', '2')
  expect(stderr).not.toContain('[')
  expect(code).toBe(0)
}

/** Waits until the decision is there, and says what is in the log. */
export async function decided(daemon: TestDaemon, name: string): Promise<void> {
  await eventually(
    `${name} in the log of ${daemon.node}`,
    async () => {
      const { stdout } = await daemon.command('council', 'log', '--json')
      return stdout.includes(`"${name}"`)
    },
    SEEN_MS,
  )
}
