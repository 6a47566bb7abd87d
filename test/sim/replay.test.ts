import { describe, expect, it } from 'vitest'
import { replay } from './replay.ts'
import { total } from './traffic.ts'
import { arrivals, spread, swarmplus, type Workload } from './workloads.ts'

/** Bound on a machine that is ten times slower than the one it was written on. */
const REPLAY_TIMEOUT_MS = 200_000

function run(workload: Workload, kill = 0) {
  const result = replay({ workload, seed: '1', latency: 'lan', kill })
  const selection = result.logs.map(({ submittedAt = 0, selectedAt = Number.NaN }) => selectedAt - submittedAt)
  return {
    ...result,
    states: new Set(result.logs.map(({ state }) => state)),
    doubled: result.logs.filter(({ work }) => work.executions.length > 1).length,
    p95: selection.sort((a, b) => a - b)[Math.floor(selection.length * 0.95)],
    negotiation: total(result.messages, (kind) => kind.startsWith('claims.')) / result.logs.length,
  }
}

describe('replays of real workloads', { timeout: REPLAY_TIMEOUT_MS }, () => {
  it("SWARM+'s Mesh-10/100: every job once, each within its constraints", () => {
    const { states, doubled, violations } = run(
      swarmplus({ set: 'mesh-10-100', slots: 10, service: 'flat', seed: '1' }),
    )
    expect({ violations, states: [...states], doubled }).toEqual({ violations: [], states: ['completed'], doubled: 0 })
  })

  it('the first 500 requests of a real LLM service', () => {
    const { states, doubled, violations } = run(arrivals({ compress: 4, count: 500, seed: '1' }))
    expect({ violations, states: [...states], doubled }).toEqual({ violations: [], states: ['completed'], doubled: 0 })
  })

  it('40 nodes, each task where nobody has its skill: awarded in time, in few messages', () => {
    const { states, doubled, violations, p95, negotiation } = run(
      spread({ nodes: 40, perSecond: 12, count: 1_000, seed: '1' }),
    )
    expect({ violations, states: [...states], doubled }).toEqual({ violations: [], states: ['completed'], doubled: 0 })
    expect(p95).toBeLessThan(150)
    expect(negotiation).toBeLessThan(15)
  })
})
