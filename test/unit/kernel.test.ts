import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  assert,
  BoundedMap,
  BoundedQueue,
  ERROR_CODES,
  faultsTolerated,
  InvariantError,
  isNodeId,
  type Millis,
  majority,
  quorum,
  Random,
  SwarmError,
  TokenBucket,
  unreachable,
} from '../../src/kernel/index.ts'

const at = (ms: number) => ms as Millis

describe('Random (K-1)', () => {
  const draw = (random: Random) => Array.from({ length: 50 }, () => random.uint32())

  it('gives the same stream for the same seed, and others for others', () => {
    expect(draw(new Random('a'))).toEqual(draw(new Random('a')))
    expect(draw(new Random('a'))).not.toEqual(draw(new Random('b')))
  })

  it('forks by label, whatever was drawn before', () => {
    const fresh = new Random('seed')
    const used = new Random('seed')
    draw(used)
    expect(draw(used.fork('net'))).toEqual(draw(fresh.fork('net')))
    expect(draw(fresh.fork('net'))).not.toEqual(draw(fresh.fork('disk')))
  })

  it('is the stream it was when it was first written down', () => {
    // Seeds in bug reports must replay in later versions too.
    const random = new Random('golden')
    expect([random.uint32(), random.uint32(), random.uint32()]).toMatchInlineSnapshot(`
      [
        3165733734,
        721956288,
        175744053,
      ]
    `)
  })

  it('is uniform enough to schedule faults with', () => {
    const random = new Random('uniform')
    const tally = new Array<number>(16).fill(0)
    for (let i = 0; i < 160_000; i++) {
      const bucket = random.below(16)
      tally[bucket] = (tally[bucket] as number) + 1
    }
    for (const hits of tally) expect(Math.abs(hits - 10_000)).toBeLessThan(500)
    const mean = Array.from({ length: 20_000 }, () => random.exponential(5)).reduce((a, b) => a + b) / 20_000
    expect(mean).toBeGreaterThan(4.7)
    expect(mean).toBeLessThan(5.3)
  })

  it('samples distinct elements and leaves the input alone', () => {
    fc.assert(
      fc.property(fc.uniqueArray(fc.integer(), { maxLength: 30 }), fc.nat(40), fc.string(), (items, count, seed) => {
        const before = items.slice()
        const sample = new Random(seed).sample(items, count)
        expect(items).toEqual(before)
        expect(sample).toHaveLength(Math.min(count, items.length))
        expect(new Set(sample).size).toBe(sample.length)
        expect(items).toEqual(expect.arrayContaining(sample))
      }),
    )
  })

  it('refuses what has no answer', () => {
    expect(() => new Random('x').pick([])).toThrow(InvariantError)
    expect(() => new Random('x').below(0)).toThrow(InvariantError)
  })
})

describe('quorums (K-2)', () => {
  it('intersect in f + 1 members and can be formed without the faulty', () => {
    for (let n = 1; n <= 200; n++) {
      const f = faultsTolerated(n)
      const q = quorum(n)
      expect(3 * f + 1).toBeLessThanOrEqual(n)
      expect(3 * (f + 1) + 1).toBeGreaterThan(n)
      expect(2 * q - n).toBeGreaterThanOrEqual(f + 1)
      expect(q).toBeLessThanOrEqual(n - f)
      expect(2 * majority(n)).toBeGreaterThan(n)
    }
  })

  it('has the well-known sizes', () => {
    expect([1, 2, 3, 4, 7, 10, 16].map(faultsTolerated)).toEqual([0, 0, 0, 1, 2, 3, 5])
    expect([1, 2, 3, 4, 7, 10, 16].map(quorum)).toEqual([1, 2, 2, 3, 5, 7, 11])
  })

  it('does not exist for an empty group', () => {
    for (const n of [0, -1, 1.5, Number.NaN]) expect(() => faultsTolerated(n)).toThrow(InvariantError)
  })
})

describe('bounded collections (K-3)', () => {
  it('BoundedMap evicts what was set longest ago, says so, and behaves as a map otherwise', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 5 }), fc.array(fc.tuple(fc.nat(8), fc.nat())), (max, writes) => {
        const map = new BoundedMap<number, number>(max)
        let model: [number, number][] = []
        for (const [key, value] of writes) {
          const evicted = map.set(key, value)
          model = model.filter(([k]) => k !== key)
          const expected = model.length >= max ? model.shift() : undefined
          model.push([key, value])
          expect(evicted).toEqual(expected && { key: expected[0], value: expected[1] })
          expect([...map.entries()]).toEqual(model)
          expect(map.size).toBeLessThanOrEqual(max)
        }
      }),
    )
  })

  it('BoundedQueue refuses when full and is first in, first out', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.array(fc.option(fc.nat(), { nil: undefined })), (max, steps) => {
        const queue = new BoundedQueue<number>(max)
        const model: number[] = []
        for (const step of steps) {
          if (step === undefined) expect(queue.shift()).toBe(model.shift())
          else {
            expect(queue.push(step)).toBe(model.length < max)
            if (model.length < max) model.push(step)
          }
          expect([...queue]).toEqual(model)
          expect(queue.peek()).toBe(model[0])
          expect(queue.full).toBe(model.length === max)
        }
      }),
    )
  })

  it('TokenBucket allows the burst, then the rate, and takes nothing when it refuses', () => {
    const bucket = new TokenBucket(10, 3, at(0))
    expect([1, 2, 3, 4].map(() => bucket.take(at(0)))).toEqual([true, true, true, false])
    expect(bucket.take(at(99))).toBe(false)
    expect(bucket.take(at(100))).toBe(true)
    expect(bucket.take(at(60_000), 4)).toBe(false)
    expect(bucket.take(at(60_000), 3)).toBe(true)
    // A clock that stands still refills nothing.
    expect(bucket.take(at(60_000))).toBe(false)
  })
})

describe('node ids', () => {
  it('are 1 to 64 letters and digits, and nothing else', () => {
    const characters = Array.from({ length: 0x1_0000 }, (_, code) => String.fromCharCode(code))
    expect(characters.filter((character) => isNodeId(character) !== /^[A-Za-z0-9]$/.test(character))).toEqual([])
    expect(isNodeId('ab c')).toBe(false)
    expect([0, 1, 64, 65].map((length) => isNodeId('x'.repeat(length)))).toEqual([false, true, true, false])
  })
})

describe('errors', () => {
  it('have the exit codes of the interface', () => {
    const exits = Object.fromEntries(Object.entries(ERROR_CODES).map(([code, { exit }]) => [code, exit]))
    expect(exits).toMatchObject({
      BAD_USAGE: 2,
      NO_DAEMON: 3,
      CANCELLED: 4,
      TIMEOUT: 5,
      UNAUTHORISED: 6,
      INVARIANT: 70,
    })
    expect(new SwarmError('OVERLOADED', 'later', { data: { retryAfterMs: 5 } })).toMatchObject({
      code: 'OVERLOADED',
      exitCode: 6,
      data: { retryAfterMs: 5 },
    })
  })

  it('keep what broke an invariant', () => {
    expect(() => assert(false, 'broken', { height: 3 })).toThrow(
      expect.objectContaining({ message: 'broken', details: { height: 3 } }),
    )
    expect(() => unreachable('x' as never)).toThrow(InvariantError)
  })
})
