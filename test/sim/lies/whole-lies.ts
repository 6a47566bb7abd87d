import { mutate } from '../../fuzz/mutate.ts'
import { acting, frameOf, mutated } from './making.ts'
import type { Lie } from './types.ts'

/** Of its messages, one in so many is another. */
const MUTATED_SHARE = 0.3
const DELAY_MS_MAX = 4_000

const replays = acting('replays', 150, ({ random, peers, hearsay: { said, heard } }) =>
  peers.flatMap((to) => {
    if (said.length === 0 || heard.length === 0) return []
    return [{ to, message: random.chance(0.5) ? random.pick(said).message : random.pick(heard).message }]
  }),
)

const mutatesBytes: Lie = {
  name: 'malformed',
  sends: ({ random, hearsay }, to, message) => {
    const bytes = frameOf(message)
    if (bytes === undefined || !random.chance(MUTATED_SHARE / 3)) return [{ to, message }]
    const other = hearsay.said.length === 0 ? bytes : (frameOf(random.pick(hearsay.said).message) ?? bytes)
    return [{ to, message: { kind: message.kind, bytes: mutate(random, bytes, other, 64 * 1024) } }]
  },
}

/** Lies about everything it says. */
export const WHOLE_LIES: Readonly<Record<string, () => Lie>> = {
  replays: () => replays,
  duplicates: () => ({
    name: 'duplicates',
    sends: ({ random }, to, message) => [
      { to, message },
      { to, message, afterMs: random.between(0, 3_000) },
    ],
  }),
  delays: () => ({
    name: 'delays',
    sends: ({ random }, to, message) => [
      { to, message, afterMs: random.chance(0.3) ? random.between(0, DELAY_MS_MAX) : 0 },
    ],
  }),
  redirects: () => ({
    name: 'redirects',
    sends: ({ random, peers }, to, message) => [
      { to: random.chance(0.2) && peers.length > 0 ? random.pick(peers) : to, message },
    ],
  }),
  withholds: () => ({
    name: 'withholds',
    sends: ({ random }, to, message) => (random.chance(0.3) ? [] : [{ to, message }]),
  }),
  mutates: () => ({
    name: 'mutates',
    sends: ({ random }, to, message) => {
      if (!random.chance(MUTATED_SHARE)) return [{ to, message }]
      const other = mutated(random, message)
      return [{ to, message: frameOf(other) === undefined ? message : other }]
    },
  }),
  malformed: () => mutatesBytes,
}
