import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, tmpdir } from 'node:os'
import { join } from 'node:path'
import { commandArguments } from '../support/arguments.ts'
import { type Figure, median, tableOf } from './figures.ts'
import { startBullMq } from './peers/bullmq.ts'
import { EtcdCluster } from './peers/etcd.ts'
import { startJetStream } from './peers/nats.ts'
import { MissingPeer } from './peers/program.ts'
import { latencyAt, throughputOf, type WorkSystem } from './peers/work-system.ts'

/**
 * The peers alone, driven as the other benches drive them, so that one can see that they are driven well.
 *
 * Usage: npm run bench -- peers [--only etcd|bullmq|jetstream] [--seconds 5] [--kills 3] [--directory DIR] [--json]
 * Servers come from Debian (`apt-get install etcd-server redis-server nats-server`), run on loopback and end with the bench.
 */

const SEQUENTIAL_PUTS = 1_000
const CLIENTS_COUNTS = [64, 256]
const IN_FLIGHT_COUNTS = [256, 1_000, 2_000]
const PER_SECOND = 50

const { values } = commandArguments({
  options: {
    only: { type: 'string' },
    seconds: { type: 'string', default: '5' },
    kills: { type: 'string', default: '3' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})
const seconds = Number(values.seconds)

const PARTS: Readonly<Record<string, (directory: string) => Promise<readonly Figure[]>>> = {
  etcd,
  bullmq: async (at) => [
    ...(await workSystem(await startBullMq(join(at, 'always'), 'always'))),
    ...(await workSystem(await startBullMq(join(at, 'everysec'), 'everysec'))),
  ],
  jetstream: async (at) => workSystem(await startJetStream(at)),
}

const directory = mkdtempSync(join(values.directory, 'swarm-node-peers-'))
try {
  const figures: Figure[] = []
  for (const [name, measure] of Object.entries(PARTS)) {
    if (values.only !== undefined && values.only !== name) continue
    try {
      figures.push(...(await measure(join(directory, name))))
    } catch (cause) {
      if (!(cause instanceof MissingPeer)) throw cause
      console.error(`${name} left out: ${cause.message}`)
    }
  }
  if (values.json) console.log(JSON.stringify({ bench: 'peers', figures }))
  else console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}\n${tableOf(figures)}`)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
// Clients of peers try for ever to reach a server that is no more.
process.exit()

async function etcd(at: string): Promise<readonly Figure[]> {
  const cluster = await EtcdCluster.start(at)
  const part = 'etcd'
  try {
    const put = await cluster.sequential(SEQUENTIAL_PUTS)
    const rates: Figure[] = []
    for (const clients of CLIENTS_COUNTS) {
      const value = await cluster.throughput(clients, seconds)
      rates.push({ part, what: `etcd, puts with ${clients} clients`, value, unit: '/s' })
    }
    const kills: number[] = []
    for (let i = 0; i < Number(values.kills); i++) kills.push(await cluster.failover())
    return [
      { part, what: 'etcd, put p50', value: put.p50Ms, unit: 'ms' },
      { part, what: 'etcd, put p99', value: put.p99Ms, unit: 'ms' },
      ...rates,
      { part, what: 'etcd, leader killed, median', value: median(kills), unit: 'ms' },
      { part, what: 'etcd, leader killed, worst', value: Math.max(...kills), unit: 'ms' },
    ]
  } finally {
    await cluster.stop()
  }
}

async function workSystem(system: WorkSystem): Promise<readonly Figure[]> {
  const part = system.name
  const figures: Figure[] = []
  try {
    await throughputOf(system, 100, 1)
    for (const inFlight of IN_FLIGHT_COUNTS) {
      const value = await throughputOf(system, inFlight, seconds)
      figures.push({ part, what: `${part}, ${inFlight} in flight`, value, unit: '/s' })
    }
    const { p50Ms, p99Ms } = await latencyAt(system, PER_SECOND, seconds)
    figures.push({ part, what: `${part}, p50 at ${PER_SECOND}/s`, value: p50Ms, unit: 'ms' })
    figures.push({ part, what: `${part}, p99 at ${PER_SECOND}/s`, value: p99Ms, unit: 'ms' })
  } finally {
    await system.stop()
  }
  return figures
}
