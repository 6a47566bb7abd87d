import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RenewalWorld } from './renewal-world.ts'

/** Four members, two issuers, a liar that says it issues, a member of another organisation, one that gets revoked. */
test('G-2 G-4 G-5 G-7 G-8 whatever the weather, nobody gets what it may not have, and all who may are renewed', () => {
  fc.assert(
    fc.property(
      fc.record({
        seed: fc.integer(),
        loss: fc.double({ min: 0, max: 0.4, noNaN: true }),
        duplication: fc.double({ min: 0, max: 0.4, noNaN: true }),
        /** When the issuers are away, as shares of the stormy time. */
        absences: fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constantFrom('i0', 'i1')), {
          maxLength: 6,
        }),
        /** Steps of wall clocks, some of them by a year. */
        steps: fc.array(
          fc.tuple(
            fc.double({ min: 0, max: 1, noNaN: true }),
            fc.constantFrom('m0', 'm1', 'm2', 'm3', 'i0', 'i1'),
            fc.constantFrom(-8760, -2, 2, 8760),
          ),
          { maxLength: 4 },
        ),
      }),
      (weather) => {
        const world = new RenewalWorld(weather)
        world.storm()
        world.calm()
        expect(world.faults).toEqual([])
        expect(world.due()).toEqual([])
        expect(world.requestsInAnHourMax).toBeLessThanOrEqual(40)
      },
    ),
    { numRuns: 300 },
  )
})

test('G-1 G-2 neither loss nor a liar lets a certificate end while one issuer or the other is there', () => {
  const share = fc.double({ min: 0, max: 0.4, noNaN: true })
  const absences = fc.array(fc.tuple(fc.double({ min: 0, max: 1, noNaN: true }), fc.constant('i0')), { maxLength: 6 })
  fc.assert(
    fc.property(fc.record({ seed: fc.integer(), loss: share, duplication: share, absences }), (weather) => {
      const world = new RenewalWorld({ ...weather, steps: [] })
      world.storm()
      world.calm()
      // The one that is revoked half-way through ends as it should.
      expect(world.lost.filter((id) => id !== 'm3')).toEqual([])
      expect(world.due()).toEqual([])
    }),
    { numRuns: 100 },
  )
})

test('G-2 a swarm that joined together does not ask together', () => {
  const world = new RenewalWorld({ seed: 1, loss: 0, duplication: 0, absences: [], steps: [] })
  world.storm()
  world.calm()
  expect(world.renewals).toBeGreaterThan(8)
})
