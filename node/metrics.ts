import { Counter, collectDefaultMetrics, Gauge, Registry } from 'prom-client'
import type { MetricsReport } from '../src/index.ts'
import { addNetworkMetrics } from './network-metrics.ts'
import type { NodeHandle } from './node-handle.ts'

const PREFIX = 'swarm_node_'

/** What a node shows of itself in numbers, as Prometheus text and as JSON. */
export class NodeMetrics {
  readonly #registry = new Registry()

  constructor(node: NodeHandle) {
    const registers = [this.#registry]
    collectDefaultMetrics({ register: this.#registry, prefix: PREFIX, eventLoopMonitoringPrecision: 100 })
    addInfo(node, registers)
    addStatus(node, registers)
    addPeers(node, registers)
    addCounters(node, registers)
    addNetworkMetrics(() => node.network(), PREFIX, registers)
  }

  get contentType(): string {
    return this.#registry.contentType
  }

  /** Prometheus's text format. */
  text(): Promise<string> {
    return this.#registry.metrics()
  }

  async report(): Promise<MetricsReport> {
    const metrics = await this.#registry.getMetricsAsJSON()
    return {
      metrics: metrics.map(({ name, help, type, values }) => ({
        name,
        help,
        type: String(type) as MetricsReport['metrics'][number]['type'],
        values: values.map((sample) => ({
          name: 'metricName' in sample ? String(sample.metricName) : name,
          labels: definedOf(sample.labels),
          value: sample.value,
        })),
      })),
    }
  }
}

function addInfo(node: NodeHandle, registers: Registry[]): void {
  const info = new Gauge({
    name: `${PREFIX}info`,
    help: 'Always 1; the labels say who this is.',
    labelNames: ['node', 'swarm', 'version'],
    registers,
  })
  info.set({ node: node.node, swarm: node.swarm, version: node.version }, 1)
}

/** Gauges are read when asked for, from the same report that `status` prints. */
function addStatus(node: NodeHandle, registers: Registry[]): void {
  const plain = {
    uptime_seconds: ['Seconds since the process started.', () => node.status().uptimeSeconds],
    running: [
      '1 while the node is running, 0 while it starts, drains or stops.',
      () => Number(node.status().state === 'running'),
    ],
    agents: ['Agents attached to this node.', () => node.status().agents],
    journals: ['Journals this node holds a copy of.', () => node.status().journals],
    event_loop_lag_seconds: ['How late timers fire.', () => node.status().eventLoopLagMs / 1000],
  } as const
  for (const [name, [help, read]] of Object.entries(plain)) {
    new Gauge({
      name: `${PREFIX}${name}`,
      help,
      registers,
      collect() {
        this.set(read())
      },
    })
  }
  new Gauge({
    name: `${PREFIX}tasks`,
    help: 'Tasks this node knows, by state.',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset()
      for (const [state, count] of Object.entries(node.status().tasks)) this.set({ state }, count)
    },
  })
}

function addPeers(node: NodeHandle, registers: Registry[]): void {
  new Gauge({
    name: `${PREFIX}peers`,
    help: 'Peers by the state in which this node sees them.',
    labelNames: ['state'],
    registers,
    collect() {
      this.reset()
      for (const state of ['alive', 'suspect', 'dead', 'left']) this.set({ state }, 0)
      for (const peer of node.peers().peers) this.inc({ state: peer.state })
    },
  })
}

/** One counter per kind of observation; the counting itself is the observer's. */
function addCounters(node: NodeHandle, registers: Registry[]): void {
  for (const { name, help } of node.counters()) {
    new Counter({
      name: `${PREFIX}${name}_total`,
      help,
      registers,
      collect() {
        this.reset()
        this.inc(node.counters().find((counter) => counter.name === name)?.value ?? 0)
      },
    })
  }
}

function definedOf(labels: Readonly<Partial<Record<string, string | number>>>): Record<string, string | number> {
  const defined: Record<string, string | number> = {}
  for (const [name, value] of Object.entries(labels)) if (value !== undefined) defined[name] = value
  return defined
}
