import { describe, expect, it } from 'vitest'
import { answering, World } from './claims-world.ts'

describe('a full queue', () => {
  it('CL-9 an award that did not leave is given again, and nobody has run it', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    let refused = 0
    world.refuses = (_from, _to, { kind }) => kind === 'claims.award' && refused++ < 1
    const task = world.submit('n0')
    world.run(2_000)
    expect(refused).toBeGreaterThan(1)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
    expect(world.now).toBeLessThan(world.params.leaseMs)
  })

  it('CL-9 awards that did not leave are nothing that the peer did not take', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    let refused = 0
    world.refuses = (_from, _to, { kind }) => kind === 'claims.award' && refused++ < 5
    const task = world.submit('n0')
    world.run(10_000)
    expect(world.report('n0', task).state).toBe('completed')
    expect(world.observed.filter(({ kind }) => kind === 'executor-shunned')).toEqual([])
  })

  it('CL-9 an offer that did not leave is waited for by nobody', () => {
    const world = new World({ nodes: 3, params: { windowMinMs: 1_000 } })
    world.attach('n1', 'a', {}, answering(5))
    world.attach('n2', 'b', {}, answering(5))
    world.refuses = (_from, to, { kind }) => kind === 'claims.offer' && to === 'n2'
    const task = world.submit('n0')
    world.run(50)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n1' } })
  })

  it('CL-9 a bid that did not leave keeps no slot', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    world.refuses = (_from, _to, { kind }) => kind === 'claims.bid'
    world.submit('n0')
    world.run(5)
    expect([...world.node('n1').core.agents()].map(({ slotsUsed }) => slotsUsed)).toEqual([0])
  })

  it('CL-9 a question that did not leave is refused with a time to come back', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n0')
    world.refuses = (_from, _to, { kind }) => kind === 'claims.query'
    const request = world.ask('n1', { kind: 'get', task })
    world.run(1)
    expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'OVERLOADED' } })
  })

  it('CL-9 whoever waits for an end hears of it although the answer was lost', () => {
    const world = new World({ nodes: 2 })
    const task = world.submit('n0')
    const request = world.ask('n1', { kind: 'wait', task })
    world.run(10)
    world.loses = (_from, _to, { kind }) => kind === 'claims.reply'
    world.attach('n0', 'a', {}, answering(5))
    world.run(100)
    world.loses = () => false
    expect(world.replies.has(request)).toBe(false)
    world.run(world.params.waitAgainMs)
    expect(world.replies.get(request)).toMatchObject({ ok: true, value: { report: { state: 'completed' } } })
  })

  it('T-10 a question for the inventory that was lost is asked again', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(50)
    world.kill('n1')
    world.attach('n2', 'b', {}, answering(5))
    let lost = 0
    world.loses = (_from, _to, { kind }) => kind === 'claims.inventory' && lost++ < 2
    world.restart('n1')
    world.run(world.params.resendMs + 500)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
  })
})

describe('a lease that has lapsed', () => {
  it.each([
    ['at-least-once', { state: 'completed', attempts: 1, executions: 1 }],
    ['exactly-once', { state: 'completed', attempts: 2, executions: 2 }],
  ] as const)(
    '%s: what ended while it was cut off counts, however late it is told, only if it may be done twice',
    (guarantee, end) => {
      const world = new World({ nodes: 2 })
      const minuteMs = 60_000
      world.attach('n1', 'a', {}, answering(minuteMs))
      const task = world.submit('n0', { guarantee })
      world.run(100)
      world.cut('n0', 'n1')
      world.run(2 * minuteMs)
      expect(world.report('n0', task).state).toBe('waiting')
      world.link('n0', 'n1')
      world.run(2 * minuteMs)
      expect(world.report('n0', task)).toMatchObject(end)
    },
  )

  it('is lost once, also when what went on after it is given back', () => {
    const world = new World({ nodes: 2 })
    const agent = world.attach('n1', 'a')
    const task = world.submit('n0', { guarantee: 'at-least-once' })
    world.run(100)
    world.cut('n0', 'n1')
    world.run(world.params.leaseMs + 100)
    world.loseAgent('n1', agent)
    world.link('n0', 'n1')
    world.run(100)
    const request = world.ask('n0', { kind: 'history', task })
    const outcome = world.replies.get(request)
    const rows = outcome?.ok === true && outcome.value.kind === 'history' ? outcome.value.entries : []
    expect(rows.map(({ kind }) => kind)).toEqual(['submitted', 'started', 'lost'])
    expect(world.report('n0', task).state).toBe('waiting')
  })
})

describe('links', () => {
  it('CL-10 both sides want their link for as long as something runs, and a while longer', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(200_000))
    const task = world.submit('n0')
    for (let i = 0; i < 19; i++) {
      world.run(10_000)
      expect([world.wanted.get('n0'), world.wanted.get('n1')]).toEqual([['n1'], ['n0']])
    }
    world.run(200_000)
    expect(world.report('n0', task).state).toBe('completed')
    expect([world.wanted.get('n0'), world.wanted.get('n1')]).toEqual([[], []])
  })

  it('CL-10 wants no more links than it may, and those of the latest business', () => {
    const world = new World({ nodes: 6, params: { linksWantedMax: 3 } })
    for (let i = 1; i < 6; i++) {
      const skills = [{ name: `only${i}`, proficiency: 1 }]
      world.attach(`n${i}`, 'a', { skills }, answering(1))
      world.submit('n0', { skills: [`only${i}`] })
      world.run(50)
    }
    expect(world.wanted.get('n0')).toEqual(['n3', 'n4', 'n5'])
  })
})

describe('an agent that detaches', () => {
  it('starts nothing that was only promised, and is gone', () => {
    const world = new World({ nodes: 2, delayMs: 5 })
    const agent = world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(7)
    expect([...world.node('n1').core.agents()].map(({ slotsUsed }) => slotsUsed)).toEqual([1])
    world.input('n1', { kind: 'agent-detach', agent })
    world.run(100)
    expect([...world.node('n1').core.agents()]).toEqual([])
    expect(world.ran).toEqual([])
    expect(world.report('n0', task).state).toBe('waiting')
  })

  it('CL-12 begins nothing whose input is still on its way, and says so at once', () => {
    const world = new World({ nodes: 2 })
    world.slows = ({ kind }) => (kind === 'claims.part' ? 500 : 0)
    const agent = world.attach('n1', 'a')
    const task = world.submit('n0', { input: new Uint8Array(200_000) })
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'offered', executor: { node: 'n1' } })
    expect(world.ran).toEqual([])
    world.input('n1', { kind: 'agent-detach', agent })
    expect([...world.node('n1').core.agents()]).toEqual([])
    world.run(100)
    expect(world.report('n0', task).state).toBe('waiting')
    world.run(1_000)
    expect(world.ran).toEqual([])
  })

  it('is gone when the last task that it was told to stop has come back', () => {
    const world = new World()
    const agent = world.attach('n0', 'a')
    const task = world.submit('n0')
    world.input('n0', { kind: 'agent-detach', agent })
    world.ask('n0', { kind: 'cancel', task, reason: '' })
    const [ran] = world.ran
    if (ran !== undefined) world.done(ran)
    expect([...world.node('n0').core.agents()]).toEqual([])
  })
})

describe('CL-15: answers after the window', () => {
  const offers = (world: World): number => world.sent.filter(({ message }) => message.kind === 'claims.offer').length

  it('a late bid is taken, and nobody is asked again', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(5))
    world.pause('n1')
    const task = world.submit('n0')
    world.run(600)
    expect(world.report('n0', task).state).toBe('waiting')
    expect(world.reasons('n0', task)).toContainEqual({
      code: 'OFFERED',
      message: 'peers asked for bids: 1; late, and still awaited: 1',
      data: { asked: '1', silent: '1' },
    })
    world.resume('n1')
    world.run(50)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n1' }, executions: 1 })
    expect(world.replies.get(world.ask('n0', { kind: 'why', task }))).toMatchObject({
      value: { placement: { kind: 'round', node: 'n1', bids: [{ node: 'n1', answer: 'bid' }] } },
    })
    expect(offers(world)).toBe(1)
  })

  it('meanwhile others are asked; the first to answer gets it, and the silent one is told that it is over', () => {
    const world = new World({ nodes: 3, params: { candidatesMax: 1 }, seed: 'late' })
    for (const node of ['n1', 'n2']) world.attach(node, 'a', {}, answering(5))
    world.pause('n1')
    world.pause('n2')
    const task = world.submit('n0')
    world.run(300)
    expect(offers(world)).toBe(2)
    world.resume('n2')
    world.run(50)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    expect(world.sent.filter(({ to, message }) => to === 'n1' && message.kind === 'claims.withdraw')).toHaveLength(1)
    // It reads the offer and its end in one go, and keeps no slot.
    world.resume('n1')
    world.run(5)
    expect([...world.node('n1').core.agents()].map(({ slotsUsed }) => slotsUsed)).toEqual([0])
  })

  it('one that comes while others still have their window ends it', () => {
    const world = new World({ nodes: 3, params: { candidatesMax: 1, windowMinMs: 400 }, seed: 'late' })
    for (const node of ['n1', 'n2']) world.attach(node, 'a', {}, answering(5))
    world.pause('n1')
    world.pause('n2')
    const task = world.submit('n0')
    world.run(450)
    const asked = world.sent.filter(({ message }) => message.kind === 'claims.offer').map(({ to }) => to)
    expect(asked).toHaveLength(2)
    world.resume(asked[0] as string)
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: asked[0] } })
  })

  it('a newcomer is asked while nobody answers, and not waited for in vain', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    world.pause('n1')
    const task = world.submit('n0')
    world.run(200)
    world.attach('n2', 'b', {}, answering(5))
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
  })

  it('and has its own window and its own time to be late', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    world.pause('n1')
    const task = world.submit('n0')
    world.run(world.params.promiseSlackMs - 100)
    world.attach('n2', 'b', {}, answering(5))
    world.pause('n2')
    world.run(600)
    world.resume('n2')
    world.run(50)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    expect(offers(world)).toBe(2)
  })

  it('who declines late is waited for no longer', () => {
    const world = new World({ nodes: 2, params: { promiseSlackMs: 3_000 } })
    const gone = world.attach('n1', 'a')
    world.pause('n1')
    const task = world.submit('n0')
    world.run(200)
    expect(world.why('n0', task)).toContain('OFFERED')
    world.resume('n1', { kind: 'agent-lost', agent: gone })
    world.run(20)
    expect(world.why('n0', task)).not.toContain('OFFERED')
  })

  it('who is busy, and says so late, holds the offer as others do', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(3_000))
    world.submit('n1')
    world.run(10)
    world.pause('n1')
    const task = world.submit('n0')
    world.run(300)
    world.resume('n1')
    world.run(2_400)
    expect(world.why('n0', task)).toContain('RESERVED')
    world.run(500)
    expect(world.report('n0', task).state).toBe('running')
    expect(offers(world)).toBe(1)
  })

  it('an offer that waits for a link is not sent once it is void', () => {
    const world = new World({ nodes: 3, params: { windowMinMs: 50 } })
    for (const node of ['n1', 'n2']) world.attach(node, 'a', {}, answering(5))
    world.cut('n0', 'n1')
    const task = world.submit('n0')
    world.run(300)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    world.link('n0', 'n1')
    world.run(50)
    expect(world.sent.filter(({ to, message }) => to === 'n1' && message.kind === 'claims.offer')).toHaveLength(0)
  })
})
