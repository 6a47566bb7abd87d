import { describe, expect, it } from 'vitest'
import { answering, World } from './claims-world.ts'

const MIB = 1024 * 1024

describe('CL-23 an output that is far away', () => {
  /** A task that has ended at n0, whose output takes 12 s to n1. */
  function slow(): { readonly world: World; readonly task: string } {
    const world = new World({ nodes: 2 })
    world.slows = ({ kind }) => (kind === 'claims.part' ? 4_000 : 0)
    world.attach('n0', 'a', {}, answering(1, 'x'.repeat(MIB)))
    const task = world.submit('n0')
    world.run(100)
    return { world, task }
  }

  const outputAt = (world: World, request: number) => {
    const outcome = world.replies.get(request)
    return outcome?.ok === true && outcome.value.kind === 'report' ? outcome.value.report.output?.length : outcome
  }

  const transfers = (world: World) =>
    new Set(world.sent.flatMap(({ message }) => (message.kind === 'claims.part' ? [message.body.transfer] : [])))

  it('comes to who asks, however long it takes: its coordinator has answered', () => {
    const { world, task } = slow()
    const request = world.ask('n1', { kind: 'get', task })
    world.run(11_000)
    expect(world.replies.get(request)).toBeUndefined()
    world.run(2_000)
    expect(outputAt(world, request)).toBe(MIB)
  })

  it('goes on where it has got to when it is asked for again, and comes once to all who ask', () => {
    const { world, task } = slow()
    const given = world.ask('n1', { kind: 'get', task })
    world.run(7_000)
    world.input('n1', { kind: 'abandon', request: given as never })
    const late = world.ask('n1', { kind: 'wait', task, timeoutMs: 2_000 })
    const again = world.ask('n1', { kind: 'wait', task, timeoutMs: 30_000 })
    world.run(3_000)
    expect(world.replies.get(late)).toMatchObject({
      error: {
        code: 'TIMEOUT',
        message: 'the task has ended, but its output has not come from n0 within 2000 ms; ask again',
      },
    })
    const once = world.ask('n1', { kind: 'get', task })
    world.run(3_000)
    expect([outputAt(world, again), outputAt(world, once), world.replies.get(given)]).toEqual([MIB, MIB, undefined])
    expect(transfers(world).size).toBe(1)
  })

  it('that is lost is said to all who ask, and may be asked for again', () => {
    const { world, task } = slow()
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    const requests = [world.ask('n1', { kind: 'get', task }), world.ask('n1', { kind: 'wait', task })]
    world.run(40_000)
    for (const request of requests) {
      expect(world.replies.get(request)).toMatchObject({
        error: { code: 'OVERLOADED', message: 'the output was lost on its way; ask again' },
      })
    }
    world.loses = () => false
    const again = world.ask('n1', { kind: 'get', task })
    world.run(20_000)
    expect(outputAt(world, again)).toBe(MIB)
  })

  it('that a coordinator names as that of another task is none', () => {
    const { world, task } = slow()
    const other = world.submit('n0')
    world.run(100)
    const input = world.input.bind(world)
    world.input = (id, each) => {
      if (each.kind !== 'message' || each.message.kind !== 'claims.reply') return input(id, each)
      const { query, answer } = each.message.body
      if (answer.kind !== 'report' || answer.report.output?.kind !== 'parts') return input(id, each)
      const report = { ...answer.report, output: { ...answer.report.output, transfer: 7 } }
      return input(id, {
        ...each,
        message: { kind: 'claims.reply', body: { query, answer: { kind: 'report', report } } },
      })
    }
    const requests = [task, other].map((each) => world.ask('n1', { kind: 'get', task: each }))
    world.run(100)
    expect(world.replies.get(requests[0] as number)).toBeUndefined()
    expect(world.replies.get(requests[1] as number)).toMatchObject({ error: { code: 'OVERLOADED' } })
  })
})
