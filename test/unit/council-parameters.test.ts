import { describe, expect, it } from 'vitest'
import { KEYS } from '../../src/config/schema.ts'
import { PARAMETERS, shareMax } from '../../src/council/index.ts'
import { faultsTolerated } from '../../src/kernel/index.ts'
import { act, Bench } from '../support/council.ts'

describe('parameters', () => {
  it('GV-9 are the cluster-wide keys of the configuration, in the same ranges', () => {
    const cluster = KEYS.filter(({ about }) => about.cluster)
    const ours = Object.keys(PARAMETERS).filter((name) => cluster.some(({ path }) => path === name))
    expect(ours.sort()).toEqual(cluster.map(({ path }) => path).sort())
    for (const { path, schema } of cluster) {
      const rule = PARAMETERS[path]
      if (rule?.kind !== 'whole') throw new Error(`${path} is a whole number`)
      for (const [value, fine] of [
        [rule.min, true],
        [rule.max, true],
        [rule.min - 1, false],
        [rule.max + 1, false],
      ] as const) {
        expect([path, value, schema.safeParse(value).success]).toEqual([path, value, fine])
      }
    }
  })
})

describe('a name that is none', () => {
  it('GV-9 is refused in a sentence, not with the whole list', () => {
    const refused = new Bench(['a']).apply('keyacme', act.parameter('membership.fullMesh', '1'))
    expect(refused).toMatchObject({ code: 'BAD_REQUEST', reason: expect.stringContaining('council.sizeMax') })
    expect('reason' in refused && refused.reason.length).toBeLessThan(200)
  })
})

describe('shares', () => {
  it('GV-6 four organisations are the fewest that can all keep to f', () => {
    for (let members = 1; members <= 64; members++) {
      const f = faultsTolerated(members)
      expect(shareMax(members, 1)).toBe(members)
      for (let organisations = 2; organisations <= members; organisations++) {
        const max = shareMax(members, organisations)
        // Enough for everyone, and no more than f where f is enough.
        expect(max * organisations).toBeGreaterThanOrEqual(members)
        if (f * organisations >= members) expect([members, organisations, max]).toEqual([members, organisations, f])
        if (organisations < 4) expect(f * organisations).toBeLessThan(members)
      }
    }
  })
})
