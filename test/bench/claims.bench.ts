import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandArguments } from '../support/arguments.ts'
import { durableLatency, durableThroughput } from './claims/durable.ts'
import { localClaims } from './claims/local.ts'
import { remoteClaims } from './claims/remote.ts'
import { swarmClaims } from './claims/swarm.ts'
import { type Figure, tableOf } from './figures.ts'

/**
 * Claims against their floor and their peers, in one run: local and remote claims, durable throughput and latency beside
 * BullMQ on Redis and NATS JetStream, and a swarm of 60 processes.
 *
 * Usage: npm run bench -- claims [--only local,remote,throughput,latency,swarm] [--seconds 5] [--nodes 60] [--no-peers] [--json]
 * Servers of peers come from Debian (`apt-get install redis-server nats-server`), run on loopback and end with the
 * bench; their clients are installed into a cache when first wanted.
 */

const { values } = commandArguments({
  allowNegative: true,
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    peers: { type: 'boolean', default: true },
    /** Processes of the swarm. */
    nodes: { type: 'string', default: '60' },
    /** Where the daemon's processor profiles go. */
    profile: { type: 'string' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})

const seconds = Number(values.seconds)
const directory = mkdtempSync(join(values.directory, 'swarm-node-claims-'))
const nodeArgs = values.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${values.profile}`]
const durable = { seconds, withPeers: values.peers, nodeArgs }

const PARTS: Readonly<Record<string, () => Promise<readonly Figure[]>>> = {
  local: () => localClaims(seconds, nodeArgs),
  remote: () => remoteClaims(seconds),
  throughput: () => durableThroughput({ ...durable, directory: join(directory, 'throughput') }),
  latency: () => durableLatency({ ...durable, directory: join(directory, 'latency') }),
  swarm: () => swarmClaims({ directory: join(directory, 'swarm'), nodes: Number(values.nodes), seconds }),
}

// One listener for each server, worker and daemon that is to end with this process.
process.setMaxListeners(0)
process.exitCode = await main(values.only?.split(',') ?? Object.keys(PARTS))
// Clients of peers try for ever to reach a server that is no more.
process.exit()

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => PARTS[name] === undefined)
  if (unknown.length > 0) {
    console.error(`no such part: ${unknown.join(', ')}; there are ${Object.keys(PARTS).join(', ')}`)
    return 2
  }
  const machine = `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`
  if (!values.json) console.log(machine)
  const figures: Figure[] = []
  try {
    for (const name of names) {
      const measured = (await PARTS[name]?.()) ?? []
      figures.push(...measured)
      if (!values.json) console.log(`\n${tableOf(measured)}`)
    }
  } finally {
    rmSync(directory, { recursive: true, force: true })
  }
  if (values.json) console.log(JSON.stringify({ bench: 'claims', machine, figures }))
  return 0
}
