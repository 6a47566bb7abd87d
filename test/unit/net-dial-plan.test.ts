import { describe, expect, test } from 'vitest'
import { type Millis, NEVER, type NodeId, Random } from '../../src/kernel/index.ts'
import { DialPlan } from '../../src/net/dial-plan.ts'
import { ADDRESSES_PER_PEER_MAX, DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MIN_MS } from '../../src/net/params.ts'

const ann = 'ann' as NodeId
const bob = 'bob' as NodeId
const HERE = ['/ip4/192.0.2.1/tcp/1']

function plan(): DialPlan {
  return new DialPlan(new Random('dial plan'))
}

function at(ms: number): Millis {
  return ms as Millis
}

/** When the peer is next dialled, and that it is. */
function nextDial(subject: DialPlan): Millis {
  const due = subject.deadline()
  expect(subject.takeDue(at(due - 1), 9)).toEqual([])
  expect(subject.takeDue(due, 9)).toHaveLength(1)
  return due
}

describe('P-7', () => {
  test('who is wanted is dialled at once, and by one dial at a time', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, false)
    expect(subject.deadline()).toBe(0)
    expect(subject.takeDue(at(0), 9)).toEqual([{ peer: ann, addresses: HERE }])
    expect(subject.takeDue(at(10_000), 9)).toEqual([])
    subject.want(at(0), ann, ['/ip4/192.0.2.2/tcp/1'], false)
    expect(subject.takeDue(at(10_000), 9)).toEqual([])
    expect(subject.deadline()).toBe(NEVER)
  })

  test('no more are taken than there are places, in the order in which they were wanted', () => {
    const subject = plan()
    subject.want(at(0), bob, HERE, false)
    subject.want(at(0), ann, HERE, false)
    expect(subject.takeDue(at(0), 1).map(({ peer }) => peer)).toEqual([bob])
    expect(subject.takeDue(at(0), 0)).toEqual([])
    expect(subject.takeDue(at(0), 1).map(({ peer }) => peer)).toEqual([ann])
  })

  test('waits double up to a bound and are never shorter than half of it', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, false)
    let now = nextDial(subject)
    for (let failure = 0; failure < 12; failure++) {
      subject.dialled(now, ann, false)
      const bound = Math.min(DIAL_BACKOFF_MAX_MS, DIAL_BACKOFF_MIN_MS * 2 ** failure)
      const waited = subject.deadline() - now
      expect(waited).toBeGreaterThanOrEqual(bound / 2)
      expect(waited).toBeLessThanOrEqual(bound)
      now = nextDial(subject)
    }
  })

  test('the jitter is seeded', () => {
    const waits = (seed: string): number => {
      const subject = new DialPlan(new Random(seed))
      subject.want(at(0), ann, HERE, false)
      subject.takeDue(at(0), 1)
      subject.dialled(at(0), ann, false)
      return subject.deadline()
    }
    expect(waits('one')).toBe(waits('one'))
    expect(waits('one')).not.toBe(waits('two'))
  })

  test('new addresses are tried at once', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, false)
    subject.takeDue(at(0), 1)
    subject.dialled(at(0), ann, false)
    subject.want(at(1), ann, HERE, false)
    expect(subject.deadline()).toBeGreaterThan(1)
    subject.want(at(2), ann, ['/ip4/192.0.2.2/tcp/1'], false)
    expect(subject.deadline()).toBe(2)
  })

  test('a connected peer is not dialled; when it is lost, soon but not at once', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, true)
    expect(subject.deadline()).toBe(NEVER)
    subject.linked(ann)
    subject.lost(at(5), ann)
    expect(subject.deadline()).toBeGreaterThanOrEqual(5 + DIAL_BACKOFF_MIN_MS / 2)
    expect(subject.deadline()).toBeLessThanOrEqual(5 + DIAL_BACKOFF_MIN_MS)
  })

  test('connections that never carry a link slow down like failed dials; one that does forgives all', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, false)
    let now = nextDial(subject)
    const round = (linked: boolean): number => {
      subject.connected(ann)
      subject.dialled(now, ann, true)
      if (linked) subject.linked(ann)
      subject.lost(now, ann)
      const waited = subject.deadline() - now
      now = nextDial(subject)
      return waited
    }
    for (let i = 0; i < 6; i++) round(false)
    expect(round(false)).toBeGreaterThan(DIAL_BACKOFF_MIN_MS * 16)
    expect(round(true)).toBeLessThanOrEqual(DIAL_BACKOFF_MIN_MS)
  })

  test('nobody is dialled who is no longer wanted, or has no address', () => {
    const subject = plan()
    subject.want(at(0), ann, HERE, false)
    subject.unwant(ann)
    subject.want(at(0), bob, [], false)
    expect(subject.takeDue(at(99), 9)).toEqual([])
    expect(subject.deadline()).toBe(NEVER)
    subject.dialled(at(99), ann, false)
    subject.lost(at(99), ann)
    expect(subject.size).toBe(1)
  })

  test('addresses of one peer are bounded', () => {
    const subject = plan()
    const many = Array.from({ length: 99 }, (_, i) => `/ip4/192.0.2.${i}/tcp/1`)
    subject.want(at(0), ann, many, false)
    expect(subject.takeDue(at(0), 1)[0]?.addresses).toEqual(many.slice(0, ADDRESSES_PER_PEER_MAX))
  })
})
