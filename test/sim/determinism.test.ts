import { execFileSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { EventQueue, FAULT_KINDS, generateScenario, Trace } from '../../src/sim/index.ts'
import { runToys } from './toy-scenario.ts'

const ANOTHER_PROCESS = `
import { runToys } from ${JSON.stringify(new URL('./toy-scenario.ts', import.meta.url).href)}
console.log(runToys('7').hash)
`

describe('one seed, one run (SI-1)', () => {
  it('gives the same trace hash twice, and another for another seed', () => {
    const [a, b, c] = [runToys('1'), runToys('1'), runToys('2')]
    expect(a).toEqual(b)
    expect(a.hash).not.toBe(c.hash)
  })

  it('gives the same trace hash whether or not someone reads along', () => {
    const lines: string[] = []
    expect(runToys('3', (line) => lines.push(line)).hash).toBe(runToys('3').hash)
    expect(lines.length).toBeGreaterThan(1_000)
  })

  it('gives the same trace hash in another process', () => {
    const output = execFileSync(process.execPath, ['--input-type=module-typescript', '-e', ANOTHER_PROCESS], {
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('.', import.meta.url)),
    })
    expect(output.trim()).toBe(runToys('7').hash)
  })

  it('draws equal scenarios from equal seeds', () => {
    const options = { name: 'x', seed: '9', nodesMin: 2, nodesMax: 9, safetyMs: 1_000 }
    expect(generateScenario(options)).toEqual(generateScenario(options))
    expect(generateScenario(options)).not.toEqual(generateScenario({ ...options, seed: '10' }))
  })

  it('lets every kind of fault occur (SI-12)', () => {
    const counts = new Map<string, number>()
    for (let seed = 0; seed < 25; seed++) {
      const { faults } = runToys(`faults ${seed}`)
      for (const kind of FAULT_KINDS) counts.set(kind, (counts.get(kind) ?? 0) + faults[kind])
    }
    for (const kind of FAULT_KINDS) expect(counts.get(kind), kind).toBeGreaterThan(0)
  })
})

describe('the trace hash', () => {
  it('depends on every argument and on order', () => {
    const hashes = new Set<string>()
    const of = (...calls: Parameters<Trace['record']>[]): void => {
      const trace = new Trace()
      for (const call of calls) trace.record(...call)
      hashes.add(trace.hash)
    }
    const at = 1 as Parameters<Trace['record']>[1]
    const later = 2 as typeof at
    of(['send', at, 0, 0])
    of(['deliver', at, 0, 0])
    of(['send', later, 0, 0])
    of(['send', at, 1, 0])
    of(['send', at, 0, 1])
    of(['send', at, 0, 0, new Uint8Array([0])])
    of(['send', at, 0, 0, new Uint8Array([1])])
    of(['send', at, 0, 0], ['deliver', at, 0, 0])
    of(['deliver', at, 0, 0], ['send', at, 0, 0])
    expect(hashes.size).toBe(9)
  })
})

describe('the event queue (SI-2)', () => {
  it('lets events happen by time, and in order of arrival at one time', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 200 }), fc.nat(60), (moments, until) => {
        const queue = new EventQueue()
        const happened: { at: number; i: number }[] = []
        for (const [i, at] of moments.entries()) queue.call(at, () => happened.push({ at: queue.now, i }))
        queue.run(until as typeof queue.now)
        const expected = moments
          .map((at, i) => ({ at, i }))
          .filter(({ at }) => at <= until)
          .sort((a, b) => a.at - b.at || a.i - b.i)
        expect(happened).toEqual(expected)
        expect(queue.now).toBe(until)
        expect(queue.size).toBe(moments.length - expected.length)
      }),
    )
  })

  it('puts what comes late at the present, never in the past', () => {
    const queue = new EventQueue()
    const seen: number[] = []
    queue.call(10, () => queue.call(3, () => seen.push(queue.now)))
    queue.run(20 as typeof queue.now)
    expect(seen).toEqual([10])
  })
})
