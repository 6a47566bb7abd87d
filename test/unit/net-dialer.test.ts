import type { Libp2p } from 'libp2p'
import { expect, test } from 'vitest'
import { type Millis, type NodeId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { Dialer } from '../../src/net/dialer.ts'
import { PARALLEL_DIALS_START } from '../../src/net/params.ts'
import { eventually } from '../support/eventually.ts'
import { keyPair } from './identity-fixtures.ts'

const [ann, bob, cid] = [1, 2, 3].map((number) => keyPair(number).node) as [NodeId, NodeId, NodeId]
const BLACK_HOLE = ['/ip4/192.0.2.1/tcp/4001']

/** Dials that come to no end before their signal does. */
function dialer() {
  const dialled: string[] = []
  const node = {
    dial: (targets: unknown, { signal }: { signal: AbortSignal }) => {
      dialled.push(/p2p\/([^,]+)$/.exec(String(targets))?.[1] ?? '')
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    },
  } as unknown as Libp2p
  const clock = { now: () => performance.now() as Millis, wallNow: () => 0 as WallMillis }
  const failed: NodeId[] = []
  const subject = new Dialer({
    node,
    clock,
    random: new Random('dialer'),
    isConnected: () => false,
    onFailed: (peer) => failed.push(peer),
  })
  const want = (peer: NodeId) => {
    subject.plan.want(clock.now(), peer, BLACK_HOLE, false)
    subject.run()
  }
  return { subject, dialled, failed, want }
}

test('P-7: a dial that is not wanted any more ends, and leaves its place to the next', async () => {
  expect(PARALLEL_DIALS_START).toBe(2)
  const { subject, dialled, failed, want } = dialer()
  for (const peer of [ann, bob, cid]) want(peer)
  expect(dialled).toEqual([ann, bob])
  subject.unwant(ann)
  await eventually('the next dial', () => dialled.includes(cid), 1_000)
  // Nobody was out of time: there are as many places as before.
  subject.unwant(bob)
  want(ann)
  await eventually('one more', () => dialled.filter((peer) => peer === ann).length === 2, 1_000)
  expect(failed).toEqual([])
  subject.stop()
})
