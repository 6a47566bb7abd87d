import type { Spot, Workload } from './workloads.ts'

interface Agent {
  readonly facts: NonNullable<Spot['agent']>
  slots: number
  readonly free: Map<string, number>
}

/**
 * How long each job would wait if one scheduler knew everything at once and nothing had to be said: first come, first
 * served among those that fit, at the agent with most slots free. What a swarm adds to this is the price of negotiating.
 */
export function omniscientWaitsMs({ spots, jobs }: Workload): readonly number[] {
  const agents = spots.flatMap(({ agent }): Agent[] =>
    agent === undefined ? [] : [{ facts: agent, slots: agent.slots, free: new Map(Object.entries(agent.resources)) }],
  )
  const arrivals = jobs.map((job) => ({ atMs: job.atMs, wants: job.wants, runMs: job.runMs }))
  arrivals.sort((a, b) => a.atMs - b.atMs)
  const ends: { readonly atMs: number; readonly agent: Agent; readonly job: (typeof arrivals)[number] }[] = []
  let waiting: typeof arrivals = []
  const waits: number[] = []
  while (arrivals.length > 0 || ends.length > 0) {
    const atMs = Math.min(arrivals[0]?.atMs ?? Number.POSITIVE_INFINITY, ends[0]?.atMs ?? Number.POSITIVE_INFINITY)
    while (ends[0]?.atMs === atMs) {
      const end = ends.shift()
      if (end !== undefined) take(end.agent, end.job.wants.resources, -1)
    }
    while (arrivals[0]?.atMs === atMs) waiting.push(arrivals.shift() as (typeof arrivals)[number])
    waiting = waiting.filter((job) => {
      const fitting = agents.filter((agent) => fits(agent, job.wants))
      const [agent] = fitting.sort((a, b) => b.slots - a.slots)
      if (agent === undefined) return true
      waits.push(atMs - job.atMs)
      take(agent, job.wants.resources, 1)
      const end = { atMs: atMs + job.runMs, agent, job }
      const later = ends.findIndex((other) => other.atMs > end.atMs)
      ends.splice(later < 0 ? ends.length : later, 0, end)
      return false
    })
  }
  return waits
}

/** Sums of amounts such as 0.1 are not exact. */
const ROUNDING = 1e-9

function fits({ facts, slots, free }: Agent, wants: Workload['jobs'][number]['wants']): boolean {
  return (
    slots > 0 &&
    wants.skills.every((skill) => facts.skills.some(({ name }) => name === skill)) &&
    wants.require.every((label) => facts.labels[label] !== undefined) &&
    Object.entries(wants.resources).every(([unit, amount]) => amount <= (free.get(unit) ?? 0) + ROUNDING)
  )
}

function take(agent: Agent, amounts: Readonly<Record<string, number>>, times: 1 | -1): void {
  agent.slots -= times
  for (const [unit, amount] of Object.entries(amounts))
    agent.free.set(unit, (agent.free.get(unit) ?? 0) - times * amount)
}
