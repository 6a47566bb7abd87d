import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Alarms } from '../../src/claims/alarms.ts'
import { LazyHeap } from '../../src/claims/lazy-heap.ts'
import { Entry, Lane, Queue, Selector } from '../../src/claims/queue.ts'
import type { Millis } from '../../src/kernel/index.ts'

const PARAMS = { agingMs: 50, agingEveryCount: 4, scanMax: 1_000_000 }

/** The same queue with nothing but arrays, and no thought for cost. */
class NaiveQueue {
  readonly waiting: { readonly entry: Entry; readonly lane: Lane; readonly at: number }[] = []
  readonly pass = new Map<string, number>()
  readonly virtual = new Map<number, number>()
  picks = 0

  push(entry: Entry, lane: Lane, at: number): void {
    const key = keyOf(lane)
    if (!this.waiting.some((each) => keyOf(each.lane) === key)) {
      this.pass.set(key, Math.max(this.pass.get(key) ?? 0, this.virtual.get(lane.priority) ?? 0))
    }
    this.waiting.push({ entry, lane, at })
  }

  remove(entry: Entry): void {
    const at = this.waiting.findIndex((each) => each.entry === entry)
    if (at >= 0) this.waiting.splice(at, 1)
  }

  charge(lane: Lane, cost: number): void {
    const key = keyOf(lane)
    const pass = this.pass.get(key) ?? 0
    this.virtual.set(lane.priority, Math.max(this.virtual.get(lane.priority) ?? 0, pass))
    this.pass.set(key, pass + cost / lane.tenant.weight)
  }

  /** All that may be picked: more than one only if tenants are equal. */
  acceptable(now: number, fits: (lane: Lane) => boolean): readonly Entry[] {
    const able = this.waiting.filter(({ lane }) => fits(lane))
    const [oldest] = able
    if (oldest === undefined) return []
    if ((this.picks + 1) % PARAMS.agingEveryCount === 0 && now - oldest.at >= PARAMS.agingMs) return [oldest.entry]
    const top = Math.max(...able.map(({ lane }) => lane.priority))
    const inClass = able.filter(({ lane }) => lane.priority === top)
    const least = Math.min(...inClass.map(({ lane }) => this.pass.get(keyOf(lane)) ?? 0))
    const tenants = inClass.filter(({ lane }) => (this.pass.get(keyOf(lane)) ?? 0) === least)
    const firsts = new Map<string, Entry>()
    for (const { lane, entry } of tenants) if (!firsts.has(lane.tenant.name)) firsts.set(lane.tenant.name, entry)
    return [...firsts.values()]
  }
}

function keyOf(lane: Lane): string {
  return `${lane.tenant.name} ${lane.priority}`
}

const operation = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('push' as const), lane: fc.nat(23) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('pick' as const),
      mask: fc.nat(7),
      cost: fc.integer({ min: 1, max: 50 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('remove' as const), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('wait' as const), ms: fc.nat(80) }) },
)

describe('the queue against a naive one', () => {
  it('T-11, CL-5: picks what the rules say, whatever comes and goes', () => {
    fc.assert(
      fc.property(fc.array(operation, { maxLength: 300 }), (operations) => {
        const queue = new Queue(10)
        queue.setWeights({ t1: 3 })
        const selector = new Selector(PARAMS)
        const naive = new NaiveQueue()
        const groups = [{}, {}, {}]
        const lanes = Array.from({ length: 24 }, (_, i) => {
          const tenant = queue.tenant(`t${i % 2}`)
          if (tenant === undefined) throw new Error('there is room for two')
          const lane = new Lane(groups[i % 3] as object, [0, 5, 9, 9][Math.floor(i / 6)] as number, tenant, false)
          selector.include(lane)
          return lane
        })
        let now = 0
        for (const op of operations) {
          if (op.kind === 'wait') now += op.ms
          else if (op.kind === 'push') {
            const lane = lanes[op.lane] as Lane
            const entry = new Entry()
            naive.push(entry, lane, now)
            queue.push(now as Millis, lane, entry)
          } else if (op.kind === 'remove') {
            const found = naive.waiting[op.which % Math.max(1, naive.waiting.length)]
            if (found === undefined) continue
            naive.remove(found.entry)
            queue.remove(found.entry)
          } else {
            const fits = (lane: Lane): boolean => ((op.mask >> groups.indexOf(lane.group)) & 1) === 1
            const expected = naive.acceptable(now, fits)
            const lane = selector.pick(now as Millis, fits)
            const entry = lane?.head
            if (expected.length === 0) {
              expect(entry).toBeUndefined()
              continue
            }
            if (lane === undefined || entry === undefined) throw new Error('nothing was picked')
            expect(expected.includes(entry)).toBe(true)
            naive.picks += 1
            naive.remove(entry)
            naive.charge(lane, op.cost)
            queue.remove(entry)
            queue.charge(lane.tenant, lane.priority, op.cost)
          }
        }
        expect(queue.size).toBe(naive.waiting.length)
      }),
      { numRuns: 300 },
    )
  })

  it('T-11 serves the lowest class in the end, however much comes above it', () => {
    const queue = new Queue(10)
    const selector = new Selector(PARAMS)
    const tenant = queue.tenant('t')
    if (tenant === undefined) throw new Error('there is room for one')
    const [high, low] = [9, 0].map((priority) => new Lane({}, priority, tenant, false)) as [Lane, Lane]
    for (const lane of [high, low]) selector.include(lane)
    const forgotten = new Entry()
    queue.push(0 as Millis, low, forgotten)
    let served = -1
    for (let i = 0; served < 0 && i < 100; i++) {
      for (let k = 0; k < 2; k++) queue.push(i as Millis, high, new Entry())
      const lane = selector.pick(i as Millis, () => true)
      if (lane?.head === forgotten) served = i
      else if (lane?.head !== undefined) queue.remove(lane.head)
    }
    expect(served).toBeGreaterThanOrEqual(PARAMS.agingMs)
    expect(served).toBeLessThanOrEqual(PARAMS.agingMs + PARAMS.agingEveryCount)
  })

  it('CL-5 shares a class by weight, and an absent tenant earns no credit', () => {
    const queue = new Queue(10)
    queue.setWeights({ heavy: 3 })
    const selector = new Selector({ ...PARAMS, agingMs: 1e9 })
    const lanes = ['heavy', 'light'].map((name) => {
      const tenant = queue.tenant(name)
      if (tenant === undefined) throw new Error('there is room for two')
      const lane = new Lane({}, 5, tenant, false)
      selector.include(lane)
      return lane
    }) as [Lane, Lane]
    const serve = (count: number): Record<string, number> => {
      const got: Record<string, number> = { heavy: 0, light: 0 }
      for (let i = 0; i < count; i++) {
        const lane = selector.pick(0 as Millis, () => true)
        if (lane?.head === undefined) break
        got[lane.tenant.name] = (got[lane.tenant.name] ?? 0) + 1
        queue.remove(lane.head)
        queue.charge(lane.tenant, 5, 10)
      }
      return got
    }
    for (let i = 0; i < 500; i++) queue.push(0 as Millis, lanes[0], new Entry())
    expect(serve(100)).toEqual({ heavy: 100, light: 0 })
    for (let i = 0; i < 500; i++) queue.push(0 as Millis, lanes[1], new Entry())
    const { heavy = 0, light = 0 } = serve(200)
    expect(heavy / light).toBeGreaterThan(2.7)
    expect(heavy / light).toBeLessThan(3.3)
  })
})

describe('the heap whose keys grow', () => {
  it('gives the least first, and drops what has nothing to offer', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(20), fc.nat(50)), { maxLength: 200 }), (moves) => {
        const keys = new Map(Array.from({ length: 21 }, (_, i) => [i, i]))
        const dropped: number[] = []
        const heap = new LazyHeap<number>(
          (item) => keys.get(item) ?? Number.POSITIVE_INFINITY,
          (item) => dropped.push(item),
        )
        for (const item of keys.keys()) heap.push(item)
        for (const [item, growth] of moves) {
          const key = keys.get(item)
          if (growth === 50) keys.delete(item)
          else if (key !== undefined) keys.set(item, key + growth)
          const top = heap.top()
          const least = Math.min(...keys.values())
          if (keys.size === 0) expect(top).toBeUndefined()
          else expect(keys.get(top as number)).toBe(least)
          for (const gone of dropped) expect(keys.has(gone)).toBe(false)
        }
        heap.prune()
        expect(heap.size).toBe(keys.size)
      }),
    )
  })
})

describe('alarms', () => {
  it('go off in order, cancelled ones never, and the cancelled do not pile up', () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(fc.nat(100), fc.boolean()), { maxLength: 300 }), (plans) => {
        const alarms = new Alarms()
        const rang: number[] = []
        const kept: { readonly at: number; readonly i: number }[] = []
        for (const [i, [at, isCancelled]] of plans.entries()) {
          const alarm = alarms.set(at as Millis, () => rang.push(i))
          if (isCancelled) alarms.cancel(alarm)
          else kept.push({ at, i })
        }
        expect(alarms.size).toBe(kept.length)
        alarms.run(100 as Millis)
        expect(rang).toEqual(kept.sort((a, b) => a.at - b.at || a.i - b.i).map(({ i }) => i))
      }),
    )
    const alarms = new Alarms()
    for (let i = 0; i < 100_000; i++) alarms.cancel(alarms.set(i as Millis, () => undefined))
    expect(alarms.size).toBe(0)
    expect(alarms.next()).toBe(Number.POSITIVE_INFINITY)
  })
})
