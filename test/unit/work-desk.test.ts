import { describe, expect, it } from 'vitest'
import { agentReportOf, fittingRows, isoOf, submissionOf, whyReportOf } from '../../node/task-records.ts'
import type { AgentLine } from '../../node/visit.ts'
import { WorkDesk } from '../../node/work-desk.ts'
import {
  type AttachedAgent,
  type ClaimsHostInput,
  type ClaimsReport,
  type ClaimsView,
  JsonText,
  type NodeEvent,
  type Order,
  type RunParams,
  SwarmError,
} from '../../src/index.ts'

type Told<K extends ClaimsHostInput['kind']> = Extract<ClaimsHostInput, { readonly kind: K }>

/** A desk between connections and claims that only listen. */
class Desk {
  readonly told: ClaimsHostInput[] = []
  readonly events: NodeEvent[] = []
  attached: AttachedAgent[] = []
  refusal: 'OVERLOADED' | 'DISK_FULL' | undefined
  readonly desk = new WorkDesk({
    tell: (input) => this.told.push(input),
    refusal: (writes) => (this.refusal === 'DISK_FULL' && !writes ? undefined : this.refusal),
    claims: () => this.#view(),
    agentsMax: 3,
    wallNow: () => Date.UTC(2026, 0, 1),
    announce: (news) => this.events.push(news()),
  })

  /** A connection that remembers what it was told. */
  connect() {
    const said: unknown[] = []
    const line = {
      keepsUp: true as boolean,
      run: (order: Order, params: RunParams) => said.push(['run', order.agent, params.task, params.input]),
      notify: (method: string, params: unknown) => said.push([method, params]),
      hangUp: (reason: string) => said.push(['hang up', reason]),
    } satisfies AgentLine
    return { said, line, visit: this.desk.visit(line) }
  }

  kinds(): readonly string[] {
    return this.told.map(({ kind }) => kind)
  }

  last<K extends ClaimsHostInput['kind']>(kind: K): Told<K> {
    const found = this.told.findLast((input) => input.kind === kind)
    if (found === undefined) throw new Error(`nothing of kind ${kind} was told`)
    return found as Told<K>
  }

  run(agent: string, task = 't1', attempt = 1): Order {
    const input = JsonText.of('x').bytes
    const order = { task, attempt, skills: ['echo'], input, tenant: 'default', leaseMs: 1000 }
    this.desk.perform({ kind: 'run', agent, order } as unknown as Parameters<WorkDesk['perform']>[0])
    return { agent, task, attempt }
  }

  #view(): ClaimsView {
    const counts = { accepted: 3, waiting: 1, offered: 1, running: 1, completed: 0, failed: 0, cancelled: 0 }
    return {
      counts: { ...counts, deadLettered: 0 },
      agents: () => this.attached.values(),
    } as unknown as ClaimsView
  }
}

const FACTS = { name: 'n', skills: [{ name: 'echo' }] }
const DONE = { kind: 'completed', output: JsonText.of(1) } as const

function codeOf(run: () => unknown): string {
  try {
    run()
  } catch (cause) {
    if (cause instanceof SwarmError) return cause.code
  }
  return 'none'
}

async function codeOfAsync(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'none',
    (cause) => (cause instanceof SwarmError ? cause.code : String(cause)),
  )
}

describe('agents of a connection', () => {
  it('are told to the claims with everything decided, and their kind as a label', () => {
    const t = new Desk()
    const { visit } = t.connect()
    const { agent } = visit.attach({ ...FACTS, kind: 'backup', labels: { tier: 'gold' } })
    expect(t.last('agent-attach')).toEqual({
      kind: 'agent-attach',
      agent,
      facts: {
        name: 'n',
        skills: [{ name: 'echo', proficiency: 1 }],
        slots: 1,
        resources: {},
        labels: { tier: 'gold', kind: 'backup' },
        price: 0,
        tenants: undefined,
      },
    })
    visit.update({ agent, kind: 'generalist', slots: 4 })
    expect(t.last('agent-update').facts).toEqual({ slots: 4, labels: { tier: 'gold', kind: 'generalist' } })
    visit.update({ agent, labels: {}, skills: [{ name: 'a', proficiency: 0.5 }] })
    expect(t.last('agent-update').facts).toEqual({
      labels: { kind: 'generalist' },
      skills: [{ name: 'a', proficiency: 0.5 }],
    })
  })

  it('I-16: that promised to be heard of and are not are silent, once, until the connection says something', () => {
    const t = new Desk()
    const { visit } = t.connect()
    expect(visit.isAwaited).toBe(false)
    visit.attach(FACTS)
    const { agent } = visit.attach({ ...FACTS, heartbeatMs: 700 })
    expect(visit.isAwaited).toBe(true)
    // Three times 700 ms and no more than 1 s that the first look may have come too early.
    for (let look = 1; look <= 3; look++) visit.look()
    visit.heard()
    for (let look = 1; look <= 3; look++) visit.look()
    expect(t.kinds()).toEqual(['agent-attach', 'agent-attach'])
    for (let look = 1; look <= 3; look++) visit.look()
    expect(t.told.slice(2)).toEqual([{ kind: 'agent-silent', agent }])
    visit.heard()
    visit.heard()
    expect(t.told.slice(3)).toEqual([{ kind: 'agent-heard', agent }])
    visit.detach({ agent })
    expect(visit.isAwaited).toBe(false)
  })

  it('T-10: one that had gone when its order came off the disk is lost, or the task would be its for ever', () => {
    const t = new Desk()
    const { visit, said } = t.connect()
    const { agent } = visit.attach(FACTS)
    visit.detach({ agent })
    t.run(agent)
    expect(said).toEqual([])
    expect(t.last('agent-lost')).toEqual({ kind: 'agent-lost', agent })
  })

  it('belong to it alone', () => {
    const t = new Desk()
    const { agent } = t.connect().visit.attach(FACTS)
    const { visit } = t.connect()
    expect(codeOf(() => visit.update({ agent, slots: 2 }))).toBe('NOT_ATTACHED')
    expect(codeOf(() => visit.detach({ agent }))).toBe('NOT_ATTACHED')
    expect(t.kinds()).toEqual(['agent-attach'])
  })

  it('are handed their tasks, and their answers handed on', () => {
    const t = new Desk()
    const { visit, said } = t.connect()
    const { agent } = visit.attach(FACTS)
    const order = t.run(agent)
    expect(said).toEqual([['run', agent, 't1', JsonText.of('x')]])
    visit.onProgress({ kind: 'progress', order, fraction: 0.5, partial: JsonText.of([1]) })
    expect(t.last('agent-progress')).toMatchObject({
      agent,
      task: 't1',
      fraction: 0.5,
      partial: JsonText.of([1]).bytes,
    })
    visit.onOutcome(order, DONE)
    expect(t.last('agent-result')).toMatchObject({ agent, task: 't1', attempt: 1, output: JsonText.of(1).bytes })
    const error = { code: 'NO', message: 'no', retryable: true }
    visit.onOutcome(t.run(agent, 't2'), { kind: 'failed', error })
    expect(t.last('agent-failed')).toMatchObject({ agent, task: 't2', error })
  })

  it('are told to stop, and sent away with the whole connection', () => {
    const t = new Desk()
    const { visit, said } = t.connect()
    const { agent } = visit.attach(FACTS)
    const stop = { kind: 'stop', agent, task: 't1', attempt: 1, reason: 'run-timeout' }
    t.desk.perform(stop as Parameters<WorkDesk['perform']>[0])
    t.desk.perform({ kind: 'expel', agent, reason: 'it hangs' } as Parameters<WorkDesk['perform']>[0])
    expect(said[0]).toEqual(['task.cancel', { task: 't1', attempt: 1, reason: 'run-timeout' }])
    expect(said[1]).toEqual(['hang up', expect.stringContaining('it hangs')])
  })

  it('CL-13: are steered if they are there and take what they are sent, and the claims hear whether', () => {
    const t = new Desk()
    const { visit, said, line } = t.connect()
    const { agent } = visit.attach(FACTS)
    const steer = (steering: number, to: string = agent) => {
      const effect = { kind: 'steer', steering, agent: to, task: 't1', attempt: 1, input: JsonText.of([1]).bytes }
      t.desk.perform(effect as Parameters<WorkDesk['perform']>[0])
      return t.last('steered')
    }
    expect(steer(1)).toEqual({ kind: 'steered', steering: 1, isTaken: true })
    expect(said.at(-1)).toEqual(['task.steer', { task: 't1', attempt: 1, input: JsonText.of([1]) }])
    line.keepsUp = false
    expect(steer(2)).toEqual({ kind: 'steered', steering: 2, isTaken: false })
    expect(steer(3, 'nobody')).toEqual({ kind: 'steered', steering: 3, isTaken: false })
    expect(said).toHaveLength(1)
  })

  it('detached, they are forgotten with the last answer, and room is made', () => {
    const t = new Desk()
    const { visit } = t.connect()
    const { agent } = visit.attach(FACTS)
    const order = t.run(agent)
    visit.detach({ agent })
    expect(t.desk.agentCount).toBe(1)
    visit.onOutcome(order, DONE)
    expect(t.desk.agentCount).toBe(0)
    expect(t.kinds()).toEqual(['agent-attach', 'agent-detach', 'agent-result'])
    visit.end()
    expect(t.kinds()).not.toContain('agent-lost')
  })

  it('are bounded in number, with a code that says what to do', () => {
    const t = new Desk()
    const { visit } = t.connect()
    const agents = [1, 2, 3].map(() => visit.attach(FACTS).agent)
    expect(new Set(agents).size).toBe(3)
    expect(codeOf(() => visit.attach(FACTS))).toBe('OVERLOADED')
    visit.detach({ agent: agents[0] ?? '' })
    expect(codeOf(() => visit.attach(FACTS))).toBe('none')
  })

  it('are listed in pages that fit an answer', () => {
    const t = new Desk()
    t.attached = Array.from({ length: 5 }, (_, i) => attachedAgent(`a${i + 1}`))
    const first = t.desk.agents({ limit: 2 })
    expect([first.agents.map(({ agent }) => agent), first.next]).toEqual([['a1', 'a2'], 'a2'])
    const rest = t.desk.agents({ after: 'a2' })
    expect([rest.agents.map(({ agent }) => agent), rest.next]).toEqual([['a3', 'a4', 'a5'], undefined])
    const rows = Array.from({ length: 100 }, () => 'x'.repeat(10_000))
    expect(fittingRows(rows).length).toBeLessThan(40)
    expect(fittingRows(['x'.repeat(1_000_000)])).toHaveLength(1)
  })
})

describe('questions', () => {
  const report = { task: 't1', skills: ['echo'], submittedAt: 0, coordinator: 'n1' } as unknown as ClaimsReport

  it('are answered once, to whoever asked', async () => {
    const t = new Desk()
    const { visit } = t.connect()
    const wait = visit.wait({ task: 't1' })
    const { request } = t.last('request')
    t.desk.perform({ kind: 'reply', request, outcome: { ok: true, value: { kind: 'report', report } } })
    t.desk.perform({ kind: 'reply', request, outcome: { ok: false, error: { code: 'NOT_FOUND', message: 'no' } } })
    expect(await wait).toMatchObject({ task: 't1', skill: 'echo', submittedAt: '1970-01-01T00:00:00.000Z' })
    const get = visit.get({ task: 't2' })
    const error = { code: 'NOT_FOUND', message: 'no', data: { retryAfterMs: 5 } } as const
    t.desk.perform({ kind: 'reply', request: t.last('request').request, outcome: { ok: false, error } })
    await expect(get).rejects.toMatchObject({ code: 'NOT_FOUND', data: { retryAfterMs: 5 } })
  })

  it('end with the connection, as its agents do', () => {
    const t = new Desk()
    const { visit } = t.connect()
    const { agent } = visit.attach(FACTS)
    void visit.wait({ task: 't1' })
    const { request } = t.last('request')
    visit.end()
    visit.end()
    expect(t.told.slice(2)).toEqual([
      { kind: 'agent-lost', agent },
      { kind: 'abandon', request },
    ])
    expect(t.desk.agentCount).toBe(0)
    t.desk.perform({ kind: 'reply', request, outcome: { ok: true, value: { kind: 'report', report } } })
    t.run(agent)
  })

  it('U-8: are refused while the disk is behind, and those that write while it is full', async () => {
    const t = new Desk()
    const { visit } = t.connect()
    t.refusal = 'OVERLOADED'
    expect(await codeOfAsync(visit.get({ task: 't1' }))).toBe('OVERLOADED')
    await expect(visit.submit({ skill: 'x' })).rejects.toMatchObject({ data: { retryAfterMs: 1000 } })
    t.refusal = 'DISK_FULL'
    expect(await codeOfAsync(visit.submit({ skill: 'x' }))).toBe('DISK_FULL')
    expect(t.told).toEqual([])
    void visit.get({ task: 't1' })
    expect(t.kinds()).toEqual(['request'])
  })

  it('that are open when the node stops are told so', async () => {
    const t = new Desk()
    const wait = t.connect().visit.wait({ task: 't1' })
    t.desk.close()
    expect(await codeOfAsync(wait)).toBe('SHUTTING_DOWN')
  })
})

describe('draining', () => {
  it('tells agents, takes none, and is over when what runs has ended and all is answered', async () => {
    const t = new Desk()
    const { visit, said } = t.connect()
    const { agent } = visit.attach(FACTS)
    const order = t.run(agent)
    const drained = t.desk.drain(60_000)
    expect(said.at(-1)).toEqual(['drain', { deadlineMs: 60_000 }])
    expect(codeOf(() => visit.attach(FACTS))).toBe('SHUTTING_DOWN')
    visit.onOutcome(order, DONE)
    await Promise.resolve()
    const { request } = t.last('request')
    t.desk.perform({ kind: 'reply', request, outcome: { ok: true, value: { kind: 'list', tasks: [] } } })
    expect(await drained).toEqual({ drained: true, running: 0, open: 3 })
    expect(t.kinds().filter((kind) => kind === 'drain')).toHaveLength(1)
  })

  it('does not wait for what was told to stop, but for the attempt that is in force', async () => {
    const t = new Desk()
    const { visit } = t.connect()
    const { agent } = visit.attach(FACTS)
    const first = t.run(agent, 't1', 1)
    const stop = { kind: 'stop', agent, task: 't1', attempt: 1, reason: 'run-timeout' }
    t.desk.perform(stop as Parameters<WorkDesk['perform']>[0])
    t.run(agent, 't1', 2)
    visit.detach({ agent })
    // The answer to the attempt that nobody wants any more ends nothing.
    visit.onOutcome(first, DONE)
    expect(await t.desk.drain(1)).toMatchObject({ drained: false, running: 1 })
    expect(t.desk.agentCount).toBe(1)
    t.desk.perform({ ...stop, attempt: 2 } as Parameters<WorkDesk['perform']>[0])
    expect(await t.desk.drain(1)).toMatchObject({ drained: true, running: 0 })
    expect(t.desk.agentCount).toBe(1)
    visit.onOutcome({ ...first, attempt: 2 }, DONE)
    expect(t.desk.agentCount).toBe(0)
  })

  it('waits no longer than it may, and says what still runs', async () => {
    const t = new Desk()
    const { visit } = t.connect()
    t.run(visit.attach(FACTS).agent)
    expect(await t.desk.drain(1)).toEqual({ drained: false, running: 1, open: 3 })
    expect(t.desk.isDraining).toBe(true)
  })
})

describe('what is said outside', () => {
  it('changes and progress become events', () => {
    const t = new Desk()
    const executor = { node: 'n1', agent: '' }
    const changed = { kind: 'task-changed', task: 't1', tenant: 'x', state: 'offered', executor } as const
    t.desk.perform(changed as unknown as Parameters<WorkDesk['perform']>[0])
    expect(t.events).toEqual([{ ...changed, executor: { node: 'n1' }, at: '2026-01-01T00:00:00.000Z' }])
  })

  it('defaults of a submission are those of the specification', () => {
    expect(submissionOf({ skill: 'x' })).toMatchObject({
      skills: ['x'],
      tenant: 'default',
      priority: 5,
      guarantee: 'exactly-once',
      durable: true,
      input: JsonText.of(null).bytes,
      objective: undefined,
    })
    expect(submissionOf({ skills: ['x', 'y'], objective: { cost: 2 } }).objective).toEqual({
      throughput: 0,
      latency: 0,
      quality: 0,
      cost: 2,
    })
  })

  it('times are those of the calendar, to the millisecond', () => {
    for (const at of [0, 999, 1000, Date.UTC(2024, 1, 29, 23, 59, 59, 7), Date.UTC(2026, 10, 25), 1, 4e12 + 12]) {
      expect(isoOf(at)).toBe(new Date(at).toISOString())
    }
    // Some are a peer's word.
    for (const at of [-1, 1e300, -1e300]) expect(new Date(isoOf(at)).getTime()).not.toBeNaN()
  })

  it('reasons carry numbers as numbers and names as texts', () => {
    const data = { position: '12', node: '12', skills: '7', expectedMs: '400' }
    const { reasons } = whyReportOf({ kind: 'why', state: 'waiting', reasons: [{ code: 'C', message: 'm', data }] })
    expect(reasons).toEqual([{ code: 'C', message: 'm', position: 12, node: '12', skills: '7', expectedMs: 400 }])
  })

  it('an agent shows its kind apart from its labels', () => {
    const report = agentReportOf(attachedAgent('a1'), 0)
    expect(report).toMatchObject({ agent: 'a1', kind: 'backup', labels: { tier: 'gold' }, slots: 2, running: 1 })
  })
})

function attachedAgent(agent: string): AttachedAgent {
  const facts = { name: 'n', skills: [], slots: 2, resources: {}, labels: { tier: 'gold', kind: 'backup' }, price: 0 }
  return { agent, facts, slotsUsed: 1, slotsStuck: 0 } as unknown as AttachedAgent
}
