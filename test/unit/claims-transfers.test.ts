import { describe, expect, it } from 'vitest'
import type { TaskReport } from '../../src/claims/index.ts'
import type { NodeId, Tick } from '../../src/kernel/index.ts'
import { answering, type Behaviour, World, type WorldOptions } from './claims-world.ts'

const KIB = 1024
const MIB = 1024 * KIB
/** As much waits for the bulk lane of a real link. */
const LANE_BYTES = MIB

/** Parts take their time, come behind everything else, and find the lane full beyond its bound. */
function lane(world: World, delayMs: number): void {
  const leaving: { readonly at: number; readonly bytes: number; readonly way: string }[] = []
  world.slows = ({ kind }) => (kind === 'claims.part' ? delayMs : 0)
  world.refuses = (from, to, message) => {
    if (message.kind !== 'claims.part') return false
    const way = `${from} ${to}`
    const bytes = message.body.bytes.length
    let waiting = 0
    for (const part of leaving) if (part.way === way && part.at > world.now - delayMs) waiting += part.bytes
    if (waiting + bytes > LANE_BYTES) return true
    leaving.push({ at: world.now, bytes, way })
    return false
  }
}

function worldWith(delayMs: number, options: WorldOptions = {}): World {
  const world = new World({ nodes: 2, ...options })
  lane(world, delayMs)
  return world
}

function submitMany(world: World, count: number, kib: number): readonly string[] {
  return Array.from({ length: count }, () => world.submit('n0', { input: new Uint8Array(kib * KIB).fill(32) }))
}

function reports(world: World, tasks: readonly string[]): readonly TaskReport[] {
  return tasks.map((task) => world.report('n0', task))
}

function sum(values: readonly TaskReport[], of: (report: TaskReport) => number): number {
  return values.reduce((total, report) => total + of(report), 0)
}

/** Lets time pass until all have ended. Returns how long it took. */
function untilDone(world: World, tasks: readonly string[], maxMs: number): number {
  const start = world.now
  while (world.now - start < maxMs && reports(world, tasks).some(({ endedAt }) => endedAt === undefined)) world.run(10)
  return world.now - start
}

const echoing: Behaviour = (ran, world) =>
  world.later(10, () =>
    world.input(ran.node, {
      kind: 'agent-result',
      agent: ran.agent,
      task: ran.order.task,
      attempt: ran.order.attempt,
      output: ran.order.input,
    }),
  )

describe('more long payloads than there is room for at once', () => {
  for (const [count, kib, delayMs] of [
    [32, 100, 0],
    [32, 100, 5],
    [20, 1024, 5],
    [20, 1000, 40],
    [100, 70, 20],
  ] as const) {
    it(`CL-16 ${count} inputs of ${kib} KiB all come, once, behind parts that take ${delayMs} ms`, () => {
      const world = worldWith(delayMs)
      world.attach('n1', 'a', { slots: count }, answering(100))
      const tasks = submitMany(world, count, kib)
      expect(untilDone(world, tasks, 60_000)).toBeLessThan(5_000)
      expect(
        reports(world, tasks).every(
          ({ state, attempts, executions }) => state === 'completed' && attempts === 1 && executions === 1,
        ),
      ).toBe(true)
      expect(world.ran).toHaveLength(count)
    })
  }

  it('CL-16 twenty outputs of 1 MiB that are ready at once all come, each at the first attempt', () => {
    const world = worldWith(20)
    world.attach('n1', 'a', { slots: 20 }, (ran, at) =>
      at.later(2_000 - at.now, () => at.done(ran, 'x'.repeat(MIB - ran.order.attempt))),
    )
    const tasks = submitMany(world, 20, 0)
    expect(untilDone(world, tasks, 60_000)).toBeLessThan(5_000)
    for (const report of reports(world, tasks)) {
      expect(report).toMatchObject({ state: 'completed', attempts: 1, executions: 1 })
      expect(report.output).toHaveLength(MIB - 1)
    }
  })

  it('CL-16 both directions and the questions of another node share a link', () => {
    const world = worldWith(10)
    world.attach('n1', 'a', { slots: 12 }, echoing)
    const tasks = submitMany(world, 12, 900)
    untilDone(world, tasks, 30_000)
    const requests = tasks.map((task) => world.ask('n1', { kind: 'get', task }))
    world.run(4_000)
    for (const request of requests) {
      const outcome = world.replies.get(request)
      expect(outcome?.ok === true && outcome.value.kind === 'report' && outcome.value.report.output?.length).toBe(
        900 * KIB,
      )
    }
  })

  it('CL-16 no more is asked for at once than the lane takes, and nothing is refused', () => {
    const world = worldWith(30)
    let refused = 0
    const { refuses } = world
    world.refuses = (...message) => {
      const isRefused = refuses(...message)
      if (isRefused) refused += 1
      return isRefused
    }
    world.attach('n1', 'a', { slots: 20 }, answering(1))
    untilDone(world, submitMany(world, 20, 1000), 30_000)
    expect(refused).toBe(0)
  })

  it('T-1 the lease is kept while the input is on its way, however long that takes', () => {
    // 8 s for 512 KiB: the last of them takes three leases.
    const world = worldWith(8_000)
    world.attach('n1', 'a', { slots: 3 }, answering(30_000))
    const tasks = submitMany(world, 3, 500)
    world.run(9_000)
    // The first has come, and both that and the renewal before it say that it runs.
    expect(reports(world, tasks).map(({ executor }) => executor?.agent)).toEqual(['a', '', ''])
    untilDone(world, tasks, 120_000)
    expect(sum(reports(world, tasks), ({ attempts }) => attempts)).toBe(3)
    expect(world.ran).toHaveLength(3)
  })

  it('CL-19 nor does its way count as time that it ran', () => {
    const world = worldWith(25_000)
    world.attach('n1', 'a', {}, answering(1_500))
    const task = world.submit('n0', { input: new Uint8Array(200 * KIB).fill(32), runTimeoutMs: 2_000 })
    untilDone(world, [task], 60_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 1, executions: 1 })
  })

  it('says offered until the input has come', () => {
    const world = worldWith(500)
    world.attach('n1', 'a', {}, answering(1_000))
    const [task] = submitMany(world, 1, 200) as [string]
    world.run(400)
    expect(world.report('n0', task)).toMatchObject({ state: 'offered', executions: 0 })
    world.run(400)
    expect(world.report('n0', task)).toMatchObject({ state: 'running', executor: { agent: 'a' } })
  })
})

describe('what is lost on its way', () => {
  it('CL-9 is asked for again', () => {
    const world = worldWith(1)
    let parts = 0
    world.loses = (_from, _to, { kind }) => kind === 'claims.part' && ++parts % 4 === 0
    world.attach('n1', 'a', { slots: 2 }, echoing)
    const tasks = submitMany(world, 2, 700)
    untilDone(world, tasks, 300_000)
    for (const report of reports(world, tasks))
      expect(report).toMatchObject({ state: 'completed', attempts: 1, executions: 1 })
  })

  it('is asked for again at once when the link is back', () => {
    const world = worldWith(1)
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    world.attach('n1', 'a', {}, answering(1))
    const tasks = submitMany(world, 1, 700)
    world.run(200)
    world.loses = () => false
    world.cut('n0', 'n1')
    world.link('n0', 'n1')
    expect(untilDone(world, tasks, 10_000)).toBeLessThan(100)
    expect(world.ran).toHaveLength(1)
  })

  it('T-13 frees the task at once when its sender has it no more; that is no execution, no loss and no failure', () => {
    // Each is told that the input is gone.
    const world = worldWith(1, { params: { lossesMax: 2 } })
    world.attach('n1', 'a', {}, answering(1))
    let isGone = true
    const input = world.input.bind(world)
    world.input = (id, each) => input(id, isGone && isPart(each) ? emptied(each) : each)
    const [task] = submitMany(world, 1, 200) as [string]
    world.run(2_000)
    // Whoever takes nothing of what it bid for is asked less often (T-12).
    expect(world.report('n0', task).attempts).toBeGreaterThan(2)
    expect(world.report('n0', task)).toMatchObject({ executions: 0 })
    expect([...world.node('n1').core.agents()].every(({ slotsUsed }) => slotsUsed <= 1)).toBe(true)
    isGone = false
    expect(untilDone(world, [task], 10_000)).toBeLessThan(3_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('T-13 counts no execution that was only thought to have begun', () => {
    const world = worldWith(1)
    world.attach('n1', 'a', {}, answering(1))
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    const [task] = submitMany(world, 1, 200) as [string]
    // Its lease has been renewed.
    world.run(4_000)
    expect(world.report('n0', task)).toMatchObject({ executions: 1, executor: { agent: '' } })
    world.input('n1', { kind: 'agent-detach', agent: 'a@n1' as never })
    world.run(100)
    expect(world.report('n0', task)).toMatchObject({ state: 'waiting', executions: 0 })
  })

  it('is given up when its sender is silent for long', () => {
    const world = worldWith(1)
    world.attach('n1', 'a', {}, answering(1))
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    const [task] = submitMany(world, 1, 200) as [string]
    world.run(40_000)
    expect(world.report('n0', task).attempts).toBe(2)
    world.loses = () => false
    untilDone(world, [task], 10_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executions: 1 })
  })

  it('is not given up soon after its sender has said that it has another one no more', () => {
    const world = worldWith(1)
    world.attach('n1', 'a', { slots: 2 }, answering(1))
    let isSilent = true
    let isGone = true
    world.loses = (_from, _to, { kind }) => kind === 'claims.part' && isSilent
    const input = world.input.bind(world)
    world.input = (id, each) => input(id, isGone && isPart(each) ? emptied(each) : each)
    submitMany(world, 1, 200)
    // Quiet for nearly as long as it may be.
    world.run(10 * world.params.resendMs)
    isSilent = false
    world.run(1_000)
    isGone = false
    world.slows = ({ kind }) => (kind === 'claims.part' ? 2 * world.params.resendMs : 0)
    const [task] = submitMany(world, 1, 200) as [string]
    const before = world.report('n0', task).attempts
    untilDone(world, [task], 30_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: before === 0 ? 1 : before })
  })

  it('CL-19 an output whose parts are lost is kept for as long as its coordinator keeps the lease', () => {
    const world = worldWith(1)
    world.attach('n1', 'a', {}, answering(1, 'x'.repeat(200 * KIB)))
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    const task = world.submit('n0')
    world.run(20 * world.params.leaseMs)
    world.loses = () => false
    world.run(2 * world.params.resendMs)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 1, executions: 1 })
  })

  it('T-6 a task that is cancelled while its input is on its way begins nowhere, and its slot is free', () => {
    const world = worldWith(100)
    world.attach('n1', 'a', {}, answering(1))
    const [task] = submitMany(world, 1, 900) as [string]
    world.run(90)
    world.ask('n0', { kind: 'cancel', task, reason: '' })
    world.run(5)
    expect([...world.node('n1').core.agents()].map(({ slotsUsed }) => slotsUsed)).toEqual([0])
    world.run(60_000)
    expect(world.ran).toEqual([])
  })

  it('T-1 a link that comes back while an input is on its way does not make it run twice', () => {
    const world = worldWith(300, { nodes: 3 })
    world.attach('n1', 'a', {}, answering(2_000))
    const [task] = submitMany(world, 1, 900) as [string]
    world.run(200)
    world.attach('n2', 'b', {}, answering(2_000))
    world.input('n0', { kind: 'link-up', peer: 'n1' as NodeId })
    world.run(10_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 1, executions: 1 })
    expect(world.ran).toHaveLength(1)
  })
})

describe('parts that are not as they were asked for', () => {
  const input = Uint8Array.from({ length: 200 * KIB }, (_, i) => i % 251)

  /** n1 has asked for the parts of an input, and gets none but those that the test hands it. */
  function asking() {
    const world = new World({ nodes: 2 })
    const agent = world.attach('n1', 'a')
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    world.submit('n0', { input })
    world.run(100)
    const asked = world.sent.flatMap(({ message }) => (message.kind === 'claims.fetch' ? [message.body] : []))
    const gets = (transfer: number, offset: number, bytes: Uint8Array): void => {
      const body = { transfer, offset, bytes }
      world.input('n1', { kind: 'message', from: 'n0' as NodeId, message: { kind: 'claims.part', body } })
    }
    return { world, agent, asked, gets }
  }

  it('CL-7 change nothing: of another length, in another order, or again', () => {
    const { world, asked, gets } = asking()
    expect(asked).toHaveLength(3)
    for (const { transfer, offset, bytes } of asked) {
      const rest = 200 * KIB - offset
      for (const length of [bytes + 1, bytes - 1, 400 * KIB]) gets(transfer, offset, new Uint8Array(length))
      if (rest > bytes) gets(transfer, offset + bytes, new Uint8Array(bytes))
      for (let i = 0; i < 2; i++) gets(transfer, offset, input.subarray(offset, offset + bytes))
    }
    expect(world.ran.map(({ order }) => order.input)).toEqual([input])
  })

  it('nor does what an agent says of a task that it has not got yet', () => {
    const { world, agent, asked, gets } = asking()
    const task = [...world.node('n0').core.tasks()][0]?.task as never
    world.input('n1', { kind: 'agent-result', agent, task, attempt: 1, output: new Uint8Array(1) })
    expect(world.observed.at(-1)).toMatchObject({ kind: 'agent-answer-ignored', reason: 'not held' })
    for (const { transfer, offset, bytes } of asked) gets(transfer, offset, input.subarray(offset, offset + bytes))
    expect(world.ran).toHaveLength(1)
  })
})

describe('what a peer may cost', () => {
  it('CL-7 one more than may be named is refused; those that have come make room', () => {
    const world = new World({ nodes: 2, params: { transfersPerPeerMax: 2 } })
    world.attach('n1', 'a', { slots: 9 })
    for (const count of [2, 4]) {
      submitMany(world, 2, 200)
      world.run(100)
      expect(world.ran).toHaveLength(count)
    }
    world.loses = (_from, _to, { kind }) => kind === 'claims.part'
    submitMany(world, 3, 200)
    world.run(20)
    const refused = world.sent.flatMap(({ message }) => (message.kind === 'claims.accept' ? message.body.refused : []))
    expect(refused).toMatchObject([{ reason: 'no room for the input' }])
  })

  it('an output of what has ended is not fetched: its executor is told so at once', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', {}, answering(1, 'x'.repeat(200 * KIB)))
    let acks = 0
    world.loses = (_from, _to, { kind }) => kind === 'claims.ack' && ++acks === 1
    const task = world.submit('n0')
    world.run(1_000)
    expect(world.report('n0', task).state).toBe('completed')
    const parts = (): number => world.sent.filter(({ message }) => message.kind === 'claims.part').length
    const before = parts()
    world.run(2 * world.params.resendMs)
    expect({ acks, parts: parts() }).toEqual({ acks: 2, parts: before })
  })

  it('CL-7 room for payloads under way is bounded, and what is named beyond waits', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a', { slots: 64 })
    const asked = new Set<number>()
    world.loses = (_from, _to, message) => {
      if (message.kind !== 'claims.fetch') return false
      asked.add(message.body.transfer)
      // All of each comes but its last byte, so that next to nothing is under way.
      return message.body.bytes === 1
    }
    for (let i = 0; i < 64; i++) world.submit('n0', { input: new Uint8Array(10 * world.params.partBytes + 1) })
    world.run(1_000)
    expect(asked.size).toBe(Math.floor((8 * MIB) / (10 * world.params.partBytes + 1)))
  })

  it('CL-7 nobody is given what was not named to him', () => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a')
    submitMany(world, 1, 900)
    world.run(100)
    const fetch = world.sent.find(({ message }) => message.kind === 'claims.fetch')?.message
    if (fetch === undefined) throw new Error('nothing was fetched')
    world.input('n0', { kind: 'message', from: 'n2' as NodeId, message: fetch })
    const last = world.sent.at(-1)
    expect(last).toMatchObject({ from: 'n0', to: 'n2', message: { kind: 'claims.part' } })
    expect(last?.message.kind === 'claims.part' && last.message.body.bytes).toHaveLength(0)
  })

  it('CL-7 an inventory without an end names no more than what is out', () => {
    const world = new World({ nodes: 2 })
    world.attach('n1', 'a')
    const task = world.submit('n0')
    world.run(100)
    world.loses = (from) => from === 'n1'
    world.input('n0', { kind: 'gap', peer: 'n1' as NodeId })
    const asked = world.sent.findLast(({ message }) => message.kind === 'claims.inventory')?.message
    if (asked?.kind !== 'claims.inventory' || asked.body.kind !== 'ask') throw new Error('nobody asked')
    const { serial } = asked.body
    const held = (name: string, last: boolean) => ({
      kind: 'message' as const,
      from: 'n1' as NodeId,
      message: {
        kind: 'claims.inventory' as const,
        body: {
          kind: 'held' as const,
          serial,
          sequence: 1,
          last,
          leases: [{ task: name as never, epoch: 1, attempt: 7, seal: 0 }],
        },
      },
    })
    // A row of an attempt that is not the present one holds nothing.
    world.input('n0', held(task, false))
    world.input('n0', held('nobody', true))
    expect(world.report('n0', task).state).not.toBe('running')
  })
})

type Input = Parameters<World['input']>[1]
type PartInput = Extract<Input, { kind: 'message' }>

function isPart(input: Input | Tick): input is PartInput {
  return input.kind === 'message' && input.message.kind === 'claims.part'
}

function emptied(input: PartInput): PartInput {
  if (input.message.kind !== 'claims.part') return input
  return { ...input, message: { kind: 'claims.part', body: { ...input.message.body, bytes: new Uint8Array(0) } } }
}
