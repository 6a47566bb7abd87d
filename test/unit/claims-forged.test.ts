import { describe, expect, it } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { sealerOf } from '../support/sealer.ts'
import { awards, type Body, bytes, inline, LIAR, offers, said, say, told, worldWithLiar } from './claims-liar.ts'
import { answering, World } from './claims-world.ts'

/* What a lying member says of tasks that it was not given. */

describe('T-1: a lease counts from the sending of the bid that was answered', () => {
  it('CL-24 an award that comes after its bid has run out does not take the slot of a later bid for the same offer', () => {
    const world = worldWithLiar()
    const ran: string[] = []
    world.attach('n0', 'a', {}, ({ order }) => ran.push(order.task))
    offers(world, 1)
    world.run(60_000)
    // Asked once more under the same number, as who holds an offer is: it bids anew, and then the old answer arrives.
    offers(world, 1)
    const [first, second] = told(world, 'claims.bid').map(({ bid }) => bid)
    awards(world, 1, { bid: first })
    expect(told(world, 'claims.accept')).toMatchObject([{ accepted: [], refused: [{ reason: 'the bid has run out' }] }])
    awards(world, 1, { bid: second })
    world.run(10)
    expect(ran).toEqual(['n1-x-1'])
    expect(told(world, 'claims.accept')).toHaveLength(2)
  })
})

describe('CL-24: numbers of bids', () => {
  it('go on in no life of the executor where an earlier one ended or began', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a')
    offers(world, 1)
    world.kill('n0')
    world.restart('n0')
    world.attach('n0', 'a')
    offers(world, 1)
    const [first, second] = told(world, 'claims.bid').map(({ bid }) => bid)
    expect(second).not.toBe(first)
    awards(world, 1, { bid: first })
    expect(told(world, 'claims.accept')).toMatchObject([{ accepted: [], refused: [{ reason: 'the bid has run out' }] }])
  })
})

describe('T-2: a task is its coordinator’s alone', () => {
  it('no peer awards one under the name of one of this node’s', () => {
    const world = worldWithLiar()
    world.attach('n0', 'a', { slots: 2 }, (ran, at) => at.later(50, () => at.done(ran, `did ${said(ran.order.input)}`)))
    const first = world.submit('n0')
    world.run(100)
    const next = first.replace(/.$/, '2')
    offers(world, 1)
    awards(world, 1, { task: next, input: inline('"evil"') })
    world.run(25)
    const own = world.submit('n0', { input: bytes('"mine"') })
    expect(own).toBe(next)
    world.run(1_000)
    expect(said(world.report('n0', own).output)).toBe('did "mine"')
    expect(told(world, 'claims.accept')).toMatchObject([{ accepted: [], refused: [{ reason: 'not your task' }] }])
  })

  it('after a restart, nobody ends one who was never awarded any', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n0', { skills: ['nobody-has-it'] })
    world.kill('n0')
    world.restart('n0')
    world.run(100)
    const outcome = { kind: 'completed' as const, output: inline('"forged"') }
    const token = { task: task as Body<'claims.result'>['task'], epoch: 1, attempt: 1, seal: 0 }
    say(world, { kind: 'claims.result', body: { ...token, agent: 'forger', runMs: 1, outcome } })
    say(world, { kind: 'claims.renew', body: { sequence: 1, leases: [token] } })
    world.run(100)
    expect(world.report('n0', task).state).toBe('waiting')
  })

  it('nor does an attempt that no life has come to count on', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(1))
    world.submit('n0')
    const task = world.submit('n0', { skills: ['later'] })
    world.run(100)
    world.kill('n0')
    world.restart('n0')
    world.run(100)
    const error = { code: 'X', message: 'x', retryable: true }
    const token = { task: task as Body<'claims.result'>['task'], epoch: 1, attempt: 2 ** 48, seal: 0 }
    say(world, {
      kind: 'claims.result',
      body: { ...token, agent: 'forger', runMs: 1, outcome: { kind: 'failed', error } },
    })
    world.attach('n1', 'b', { skills: [{ name: 'later', proficiency: 1 }] }, answering(1))
    world.run(30_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 1 })
  })

  it('T-1 after a restart, nobody gives back what another may still hold', () => {
    const world = new World({ nodes: 4 })
    world.attach('n1', 'a', {}, answering(1))
    world.submit('n0')
    world.run(100)
    world.attach('n2', 'b', { skills: [{ name: 'long', proficiency: 1 }] })
    const task = world.submit('n0', { skills: ['long'] })
    world.run(100)
    world.cut('n0', 'n2')
    world.attach('n3', 'c', { skills: [{ name: 'long', proficiency: 1 }] })
    const heldUntil = world.now + 10_000
    world.kill('n0')
    world.restart('n0')
    world.cut('n0', 'n2')
    const token = {
      task: task as Body<'claims.result'>['task'],
      epoch: 1,
      attempt: 2,
      seal: sealerOf('n0')(`n1/${task}/1/2`),
    }
    say(world, { kind: 'claims.renew', body: { sequence: 1, leases: [token] } })
    const outcome = { kind: 'released' as const, reason: 'draining' as const }
    say(world, { kind: 'claims.result', body: { ...token, agent: 'a', runMs: 1, outcome } })
    world.run(60_000)
    const runs = world.ran.filter(({ order }) => order.task === task)
    expect(runs.map(({ node }) => node)).toEqual(['n2', 'n3'])
    expect(runs[1]?.at).toBeGreaterThan(heldUntil - world.params.renewIntervalMs)
  })

  it('T-3 nobody else speaks for what a peer holds', () => {
    const world = new World({ nodes: 3 })
    world.attach('n2', 'a')
    world.loses = (_from, _to, { kind }) => kind === 'claims.accept'
    const task = world.submit('n0')
    world.run(100)
    const row = { task: task as Body<'claims.result'>['task'], epoch: world.node('n0').core.epoch, attempt: 1 }
    say(world, { kind: 'claims.progress', body: { ...row, fraction: 1, message: 'forged', partial: undefined } })
    say(world, { kind: 'claims.accept', body: { accepted: [], refused: [{ ...row, reason: 'no' }] } })
    expect(world.effects.filter(({ kind }) => kind === 'task-progress')).toEqual([])
    expect(world.report('n0', task)).toMatchObject({ state: 'offered', attempts: 1, executor: { node: 'n2' } })
  })
})

describe('CL-20: after a restart, who was awarded a task is known by its seal', () => {
  /** n0 after a restart; before, n1 was awarded `own`, and `other` was nobody's. */
  function restarted(): { world: World; own: string; other: string; seal: number } {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const own = world.submit('n0')
    world.run(100)
    const other = world.submit('n0', { skills: ['nobody-has-it'] })
    const award = world.sent.find(({ message }) => message.kind === 'claims.award')?.message
    if (award?.kind !== 'claims.award') throw new Error('nothing was awarded')
    world.kill('n1')
    world.kill('n0')
    world.restart('n0')
    return { world, own, other, seal: award.body.tasks[0]?.seal ?? 0 }
  }

  function speaksFor(world: World, task: string, seal: number, from = LIAR): void {
    const row = { task: task as Body<'claims.result'>['task'], epoch: 1, attempt: 1, seal }
    say(world, { kind: 'claims.renew', body: { sequence: 1, leases: [row] } }, from)
    const outcome = { kind: 'completed' as const, output: inline('"said"') }
    say(world, { kind: 'claims.result', body: { ...row, agent: 'a', runMs: 1, outcome } }, from)
  }

  it.each([0, 10_250, 60_000])('it ends that one, %d ms later too', (waitMs) => {
    const { world, own, seal } = restarted()
    world.run(waitMs)
    speaksFor(world, own, seal)
    expect(world.report('n0', own)).toMatchObject({ state: 'completed', executor: { node: 'n1' } })
  })

  it('nobody else ends it with the same seal', () => {
    const { world, own, seal } = restarted()
    speaksFor(world, own, seal, 'n2')
    expect(world.report('n0', own).state).toBe('waiting')
  })

  it('it ends no other with that seal, nor with one that it made up', () => {
    const { world, own, other, seal } = restarted()
    for (const [task, said] of [
      [other, seal],
      [other, 0],
      [own, seal + 1],
    ] as const) {
      speaksFor(world, task, said)
      expect(world.report('n0', task).state).toBe('waiting')
    }
  })
})

describe('T-2: whoever asks a coordinator is told of nothing else', () => {
  it.each(['another task', 'another question', 'another coordinator'])('not of %s', (what) => {
    const world = worldWithLiar()
    const own = world.submit('n0')
    const asked = 'n1-x-1'
    const request = world.ask('n0', { kind: 'get', task: asked })
    const query = told(world, 'claims.query')[0]?.query ?? 0
    const report = {
      task: (what === 'another task' ? own : asked) as Body<'claims.result'>['task'],
      tenant: 'default',
      skills: ['echo'],
      state: 'completed' as const,
      priority: 5,
      attempts: 1,
      submittedAt: 1,
      startedAt: 1,
      endedAt: 2,
      coordinator: (what === 'another coordinator' ? 'n0' : LIAR) as NodeId,
      executor: undefined,
      output: inline('"forged"'),
      error: undefined,
      guarantee: 'exactly-once' as const,
      executions: 1,
      executionsUncertain: false,
    }
    const answer = what === 'another question' ? { kind: 'steered' as const } : { kind: 'report' as const, report }
    say(world, { kind: 'claims.reply', body: { query, answer } })
    expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'NOT_FOUND' } })
  })
})
