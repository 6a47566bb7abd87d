import { expect, test } from 'vitest'
import { type Millis, Random, TICK } from '../../src/kernel/index.ts'
import { FrameSplitter, Link } from '../../src/link/index.ts'
import { LANES, type Lane } from '../../src/wire/index.ts'
import { SMALL_PARAMS, type TestKind, testKinds } from './link-world.ts'

const SEEDS = 30
const STEPS = 1500

/** Whatever comes in: no throw, nothing beyond the bounds, nothing twice, and every lane works again on a new stream. */
test('N-5, N-9 a link survives garbage, mutated frames and forged numbers', () => {
  let violations = 0
  let delivered = 0
  for (let seed = 0; seed < SEEDS; seed++) {
    const random = new Random(`hostile ${seed}`)
    const link = new Link<TestKind>({ epoch: 1, kinds: testKinds, params: SMALL_PARAMS })
    const liar = new Link<TestKind>({ epoch: 2, kinds: testKinds, params: SMALL_PARAMS })
    const honest: { readonly lane: Lane; readonly body: Uint8Array }[] = []
    for (let i = 0; i < STEPS; i++) {
      const now = i as Millis
      const lane = random.pick(LANES)
      const kind: TestKind = `${lane}.${random.pick(['resumed', 'momentary'] as const)}`
      const body = new Uint8Array(random.below(300))
      if (!link.isOpen(lane) && random.chance(0.3)) {
        const hellos = [liar, link].map((end) => writes(end.step(now, { kind: 'up', lane })))
        for (const frame of hellos[0] ?? []) honest.push({ lane, body: frame })
        for (const frame of hellos[1] ?? []) liar.step(now, { kind: 'frame', lane, body: frame })
      }
      for (const end of [link, liar]) end.step(now, { kind: 'send', message: kind, body })
      for (const frame of writes(liar.step(now, { kind: 'writable', lane }))) honest.push({ lane, body: frame })
      for (const frame of writes(link.step(now, { kind: 'writable', lane }))) {
        liar.step(now, { kind: 'frame', lane, body: frame })
      }
      link.step(now, TICK)
      const next = random.chance(0.8) ? honest.shift() : { lane, body: garbage(random) }
      if (next === undefined) continue
      const input = random.chance(0.05) ? mutated(random, next.body) : next.body
      for (const effect of link.step(now, { kind: 'frame', lane: next.lane, body: input })) {
        if (effect.kind === 'close') {
          violations += 1
          honest.length = 0
        }
        if (effect.kind === 'deliver') delivered += effect.messages.length
      }
      for (const each of LANES) {
        const stats = link.stats()[each]
        const { queueMessagesMax, unackedMessagesMax, unackedBytesMax } = SMALL_PARAMS[each]
        const bounded =
          stats.queuedMessages + stats.unackedMessages <= queueMessagesMax + unackedMessagesMax &&
          stats.unackedBytes <= unackedBytesMax
        if (!bounded) throw new Error(`N-5: seed ${seed}: ${JSON.stringify(stats)}`)
      }
    }
    for (const lane of LANES) {
      // An epoch that no mutation has hit upon.
      const fresh = new Link<TestKind>({ epoch: 1e9, kinds: testKinds })
      const [toFresh, toLink] = [link, fresh].map((end) => writes(end.step(STEPS as Millis, { kind: 'up', lane })))
      for (const body of toFresh ?? []) fresh.step(STEPS as Millis, { kind: 'frame', lane, body })
      for (const body of toLink ?? []) link.step(STEPS as Millis, { kind: 'frame', lane, body })
      expect([link.isOpen(lane), fresh.isOpen(lane)]).toEqual([true, true])
    }
  }
  expect(violations).toBeGreaterThan(SEEDS)
  expect(delivered).toBeGreaterThan(SEEDS)
})

test('N-9 the splitter takes any bytes in any pieces', () => {
  const random = new Random('splitter')
  for (let i = 0; i < 500; i++) {
    const splitter = new FrameSplitter()
    for (let j = 0; j < 20; j++) {
      for (const frame of splitter.push(garbage(random))) expect(frame.length).toBeGreaterThan(0)
    }
  }
})

function writes(effects: ReturnType<Link<TestKind>['step']>): Uint8Array[] {
  return effects.flatMap((effect) => (effect.kind === 'write' ? new FrameSplitter().push(effect.bytes) : []))
}

function garbage(random: Random): Uint8Array {
  const bytes = Uint8Array.from({ length: random.below(40) }, () => random.below(256))
  // Mostly small numbers: they get further into a decoder than noise does.
  return random.chance(0.5) ? bytes.map((byte) => byte % 4) : bytes
}

function mutated(random: Random, bytes: Uint8Array): Uint8Array {
  const copy = bytes.slice(0, random.chance(0.2) ? random.below(bytes.length + 1) : bytes.length)
  if (copy.length > 0) copy[random.below(Math.min(copy.length, 12))] = random.below(256)
  return copy
}
