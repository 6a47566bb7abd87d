import { Random, type WallMillis } from '../../src/kernel/index.ts'
import { createNetwork } from '../../src/net/index.ts'
import { keyPair, member, NOW } from '../unit/identity-fixtures.ts'
import { Recorder, SWARM } from './net-world.ts'

/** A member in a process of its own, so that a test can kill it: tells its parent where it listens, then serves. */
const number = Number(process.argv[2])
const keys = keyPair(number)
const party = member(keys, SWARM)
const network = await createNetwork({
  swarm: SWARM.swarm,
  seed: keys.exportSeed(),
  clock: { now: () => performance.now() as never, wallNow: () => NOW as WallMillis },
  random: new Random(`child ${number}`),
  party: () => party,
  listen: [process.argv[3] ?? '/ip4/127.0.0.1/tcp/0'],
})
await network.start()
network.serve(new Recorder())
process.send?.({ id: keys.node, addresses: network.addresses() })
