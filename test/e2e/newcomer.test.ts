import { it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { startDaemonCommand, TestDaemon } from './harness.ts'

const SEEN_MS = 30_000

it('A-16 a newcomer whose issuer is killed at once finds its swarm all the same', async () => {
  const issuer = await TestDaemon.start()
  const ticket = await issuer.ticket()
  const others = await Promise.all([TestDaemon.start({ join: ticket }), TestDaemon.start({ join: ticket })])
  await issuer.sees(others)

  const newcomer = startDaemonCommand({ data: scratchDirectory(), join: ticket })
  await eventually(
    'the newcomer to be let in',
    async () => newcomer.output.stderr.includes('joined the swarm'),
    SEEN_MS,
  )
  await issuer.kill()

  for (const other of others) {
    await eventually(
      'the other and the newcomer, and not the issuer',
      async () => {
        const alive = (await other.peers()).filter(({ state }) => state === 'alive')
        return alive.length === 2 && alive.every(({ node }) => node !== issuer.node)
      },
      SEEN_MS,
    )
  }
})
