import { commandArguments } from '../support/arguments.ts'
import { BenchClient, BenchDaemon } from './work-daemon.ts'

/**
 * One node and its agents: memory of agents that are attached and idle (target 20 KB each), and no-op tasks through one
 * node with two worker processes, with its memory over time (target: no growth after the first tenth).
 * Options: --idle N (10,000; 0 leaves that part out; needs `ulimit -n` above N), --count N (100,000 tasks; the target is
 * stated for 1,000,000), --window N (tasks in flight, 256), --volatile (not written to disk), --profile DIR (--cpu-prof).
 */

const { values: options } = commandArguments({
  options: {
    idle: { type: 'string', default: '10000' },
    count: { type: 'string', default: '100000' },
    window: { type: 'string', default: '256' },
    volatile: { type: 'boolean', default: false },
    profile: { type: 'string' },
  },
})

const KIB = 1024
const MIB = 1024 * KIB
const INPUT = { text: 'x'.repeat(180) }
/** Agents that connect at a time: a queue of connections that wait to be accepted is short. */
const GROUP = 100

async function main(): Promise<void> {
  if (Number(options.idle) > 0) await withDaemon((daemon) => idleAgents(daemon, Number(options.idle)))
  if (Number(options.count) > 0) await withDaemon((daemon) => manyTasks(daemon, Number(options.count)))
}

async function withDaemon(measure: (daemon: BenchDaemon) => Promise<void>): Promise<void> {
  const profiling = options.profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${options.profile}`]
  const daemon = await BenchDaemon.start({ nodeArgs: profiling })
  try {
    await measure(daemon)
  } finally {
    await daemon.stop()
  }
}

async function idleAgents(daemon: BenchDaemon, count: number): Promise<void> {
  const before = daemon.rss()
  const startedAt = performance.now()
  const clients: BenchClient[] = []
  for (let first = 0; first < count; first += GROUP) {
    const group = Array.from({ length: Math.min(GROUP, count - first) }, (_, i) => attach(daemon, first + i))
    clients.push(...(await Promise.all(group)))
  }
  const seconds = (performance.now() - startedAt) / 1000
  const each = (daemon.rss() - before) / count / KIB
  print(`${count} idle agents`, `${each.toFixed(1)} KiB each`, 'target 20 KB', `attached in ${seconds.toFixed(1)} s`)
  for (const client of clients) client.close()
}

async function attach(daemon: BenchDaemon, i: number): Promise<BenchClient> {
  const client = await BenchClient.connect(daemon.socket)
  await client.call('agent.attach', {
    name: `agent-${i}`,
    skills: [{ name: `skill-${i % 20}`, proficiency: 0.9 }],
    slots: 1,
    labels: { rack: `r${i % 50}` },
  })
  return client
}

async function manyTasks(daemon: BenchDaemon, count: number): Promise<void> {
  const window = Number(options.window)
  for (let i = 0; i < 2; i++) await daemon.worker('noop', window)
  const client = await BenchClient.connect(daemon.socket)
  const samples: number[] = []
  const every = Math.max(1, Math.floor(count / 10))
  let cpuAtHalf = 0
  const startedAt = performance.now()
  await pipelined(count, window, (done) => {
    const durable = options.volatile ? { durable: false } : {}
    client.send('task.submit', { skill: 'noop', input: INPUT, ...durable }, ({ task }) => {
      client.send('task.wait', { task }, ({ state }) => {
        if (state !== 'completed') throw new Error(`a task ended as ${state}`)
        done((ended) => {
          if (ended % every === 0) samples.push(daemon.rss() / MIB)
          if (ended === Math.floor(count / 2)) cpuAtHalf = daemon.cpuSeconds()
        })
      })
    })
  })
  const seconds = (performance.now() - startedAt) / 1000
  const kind = options.volatile ? 'volatile' : 'durable'
  const rate = `${Math.round(count / seconds)} tasks/s`
  const usEach = ((daemon.cpuSeconds() - cpuAtHalf) / Math.ceil(count / 2)) * 1e6
  print(
    `${count} ${kind} no-op tasks`,
    rate,
    'target 25,000/s',
    `${usEach.toFixed(1)} µs of the daemon's processor time each, once warm`,
  )
  const growth = (samples.at(-1) ?? 0) - (samples[0] ?? 0)
  print(
    'memory, MiB',
    samples.map((mib) => mib.toFixed(0)).join(' '),
    'no growth',
    `${growth.toFixed(1)} after a tenth`,
  )
}

/** Keeps `window` of them under way until `count` have ended. */
function pipelined(
  count: number,
  window: number,
  begin: (done: (tell: (ended: number) => void) => void) => void,
): Promise<void> {
  return new Promise((resolve) => {
    let begun = 0
    let ended = 0
    const next = (): void => {
      if (begun === count) return
      begun += 1
      begin((tell) => {
        ended += 1
        tell(ended)
        if (ended === count) resolve()
        else next()
      })
    }
    for (let i = 0; i < window; i++) next()
  })
}

function print(what: string, figure: string, target: string, remark: string): void {
  console.log(`${what.padEnd(32)} ${figure.padEnd(24)} ${target.padEnd(18)} ${remark}`)
}

await main()
