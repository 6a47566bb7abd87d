import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { type Entrance, Player } from '../../node/demo/player.ts'
import { type Ending, percentilesOf, type Served, tallyOf } from '../../node/demo/tally.ts'
import { readTrace, serviceMs, skillsFor } from '../../node/demo/trace.ts'
import { scratchDirectory } from '../support/scratch.ts'

const request = (index: number) => ({ index, atMs: 0, contextTokens: 100, generatedTokens: 10 })

const ending = (changes: Partial<Ending> = {}): Ending => ({
  state: 'completed',
  attempts: 1,
  executions: 1,
  submittedAt: '2026-11-25T10:00:00.000Z',
  startedAt: '2026-11-25T10:00:00.004Z',
  executor: { node: 'n1', agent: 'paris' },
  output: { by: 'paris', stamp: '1-1' },
  ...changes,
})

const served = (index: number, final: Ending, answer: Ending = final): Served => ({
  request: request(index),
  task: `t${index}`,
  responseMs: 10 * (index + 1),
  answer,
  final,
})

describe('the trace', () => {
  it('is read whole, in order of arrival', () => {
    const trace = readTrace()
    expect(trace).toHaveLength(8_819)
    expect(trace[0]).toEqual({ index: 0, atMs: 0, contextTokens: 4_808, generatedTokens: 10 })
    expect(trace[1]?.atMs).toBe(52)
    for (const [i, { atMs }] of trace.entries()) expect(atMs).toBeGreaterThanOrEqual(trace[i - 1]?.atMs ?? 0)
  })

  it('gives service times and skills by tokens', () => {
    expect(serviceMs({ ...request(0), contextTokens: 8_000, generatedTokens: 4 })).toBe(1_100)
    expect(skillsFor({ ...request(0), contextTokens: 4_000 })).toEqual(['complete'])
    expect(skillsFor({ ...request(0), contextTokens: 4_001 })).toEqual(['complete', 'long-context'])
  })

  it.each(['a,b\n1,2', 'TIMESTAMP,ContextTokens,GeneratedTokens\nyesterday,1,2'])('is refused when damaged', (text) => {
    const path = join(scratchDirectory(), 'trace.csv.gz')
    writeFileSync(path, gzipSync(text))
    expect(() => readTrace(path)).toThrow(path)
  })
})

describe('the tally', () => {
  it('of a run without incidents', () => {
    const tally = tallyOf(2, [served(0, ending()), served(1, ending({ attempts: 2 }))], ['t0', 't1'])
    expect(tally).toMatchObject({
      submitted: 2,
      completed: 2,
      lost: 0,
      acceptedTwice: 0,
      doubleExecutions: 0,
      retries: 1,
    })
    expect(tally.awardMs.p50).toBe(4)
    expect(tally.byAgent).toEqual([{ name: 'paris', count: 2 }])
  })

  it('counts what is lost: without an answer, or failed in the end', () => {
    expect(tallyOf(3, [served(0, ending()), served(1, ending({ state: 'failed' }))], []).lost).toBe(2)
  })

  it('sees a second accepted result by its stamp', () => {
    const other = ending({ output: { by: 'osaka', stamp: '2-7' } })
    expect(tallyOf(1, [served(0, other, ending())], []).acceptedTwice).toBe(1)
  })

  it('sees work that was done twice in the books of the agents', () => {
    expect(tallyOf(2, [served(0, ending()), served(1, ending())], ['t0', 't1', 't0']).doubleExecutions).toBe(1)
  })

  it('takes percentiles by nearest rank', () => {
    expect(percentilesOf([])).toEqual({ p50: 0, p95: 0, p99: 0 })
    expect(percentilesOf(Array.from({ length: 100 }, (_, i) => 100 - i))).toEqual({ p50: 50, p95: 95, p99: 99 })
  })
})

describe('the player', () => {
  const entrance = (name: string, changes: Partial<Entrance> = {}): Entrance => ({
    name,
    open: true,
    submit: async (_skills, _input, key) => `${name}/${key}`,
    wait: async () => ending(),
    get: async () => ending(),
    ...changes,
  })
  const play = async (entrances: readonly Entrance[], requestCount: number) => {
    const requests = Array.from({ length: requestCount }, (_, i) => request(i))
    const player = new Player({ requests, speed: 1000, entrances, submitting: () => {}, progress: () => {} })
    await player.play()
    return player
  }

  it('goes from node to node and leaves out those that are away', async () => {
    const player = await play([entrance('a'), entrance('b', { open: false }), entrance('c')], 4)
    expect(player.answered.map(({ task }) => task.charAt(0)).join('')).toBe('acca')
  })

  it('goes on when a submission or an answer fails, and says so', async () => {
    const failing = entrance('b', { wait: () => Promise.reject(new Error('gone for good')) })
    const player = await play([entrance('a'), failing], 2)
    expect(player.submitted).toBe(2)
    expect(player.answered).toHaveLength(1)
    expect(player.failures).toEqual(['request 1 at b: gone for good'])
  })
})
