import { describe, expect, it } from 'vitest'
import { answering, type Ran, World } from './claims-world.ts'

const first = (world: World): Ran => {
  const [ran] = world.ran
  if (ran === undefined) throw new Error('nothing ran')
  return ran
}

describe('agents at work', () => {
  it.each(['n0', 'n1', 'n2'])(
    'CL-13 extra input reaches the agent that runs the task from %s, once, or says why not',
    (asker) => {
      const world = new World({ nodes: 3 })
      const agent = world.attach('n1', 'a')
      world.run(50)
      const [task, waiting] = [world.submit('n0'), world.submit('n0')]
      world.run(500)
      const steer = (text: string, to = task): unknown => {
        const request = world.ask(asker, { kind: 'steer', task: to, input: new TextEncoder().encode(text) })
        world.run(6_000)
        const outcome = world.replies.get(request)
        return outcome?.ok === true ? outcome.value.kind : outcome?.error.code
      }
      expect(steer('left')).toBe('steered')
      expect(world.steered).toEqual([{ agent, task, attempt: 1, input: 'left' }])
      expect(steer('to nobody', waiting)).toBe('NOT_FOUND')
      expect(steer('x'.repeat(40_000))).toBe('TOO_LARGE')
      world.deaf.add(agent)
      expect(steer('unheard')).toBe('OVERLOADED')
      world.deaf.delete(agent)
      // The answer is lost, and the link made again: it is not said twice.
      world.loses = (_from, _to, { kind }) => kind === 'claims.reply'
      const request = world.ask(asker, { kind: 'steer', task, input: new TextEncoder().encode('once') })
      world.run(100)
      world.loses = () => false
      for (const [a, b] of [
        ['n0', 'n1'],
        ['n0', 'n2'],
      ] as const) {
        world.cut(a, b)
        world.link(a, b)
      }
      world.run(6_000)
      expect(world.replies.get(request)?.ok).toBe(false)
      expect(world.steered.map(({ input }) => input)).toEqual(['left', 'once'])
      world.done(first(world))
      world.run(100)
      expect(steer('too late')).toBe('NOT_FOUND')
      expect(world.steered).toHaveLength(2)
    },
  )

  it.each(['n0', 'n1'])(
    'T-14 a silent agent of %s loses what it runs to others at once, and takes nothing until it is heard again',
    (at) => {
      const world = new World({ nodes: 2 })
      const agent = world.attach(at, 'a', { slots: 2 })
      world.run(50)
      const task = world.submit('n0')
      world.run(50)
      expect(world.ran).toHaveLength(1)
      world.input(at, { kind: 'agent-silent', agent })
      expect(world.stopped).toMatchObject([{ agent, task, reason: 'lease-ended' }])
      const later = world.submit('n0')
      world.attach(at, 'b', {}, answering(1))
      world.run(5_000)
      for (const each of [task, later]) {
        expect(world.report('n0', each)).toMatchObject({ state: 'completed', executor: { agent: 'b' } })
      }
      expect(world.report('n0', task)).toMatchObject({ attempts: 2 })
      world.input(at, { kind: 'agent-heard', agent })
      // T-7: heard, and yet it has not let go.
      expect([...world.node(at).core.agents()].find(({ facts }) => facts.name === 'a')).toMatchObject({ slotsStuck: 1 })
      world.done(first(world))
      expect(world.report('n0', task)).toMatchObject({ attempts: 2, executor: { agent: 'b' } })
      world.loseAgent(at, `b@${at}` as never)
      world.submit('n0')
      world.run(5_000)
      expect(world.ran.at(-1)).toMatchObject({ agent })
    },
  )
})
