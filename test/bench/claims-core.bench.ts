import { performance } from 'node:perf_hooks'
import {
  type AgentId,
  CLAIMS_PROFILES,
  Claims,
  type ClaimsEffect,
  type ClaimsInput,
  type ClaimsPeers,
  type RequestId,
  type RunOrder,
  type Submission,
} from '../../src/claims/index.ts'
import { err, type Millis, type NodeId, ok, Random, type Tick, type WallMillis } from '../../src/kernel/index.ts'
import { sealerOf } from '../support/sealer.ts'

/**
 * The claims core alone: local claim, and a task's whole life with 1,000 to 100,000 others waiting.
 *
 * Core time only: no socket, disk or network. Costs are told next to those with the fewest waiting, because matching is to
 * cost the same whatever waits. `--unique` gives every waiting task a demand of its own.
 */

const ROUNDS = 7
const PER_ROUND = 4_000
const AGENTS = 500
const SKILLS = 20

const nobody: ClaimsPeers = {
  parse: (text) => err({ message: `no expressions here: ${text}`, position: 1 }),
  choose: () => ({ chosen: [], eligible: 0, obstacles: {} }),
  rttMs: () => undefined,
  named: () => undefined,
}

class Bench {
  readonly core: Claims
  now = 1_000 as Millis
  #requests = 0
  readonly running: { readonly agent: AgentId; readonly order: RunOrder }[] = []

  constructor() {
    this.core = new Claims({
      isPayload: () => true,
      seal: sealerOf('bench'),
      node: 'bench' as NodeId,
      epoch: 1,
      params: { ...CLAIMS_PROFILES.local, openTasksMax: 1_000_000, openBytesMax: 2 ** 33, endedTasksMax: 1_000 },
      random: new Random('claims bench'),
      peers: { ...nobody, parse: (text) => ok({ text, holds: () => true }) },
      self: { org: '', region: '', zone: '', labels: {} },
    })
    this.step({ kind: 'clock', wallNow: 1_760_000_000_000 as WallMillis })
  }

  step(input: ClaimsInput | Tick): readonly ClaimsEffect[] {
    const effects = this.core.step(this.now, input)
    for (const effect of effects) if (effect.kind === 'run') this.running.push(effect)
    return effects
  }

  attach(count: number): void {
    for (let i = 0; i < count; i++) {
      const skills = [{ name: `skill${i % SKILLS}`, proficiency: 1 }]
      const facts = { name: `agent${i}`, skills, slots: 1, resources: { cpu: 4 }, labels: {}, price: 0 }
      this.step({ kind: 'agent-attach', agent: `a${i}` as AgentId, facts })
    }
  }

  submit(submission: Submission): void {
    this.#requests += 1
    this.step({ kind: 'request', request: this.#requests as RequestId, ask: { kind: 'submit', submission } })
  }

  /** The agent that was given its task first is done with it. */
  finish(): void {
    const first = this.running.shift()
    if (first === undefined) throw new Error('nothing runs')
    const { agent, order } = first
    this.step({ kind: 'agent-result', agent, task: order.task, attempt: order.attempt, output: OUTPUT })
  }
}

const OUTPUT = new TextEncoder().encode('"ok"')
const INPUT = new TextEncoder().encode(JSON.stringify({ text: 'x'.repeat(180) }))

function task(skill: number, cpu: number): Submission {
  return {
    skills: [`skill${skill}`],
    input: INPUT,
    tenant: 'default',
    priority: 5,
    guarantee: 'exactly-once',
    durable: false,
    resources: cpu === 0 ? {} : { cpu },
    require: [],
    prefer: [],
  }
}

/** Microseconds per call, best and median over rounds. */
function measure(call: (i: number) => void): { readonly median: number; readonly best: number } {
  const rounds: number[] = []
  let i = 0
  for (let round = 0; round < ROUNDS; round++) {
    const startedAt = performance.now()
    for (let k = 0; k < PER_ROUND; k++) call(i++)
    rounds.push(((performance.now() - startedAt) * 1000) / PER_ROUND)
  }
  const sorted = rounds.sort((a, b) => a - b)
  return { median: sorted[Math.floor(ROUNDS / 2)] ?? 0, best: sorted[0] ?? 0 }
}

function localClaim(agents: number): void {
  const bench = new Bench()
  bench.attach(agents)
  const { median, best } = measure((i) => {
    bench.now = (bench.now + 1) as Millis
    bench.submit(task(i % Math.min(agents, SKILLS), 0))
    bench.finish()
  })
  console.log(`local claim and result, ${agents} agents idle: ${median.toFixed(1)} us (best ${best.toFixed(1)})`)
}

function waiting(count: number, unique: boolean, base: number | undefined): number {
  const bench = new Bench()
  bench.attach(AGENTS)
  for (let i = 0; i < AGENTS; i++) bench.submit(task(i % SKILLS, 0))
  collect()
  const heapBefore = process.memoryUsage().heapUsed
  for (let i = 0; i < count; i++) bench.submit(task(i % SKILLS, unique ? 1 + i / 1e6 : 0))
  collect()
  const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / count
  const { median } = measure((i) => {
    bench.now = (bench.now + 1) as Millis
    bench.submit(task(i % SKILLS, unique ? 1 + (count + i) / 1e6 : 0))
    bench.finish()
  })
  const ratio = base === undefined ? '' : `, ${(median / base).toFixed(2)}x of the fewest`
  console.log(
    `${String(count).padStart(7)} waiting${unique ? ', each of its own demand' : ''}: ${median.toFixed(1)} us per task submitted, matched and ended${ratio}; ${heapBytes.toFixed(0)} bytes of heap each`,
  )
  return median
}

function collect(): void {
  globalThis.gc?.()
  globalThis.gc?.()
}

if (import.meta.main) {
  if (globalThis.gc === undefined) console.log('heap figures are rough without --expose-gc')
  const unique = process.argv.includes('--unique')
  console.log(`node ${process.version}, ${process.arch}; median of ${ROUNDS} rounds of ${PER_ROUND}`)
  for (const agents of [1, AGENTS, 10_000]) localClaim(agents)
  let base: number | undefined
  for (const count of [1_000, 10_000, 100_000]) {
    const cost = waiting(count, unique, base)
    base ??= cost
  }
}
