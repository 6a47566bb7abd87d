import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { entry, rumour, Solo } from '../unit/membership-solo.ts'

type News =
  | { readonly kind: 'entry'; readonly node: string; readonly incarnation: number; readonly left: boolean }
  | { readonly kind: 'dead'; readonly node: string; readonly incarnation: number; readonly accuser: string }

const NODES = ['n', 'm', 'o']
const node = fc.constantFrom(...NODES)
const incarnation = fc.integer({ min: 1, max: 4 })
/** A node leaves under an incarnation of its own, as `OwnPresence.leave` makes it: here the even ones. */
const news: fc.Arbitrary<News> = fc.oneof(
  fc.record({ kind: fc.constant('entry' as const), node, incarnation, left: fc.constant(false) }),
  fc.record({ kind: fc.constant('dead' as const), node, incarnation, accuser: fc.constantFrom('p', 'q') }),
)

function withLeave(items: readonly News[]): News[] {
  return items.map((item) => (item.kind === 'entry' ? { ...item, left: item.incarnation % 2 === 0 } : item))
}

function told(items: readonly News[]): Solo {
  const solo = new Solo({ params: { probeCycleMs: 1000 } })
  solo.meet('p', 'q')
  for (const item of items) {
    const before = solo.incarnation(item.node) ?? 0
    const wasDead = solo.state(item.node) === 'dead'
    if (item.kind === 'entry') {
      solo.hear('p', { entries: [entry(item.node, item.incarnation, item.left ? 'left' : 'alive')] })
    } else {
      solo.hear('q', { rumours: [rumour(item.node, item.incarnation, 'dead', item.accuser)] })
    }
    const after = solo.incarnation(item.node) ?? 0
    // M-1 and M-2 after every single step.
    expect(after).toBeGreaterThanOrEqual(before)
    if (wasDead && solo.state(item.node) !== 'dead') expect(after).toBeGreaterThan(before)
  }
  return solo
}

/** What is left when all suspicions have run out: the join of all that was heard. */
function view(solo: Solo): unknown {
  solo.run(4000)
  return NODES.map((name) => ({ name, state: solo.state(name), incarnation: solo.incarnation(name) }))
}

/** The same, by the definition in the README: the greatest (incarnation, state), where deaths need a presence. */
function join(items: readonly News[]): unknown {
  return NODES.map((name) => {
    const mine = items.filter((item) => item.node === name)
    const presences = mine.filter((item) => item.kind === 'entry')
    const newest = Math.max(...presences.map((item) => item.incarnation))
    if (presences.length === 0) return { name, state: undefined, incarnation: undefined }
    if (newest % 2 === 0) return { name, state: 'left', incarnation: newest }
    const isDead = mine.some((item) => item.kind === 'dead' && item.incarnation === newest)
    return { name, state: isDead ? 'dead' : 'alive', incarnation: newest }
  })
}

describe('views are joins', () => {
  /** Strangers that left are not learnt, and rumours about strangers not parked; so each begins as a known member. */
  const known: readonly News[] = NODES.map((name) => ({ kind: 'entry', node: name, incarnation: 1, left: false }))

  test('M-1, M-2: the same news in any order, and any part of it twice, give the same view', () => {
    const shuffled = fc.array(news, { maxLength: 12 }).chain((items) =>
      fc.record({
        items: fc.constant(withLeave(items)),
        order: fc.shuffledSubarray(
          items.map((_, i) => i),
          { minLength: items.length },
        ),
        again: fc.subarray(items.map((_, i) => i)),
      }),
    )
    fc.assert(
      fc.property(shuffled, ({ items, order, again }) => {
        const reordered = [...order, ...again].map((i) => items[i] as News)
        const expected = join([...known, ...items])
        expect(view(told([...known, ...items]))).toEqual(expected)
        expect(view(told([...known, ...reordered]))).toEqual(expected)
      }),
      { numRuns: 150 },
    )
  })
})

describe('M-19: hostile messages', () => {
  const anyRumour = fc.record({
    node: fc.constantFrom('me', 'a', 'b', 'ghost'),
    incarnation: fc.oneof(fc.nat(5), fc.constant(2 ** 48)),
    state: fc.constantFrom('alive', 'suspect', 'dead', 'left'),
    accuser: fc.option(fc.constantFrom('me', 'a', 'b', 'ghost'), { nil: undefined }),
  })

  test('never throw, never raise an incarnation unsigned, and keep every table within its bound', () => {
    const heard = fc.record({
      from: fc.constantFrom('a', 'b', 'ghost'),
      rumours: fc.array(anyRumour),
      waitMs: fc.nat(3000),
    })
    fc.assert(
      fc.property(fc.array(heard, { maxLength: 20 }), (messages) => {
        const solo = new Solo({ params: { membersMax: 40 } })
        solo.meet('a', 'b')
        for (const { from, rumours, waitMs } of messages) {
          const body = rumours.map((r) => rumour(r.node, r.incarnation, r.state as 'alive', r.accuser))
          solo.hear(from, { rumours: body })
          solo.run(waitMs)
        }
        expect(solo.state('ghost')).toBeUndefined()
        for (const peer of ['a', 'b']) expect(solo.core.member(peer as NodeId)?.incarnation).toBe(1)
      }),
      { numRuns: 100 },
    )
  })
})
