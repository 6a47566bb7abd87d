import { describe, expect, it, vi } from 'vitest'
import { simAddress, simNodeId } from '../../src/sim/index.ts'
import { linkedToys } from './toys.ts'

// No kind is `resumed` yet, so one is declared to be for these tests: with back-pressure, as claims will have it.
vi.mock('../../src/wire/message-kinds.ts', async (original) => {
  const actual = await original<typeof import('../../src/wire/message-kinds.ts')>()
  const rulesOf: typeof actual.rulesOf = (kind) => {
    const rules = actual.rulesOf(kind)
    return kind === 'directory.sync-reply' ? { ...rules, delivery: 'resumed', whenFull: 'refuse' } : rules
  }
  return { ...actual, rulesOf }
})

const KIND = 'directory.sync-reply'
const n0 = simNodeId(0)
const n1 = simNodeId(1)

const numbers = (count: number): string[] => Array.from({ length: count }, (_, i) => `${i}`)

describe('resumed messages (SI-6)', () => {
  it('arrive once and in order, whatever the weather', () => {
    const { sim, toy } = linkedToys(2)
    sim.paths.weather = { lossRate: 0.5, duplicateRate: 0.5, reorderRate: 0.5, reorderMs: 50, corruptRate: 0 }
    for (const text of numbers(500)) toy(0).say(n1, text, KIND)
    sim.run(sim.now + 1_000)
    expect(toy(1).heard.map(({ text }) => text)).toEqual(numbers(500))
  })

  it('wait out a block, and come in order after it', () => {
    const { sim, toy } = linkedToys(2)
    for (const text of ['0', '1']) toy(0).say(n1, text, KIND)
    sim.run(sim.now + 10)
    sim.block(0, 1)
    for (const text of ['2', '3', '4']) toy(0).say(n1, text, KIND)
    sim.run(sim.now + 5_000)
    expect(toy(1).heard.length).toBe(2)
    sim.unblock(0, 1)
    sim.run(sim.now + 10)
    expect(toy(1).heard.map(({ text }) => text)).toEqual(numbers(5))
  })

  it('are sent again over a new connection when the old one broke, without a gap', () => {
    const { sim, toy } = linkedToys(2)
    sim.block(0, 1)
    for (const text of numbers(5)) toy(0).say(n1, text, KIND)
    sim.run(sim.now + 25_000)
    expect(toy(0).downs.length).toBe(1)
    sim.unblock(0, 1)
    sim.run(sim.now + 20_000)
    expect(toy(1).heard.map(({ text }) => text)).toEqual(numbers(5))
    expect([toy(0).gaps, toy(1).gaps]).toEqual([[], []])
  })

  it('are known to have a gap when the peer has restarted', () => {
    const { sim, toy } = linkedToys(2)
    toy(0).say(n1, 'before', KIND)
    sim.run(sim.now + 10)
    sim.stop(1, 'kill')
    sim.start(1)
    sim.run(sim.now + 20_000)
    expect(toy(0).gaps).toEqual([{ peer: n1, lane: 'control' }])
    toy(0).say(n1, 'after', KIND)
    sim.run(sim.now + 10)
    expect(toy(1).heard.map(({ from, text }) => [from, text])).toEqual([[n0, 'after']])
  })

  it('are known to have a gap by whoever only received, when the sender has restarted', () => {
    const { sim, toy } = linkedToys(2)
    toy(0).say(n1, 'before', KIND)
    sim.run(sim.now + 10)
    sim.stop(0, 'kill')
    sim.start(0)
    toy(0).host.network.connect(n1, [simAddress(1)])
    sim.run(sim.now + 1_000)
    expect(toy(1).gaps).toEqual([{ peer: n0, lane: 'control' }])
  })

  it('are refused when too many wait, and the sender hears when there is room', () => {
    const { sim, toy } = linkedToys(2)
    sim.block(0, 1)
    let taken = 0
    while (toy(0).say(n1, `${taken}`, KIND) === 'queued') taken += 1
    expect(toy(0).say(n1, 'more', KIND)).toBe('full')
    sim.unblock(0, 1)
    sim.run(sim.now + 100)
    expect(toy(1).heard.length).toBe(taken)
    expect(toy(0).rooms).toEqual(['control'])
  })
})
