import { describe, expect, it } from 'vitest'
import { Timeline } from '../../src/byzantine/timeline.ts'
import { Random } from '../../src/kernel/index.ts'

/** Asks for so many things at a few drawn moments, and for another after each that happens, and tells what came when. */
function told(seed: string, count: number): { readonly at: number; readonly order: number }[] {
  const random = new Random(seed)
  const happened: { at: number; order: number }[] = []
  let asked = 0
  const timeline = new Timeline<{ at: number; order: number }>((what) => {
    expect(timeline.now).toBe(what.at)
    happened.push(what)
    if (random.chance(0.5)) ask()
  })
  const ask = (): void => {
    const at = timeline.now + random.below(6) * 0.75
    timeline.at(at, { at, order: asked })
    asked += 1
  }
  for (let i = 0; i < count; i++) ask()
  timeline.run(Number.POSITIVE_INFINITY, () => false, 100_000)
  expect(timeline.events).toBe(asked)
  return happened
}

describe('timeline (BZ-1)', () => {
  it('brings what was asked for in order of time, and what is due at once in the order of asking', () => {
    for (let seed = 0; seed < 50; seed++) {
      const happened = told(`timeline ${seed}`, 1 + seed)
      const sorted = [...happened].sort((a, b) => a.at - b.at || a.order - b.order)
      expect(happened).toEqual(sorted)
      expect(happened.length).toBeGreaterThan(seed)
    }
  })

  it('stops before what is due later, and goes on from there', () => {
    const seen: string[] = []
    const timeline = new Timeline<string>((what) => seen.push(what))
    timeline.at(5, 'late')
    timeline.at(2, 'early')
    expect(timeline.run(4, () => false, 100)).toBe(false)
    expect([seen, timeline.now]).toEqual([['early'], 2])
    expect(timeline.run(9, () => seen.length === 2, 100)).toBe(true)
    expect([seen, timeline.now]).toEqual([['early', 'late'], 5])
  })
})
