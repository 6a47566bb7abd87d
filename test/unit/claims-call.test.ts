import { describe, expect, it } from 'vitest'
import type { ClaimsEffect } from '../../src/claims/index.ts'
import { type Ran, submissionOf, World } from './claims-world.ts'

const first = (world: World): Ran => {
  const [ran] = world.ran
  if (ran === undefined) throw new Error('nothing ran')
  return ran
}

describe('CL-14 of a call', () => {
  const call = (world: World, timeoutMs?: number, submission = {}): readonly ClaimsEffect[] => {
    const ask = { kind: 'call', submission: submissionOf(submission), timeoutMs } as const
    return world.input('n0', { kind: 'request', request: 900 as never, ask })
  }
  const told = (world: World) => world.replies.get(900 as never)
  const writes = (effects: readonly ClaimsEffect[]) =>
    effects.filter(({ kind }) => kind === 'persist' || kind === 'barrier' || kind === 'reply')

  it('the submission waits for the end: both are one commit, and the answer stands behind it', () => {
    const world = new World()
    world.attach('n0', 'a')
    expect(writes(call(world))).toMatchObject([{ kind: 'persist', mayWait: true }])
    const ran = first(world)
    const { order, agent } = ran
    const output = new TextEncoder().encode('1')
    const answer = { kind: 'agent-result', agent, task: order.task, attempt: order.attempt, output } as const
    const ended = writes(world.input('n0', answer))
    expect(ended.map(({ kind }) => kind)).toEqual(['persist', 'reply'])
    expect(ended[0]).not.toHaveProperty('mayWait')
    expect(told(world)).toMatchObject({ ok: true, value: { kind: 'report', report: { state: 'completed' } } })
    expect(world.node('n0').core.deadline()).toBeGreaterThan(world.params.commitDelayMs + world.now)
  })

  it('the submission is on its way to the disk soon, also if it takes long', () => {
    const world = new World()
    world.attach('n0', 'a')
    call(world)
    const before = world.effects.length
    world.run(world.params.commitDelayMs - 1)
    expect(writes(world.effects.slice(before))).toEqual([])
    world.run(1)
    expect(writes(world.effects.slice(before))).toEqual([{ kind: 'barrier' }])
    world.run(100)
    expect(writes(world.effects.slice(before))).toHaveLength(1)
  })

  it('what does not run here at once is committed at once', () => {
    const world = new World()
    const [written] = writes(call(world))
    expect(written).toMatchObject({ kind: 'persist' })
    expect(written).not.toHaveProperty('mayWait')
  })

  it('whoever learns of it otherwise waits for the disk', () => {
    const world = new World()
    world.attach('n0', 'a')
    call(world, undefined, { key: 'k' })
    const again = { kind: 'submit', submission: submissionOf({ key: 'k' }) } as const
    const effects = world.input('n0', { kind: 'request', request: 901 as never, ask: again })
    expect(writes(effects).map(({ kind }) => kind)).toEqual(['barrier', 'reply'])
  })

  it('a time-out names the task, which goes on', () => {
    const world = new World()
    world.attach('n0', 'a')
    call(world, 50)
    world.run(60)
    const { task } = first(world).order
    expect(told(world)).toMatchObject({ ok: false, error: { code: 'TIMEOUT', data: { task } } })
    expect(world.report('n0', task).state).toBe('running')
  })

  it('at the bound of those who wait nothing is taken', () => {
    const world = new World({ params: { requestsMax: 1 } })
    world.ask('n0', { kind: 'wait', task: world.submit('n0') })
    call(world)
    expect(told(world)).toMatchObject({ ok: false, error: { code: 'OVERLOADED' } })
    expect(world.node('n0').core.counts.accepted).toBe(1)
  })

  it('a refusal is told at once', () => {
    const world = new World()
    call(world, undefined, { skills: [] })
    expect(told(world)).toMatchObject({ ok: false, error: { code: 'BAD_REQUEST' } })
  })
})
