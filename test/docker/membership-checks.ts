import { eventually } from '../support/eventually.ts'
import { after, type Check, everybodySees, memberNamed, othersSee } from './check.ts'
import type { ContainerSwarm } from './container-swarm.ts'

/** Twice what a calm cell needs (M-5: 5 s): the containers share the machine with whatever else runs there. */
const DEATH_MS_MAX = 10_000
const FORMATION_MS_MAX = 30_000
const RETURN_MS_MAX = 30_000
const LEAVE_MS_MAX = 10_000
/** The first check of health is made 15 s after the start. */
const HEALTHY_MS_MAX = 60_000
const CONNECT_MS = 2_000

/** In this order: each begins with all members up, and leaves them so. */
export const MEMBERSHIP_CHECKS: readonly Check[] = [
  {
    what: 'every node sees all others alive',
    run: async (swarm) => {
      const formed = await everybodySees(swarm, 'alive', FORMATION_MS_MAX)
      return `${formed} pairs`
    },
  },
  { what: 'regions meet only at the node that is in both', run: relayed },
  { what: 'runs as a user without rights, on a read-only file system', run: unprivileged },
  { what: 'HEALTHCHECK says healthy', run: healthy },
  { what: 'a node cut off is seen dead by all others', run: cutOff },
  { what: 'connected again, it is back', run: back },
  { what: 'docker stop: exit 0, seen as left by all others', run: stopped },
  { what: 'docker start: the same node, back in the swarm', run: startedAgain },
]

async function relayed(swarm: ContainerSwarm): Promise<string> {
  const [east, west] = [memberNamed(swarm, 'east-1'), memberNamed(swarm, 'west-1')]
  const { addresses } = await swarm.status(west.name)
  const direct = addresses.find((address) => !address.includes('/p2p-circuit'))
  const [, host = '', port = ''] = /^\/ip4\/([\d.]+)\/tcp\/(\d+)/.exec(direct ?? '') ?? []
  if (host === '') throw new Error(`west-1 announces no address of its own: ${addresses.join(' ')}`)
  const script = `const s = require('net').connect(${port}, '${host}', () => { console.log('reached'); process.exit() })
    s.on('error', (e) => { console.log(e.code); process.exit() }); s.setTimeout(${CONNECT_MS}, () => { console.log('silence'); process.exit() })`
  const outcome = await swarm.exec(east.name, 'node', '-e', script)
  if (outcome === 'reached') throw new Error(`east-1 reaches ${host}:${port} directly: the networks are not apart`)
  const rttMs = await eventually('a measured path from east-1 to west-1', async () => {
    const view = await swarm.view(east.name, west)
    return view?.rttMs ?? undefined
  })
  return `no direct way (${outcome}), ${rttMs.toFixed(1)} ms through the relay`
}

async function unprivileged(swarm: ContainerSwarm): Promise<string> {
  for (const { name } of swarm.members) {
    const status = await swarm.exec(name, 'cat', '/proc/1/status')
    const user = /^Uid:\s+(\d+)/m.exec(status)?.[1]
    const capabilities = /^CapEff:\s+(\w+)/m.exec(status)?.[1]
    if (user !== '10001' || Number.parseInt(capabilities ?? '1', 16) !== 0) {
      throw new Error(`${name} runs as user ${user} with capabilities ${capabilities}`)
    }
  }
  return 'user 10001, no capabilities'
}

async function healthy(swarm: ContainerSwarm): Promise<string> {
  const all = swarm.members.map(({ name }) =>
    eventually(
      `${name} to be healthy`,
      async () => (await swarm.inspect(name, '{{.State.Health.Status}}')) === 'healthy',
      HEALTHY_MS_MAX,
    ),
  )
  return `${(await Promise.all(all)).length} containers`
}

async function cutOff(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'west-2')
  const startMs = Date.now()
  await swarm.disconnect(member.name, 'west')
  return after(startMs, await othersSee(swarm, member, 'dead', DEATH_MS_MAX))
}

async function back(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'west-2')
  const startMs = Date.now()
  await swarm.connect(member.name, 'west')
  const seen = await othersSee(swarm, member, 'alive', RETURN_MS_MAX)
  await everybodySees(swarm, 'alive', RETURN_MS_MAX)
  return after(startMs, seen)
}

async function stopped(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'east-2')
  const startMs = Date.now()
  const code = await swarm.stop(member.name)
  if (code !== 0) throw new Error(`it ended with ${code}: ${await swarm.logs(member.name)}`)
  return after(startMs, await othersSee(swarm, member, 'left', LEAVE_MS_MAX))
}

async function startedAgain(swarm: ContainerSwarm): Promise<string> {
  const before = memberNamed(swarm, 'east-2')
  const startMs = Date.now()
  const again = await swarm.startAgain(before)
  if (again.node !== before.node) throw new Error(`it was ${before.node} and is ${again.node}`)
  return after(startMs, await othersSee(swarm, again, 'alive', RETURN_MS_MAX))
}
