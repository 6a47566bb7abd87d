import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { TestDaemon, takePort } from './harness.ts'

/** A motion takes every custodian's look around, and an epoch for each that comes in. */
const SEEN_MS = 90_000

const ENV = { SWARM_NODE_COUNCIL_ADMIT_AFTER_MS: '1s' }

async function cell(daemon: TestDaemon) {
  const client = await daemon.client()
  const status = await client.call('council.status', { cell: true })
  client.close()
  return status
}

async function custodians(daemon: TestDaemon, count: number): Promise<void> {
  await eventually(
    `${count} custodians at ${daemon.node}`,
    async () => (await cell(daemon)).members.length === count,
    SEEN_MS,
  )
}

describe('the cell of a swarm of processes', () => {
  it('forms by itself, goes on without its founder, and takes in a newcomer after everyone was started again', async () => {
    const places = await Promise.all(Array.from({ length: 4 }, takePort))
    const listen = places.map(({ port }) => `/ip4/127.0.0.1/tcp/${port}`)
    await Promise.all(places.map((place) => place.release()))
    const [first = '', ...rest] = listen
    const founder = await TestDaemon.start({ env: ENV, listen: first })
    const ticket = await founder.ticket(10)
    const others = await Promise.all(rest.map((place) => TestDaemon.start({ join: ticket, env: ENV, listen: place })))
    const nodes = [founder, ...others]
    await Promise.all(nodes.map((daemon) => custodians(daemon, 4)))

    const { stdout } = await founder.command('council', 'status', '--cell', '--json')
    const shown = JSON.parse(stdout) as Awaited<ReturnType<typeof cell>>
    expect(shown.members.map(({ node }) => node).sort()).toEqual(nodes.map(({ node }) => node).sort())
    expect(shown).toMatchObject({ role: 'member', f: 1, quorum: 3 })

    await founder.kill()
    await Promise.all(others.map((daemon) => daemon.stop()))
    const again = await Promise.all(
      others.map(({ data }, i) => TestDaemon.start({ data, env: ENV, listen: rest[i] ?? '' })),
    )
    await Promise.all(again.map((daemon) => custodians(daemon, 4)))
    // Three of four: the cell decides without its founder, and what it decided before is where it goes on from.
    const back = await TestDaemon.start({ data: founder.data, env: ENV, listen: first })
    const last = await TestDaemon.start({ join: await back.ticket(1), env: ENV })
    await back.kill()
    await Promise.all([...again, last].map((daemon) => custodians(daemon, 5)))
    expect((await cell(last)).epoch).toBeGreaterThan(shown.epoch)
  })
})
