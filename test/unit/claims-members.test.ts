import { describe, expect, it } from 'vitest'
import { CLAIMS_BODIES, type ClaimsMessage, type TaskId } from '../../src/claims/index.ts'
import { isJsonLine } from '../../src/claims/json-line.ts'
import { scoreAll } from '../../src/claims/score.ts'
import { type NodeId, Random } from '../../src/kernel/index.ts'
import { ByteWriter, decode, encode, type Shape } from '../../src/wire/index.ts'
import { answering, World } from './claims-world.ts'

type BodyOf<K extends ClaimsMessage['kind']> = Extract<ClaimsMessage, { readonly kind: K }>['body']

/** What n1 says, which has no core of its own here: whatever is sent to it is lost. */
class Member {
  readonly world: World
  readonly id = 'n1' as NodeId
  #offers = 0

  constructor(nodes = 2) {
    this.world = new World({ nodes })
    this.world.loses = (_from, to) => to === this.id
  }

  says(message: ClaimsMessage, to = 'n0'): void {
    const shape = CLAIMS_BODIES[message.kind] as Shape<unknown>
    const body = decode(shape, encode(shape, message.body))
    if (!body.ok) throw new Error(body.error)
    this.world.input(to, { kind: 'message', from: this.id, message: { ...message, body: body.value } as ClaimsMessage })
  }

  /** Offers and awards in one. */
  awards(
    task: string,
    input: BodyOf<'claims.award'>['tasks'][number]['input'],
    extra: { readonly leaseMs?: number; readonly guarantee?: 'exactly-once' | 'at-least-once' } = {},
  ): void {
    this.#offers += 1
    const { leaseMs = 10_000, guarantee = 'exactly-once' as const } = extra
    this.says({ kind: 'claims.offer', body: offer(this.#offers) })
    const terms = { runTimeoutMs: 0, deadlineMs: 0, priority: 5, guarantee, trace: '' }
    const tasks = [{ task: task as TaskId, attempt: 1, input, ...terms }]
    this.says({ kind: 'claims.award', body: { offer: this.#offers, epoch: 1, serial: this.#offers, leaseMs, tasks } })
  }
}

function offer(number: number): BodyOf<'claims.offer'> {
  return {
    offer: number,
    epoch: 1,
    demand: {
      skills: ['echo'],
      resources: {},
      require: [],
      prefer: [],
      tenant: 'default',
      budget: undefined,
      objective: { throughput: 1, latency: 1, quality: 1, cost: 1 },
      excluded: [],
    },
    tasks: 1,
    priority: 5,
    windowMs: 100,
    holdMs: 0,
    waitedMs: 0,
    runTimeoutMs: 0,
  }
}

function f64(value: number): string {
  const writer = new ByteWriter()
  writer.f64(value)
  return Buffer.from(writer.finish()).toString('hex')
}

/** The error of a body in which every `before` became `after` on its way. */
function errorOf<K extends ClaimsMessage['kind']>(kind: K, body: BodyOf<K>, before: number, after: number): string {
  const shape = CLAIMS_BODIES[kind] as Shape<unknown>
  const hex = Buffer.from(encode(shape, body)).toString('hex').replaceAll(f64(before), f64(after))
  const decoded = decode(shape, Buffer.from(hex, 'hex'))
  return decoded.ok ? '' : decoded.error
}

describe('numbers of a member', () => {
  it('T-7 amounts below zero are no demand: what is refused unread takes nothing from the pools', () => {
    const { demand, ...rest } = offer(1)
    const withResources = { ...rest, demand: { ...demand, resources: { cpu: 100.25 } } }
    expect(errorOf('claims.offer', withResources, 100.25, 100.5)).toBe('')
    expect(errorOf('claims.offer', withResources, 100.25, -100)).toMatch(/an amount is a number from 0/)
    expect(errorOf('claims.offer', { ...rest, demand: { ...demand, budget: 7.25 } }, 7.25, -1)).toMatch(/an amount/)
    expect(errorOf('claims.offer', offer(1), 1, -1)).toMatch(/an amount/)
  })

  it('prices, shares and dates are in the range of prices, shares and dates', () => {
    const bid = {
      offer: 1,
      slots: 1,
      waitMs: 0,
      runMs: 0,
      price: 7.25,
      qualityThousandths: 0,
      preferenceThousandths: 0,
    }
    expect(errorOf('claims.bid', { ...bid, claim: false }, 7.25, -1)).toMatch(/an amount/)
    const progress = {
      task: 't' as TaskId,
      epoch: 1,
      attempt: 1,
      fraction: 0.25,
      message: undefined,
      partial: undefined,
    }
    expect(errorOf('claims.progress', progress, 0.25, 1.5)).toMatch(/a fraction/)
    const row = { at: 7.25, kind: 'failed', node: 'n', agent: 'a', attempt: 1, text: '' }
    const reply = { query: 1, answer: { kind: 'history' as const, entries: [row] } }
    expect(errorOf('claims.reply', reply, 7.25, 1e17)).toMatch(/a date is out of range/)
  })

  it('a demand names a skill, and its tenant', () => {
    const shape = CLAIMS_BODIES['claims.offer']
    const { demand, ...rest } = offer(1)
    for (const wrong of [{ skills: [] }, { skills: [''] }, { tenant: '' }])
      expect(() => encode(shape, { ...rest, demand: { ...demand, ...wrong } })).toThrow(/names a skill|not empty/)
  })

  it('the largest weights still order bids', () => {
    const objective = { throughput: 0, latency: 0, quality: 1e308, cost: 1e308 }
    const plain = { runMs: 1, waitMs: 0, price: 1, load: 0, preference: 0 }
    const [bad, good] = scoreAll(
      [
        { ...plain, quality: 0 },
        { ...plain, quality: 1 },
      ],
      objective,
    )
    expect(good).toBeGreaterThan(bad as number)
  })
})

/** What a client would read as three lines. */
const LINES = '1}}\n{"jsonrpc":"2.0","id":7,"result":{"state":"completed"}}\n{"a":{"b":1'
const NO_JSON = ['', 'no json', '{"a":1', '1 2', LINES, '[\n1]', `${'['.repeat(1_000)}${']'.repeat(1_000)}`]

describe('payloads of a member', () => {
  it.each(NO_JSON)('CL-17 an input that is no JSON value in one line reaches no agent: %#', (input) => {
    const member = new Member()
    const { world } = member
    world.attach('n0', 'a')
    member.awards('n1-1-1', { kind: 'inline', bytes: bytesOf(input) })
    const inParts = bytesOf(input.padEnd(10))
    member.awards('n1-1-2', { kind: 'parts', transfer: 1, bytes: inParts.length })
    member.says({ kind: 'claims.part', body: { transfer: 1, offset: 0, bytes: inParts } })
    expect(world.ran).toEqual([])
    const failed = { kind: 'failed', error: { code: 'MALFORMED', retryable: false } }
    expect(resultsTo(world, 'n1')).toMatchObject([{ outcome: failed }, { outcome: failed }])
    // Its slot is free again.
    world.submit('n0')
    expect(world.ran).toHaveLength(1)
  })

  it.each(NO_JSON)('CL-17 an output that is none is the failure of its executor: %#', (output) => {
    const world = new World({ nodes: 3 })
    world.attach('n1', 'a', {}, answering(1, output))
    const task = world.submit('n0')
    world.run(50)
    expect(world.report('n0', task)).toMatchObject({ state: 'waiting', output: undefined })
    world.attach('n2', 'b', {}, answering(1, '"well"'))
    world.run(5_000)
    expect(world.report('n0', task)).toMatchObject({ state: 'completed', executor: { node: 'n2' } })
    expect(world.observed.find(({ kind }) => kind === 'claims-malformed')).toMatchObject({ peer: 'n1' })
  })

  it('CL-17 what there is of an output is told to nobody when it is no JSON', () => {
    const member = new Member()
    const { world } = member
    world.attach('n1', 'a')
    world.loses = () => false
    const task = world.submit('n0') as TaskId
    world.run(50)
    const said = { task, epoch: 1, attempt: 1, fraction: 0.5, message: undefined }
    for (const partial of [LINES, 'no json', '"so far"'])
      member.says({ kind: 'claims.progress', body: { ...said, partial: bytesOf(partial) } })
    const told = world.effects.filter(({ kind }) => kind === 'task-progress')
    expect(told).toMatchObject([{ partial: bytesOf('"so far"') }])
  })

  it('CL-17 neither is an output that another node tells of, nor extra input', () => {
    const member = new Member()
    const { world } = member
    world.attach('n0', 'a')
    const task = world.submit('n0') as TaskId
    member.says({
      kind: 'claims.query',
      body: { query: 1, ask: { kind: 'steer', task, token: undefined, input: bytesOf(LINES) } },
    })
    world.run(10)
    expect(world.steered).toEqual([])
    const request = world.ask('n0', { kind: 'wait', task: 'n1-1-1' })
    const query = world.sent.find(({ message }) => message.kind === 'claims.query')?.message
      .body as BodyOf<'claims.query'>
    const report = world.report('n0', task)
    const output = { kind: 'inline' as const, bytes: bytesOf(LINES) }
    const told = { ...report, startedAt: undefined, endedAt: undefined, executor: undefined, error: undefined, output }
    member.says({ kind: 'claims.reply', body: { query: query.query, answer: { kind: 'report', report: told } } })
    expect(world.replies.get(request)).toMatchObject({ ok: false, error: { code: 'INTERNAL' } })
  })

  it('isJsonLine is true of what JSON.parse reads, less line ends and depth', () => {
    const random = new Random('json')
    const letters = [...'{}[]",:\\u0019-+.eE truefalsnbd/\t\r\n\u0001é']
    const starts = ['{"a":[1,-2.5e+3,"x\\u00e9\\n",true,false,null,{}],"b":{}}', '[ 0 , "" ]', '-0.0E-1', '']
    let valid = 0
    for (let i = 0; i < 20_000; i++) {
      const text = [...random.pick(starts)]
      for (let edits = random.below(4); edits > 0; edits--)
        text.splice(
          random.below(text.length + 1),
          random.below(2),
          ...(random.chance(0.7) ? [random.pick(letters)] : []),
        )
      const json = text.join('')
      const expected = isParsed(json) && !json.includes('\n')
      if (expected) valid += 1
      expect([json, isJsonLine(bytesOf(json))]).toEqual([json, expected])
    }
    expect(valid).toBeGreaterThan(2_000)
    expect(isJsonLine(bytesOf(`${'['.repeat(500)}${']'.repeat(500)}`))).toBe(true)
    // A byte that begins no character is read as a replacement character; a byte order mark is no blank.
    expect(isJsonLine(new Uint8Array([0x22, 0xff, 0x22]))).toBe(true)
    expect(isJsonLine(bytesOf('\ufeff1'))).toBe(false)
  })
})

describe('names of a member', () => {
  const inline = (text: string): BodyOf<'claims.award'>['tasks'][number]['input'] => ({
    kind: 'inline',
    bytes: bytesOf(text),
  })

  it('T-3 an award under the name of a task of this node, or of a third one, is refused', () => {
    const member = new Member(3)
    const { world } = member
    world.attach('n0', 'a', { slots: 2 }, (ran, w) =>
      w.later(5, () => w.done(ran, new TextDecoder().decode(ran.order.input))),
    )
    const next = world.submit('n0').replace(/.$/, '2')
    world.run(10)
    for (const task of [next, 'n2-1-1', 'nonsense']) member.awards(task, inline('"forged"'))
    const mine = world.submit('n0', { input: bytesOf('"mine"') })
    expect(mine).toBe(next)
    world.run(2_000)
    expect(world.report('n0', mine)).toMatchObject({ state: 'completed', output: bytesOf('"mine"') })
    expect(world.ran).toHaveLength(2)
    const accepts = world.sent.flatMap(({ message }) => (message.kind === 'claims.accept' ? [message.body] : []))
    expect(accepts.map(({ refused }) => refused[0]?.reason)).toEqual([
      ...Array(2).fill('not of this coordinator'),
      'no such bid',
    ])
  })

  it('T-3 an attempt that is awarded twice begins once, whichever input comes first', () => {
    const member = new Member()
    const { world } = member
    world.attach('n0', 'a', { slots: 2 })
    member.awards('n1-1-1', { kind: 'parts', transfer: 7, bytes: 6 })
    member.awards('n1-1-1', inline('"first"'))
    member.says({ kind: 'claims.part', body: { transfer: 7, offset: 0, bytes: bytesOf('"late"') } })
    expect(world.ran.map(({ order }) => order.input)).toEqual([bytesOf('"first"')])
    expect(resultsTo(world, 'n1')).toMatchObject([{ outcome: { kind: 'released', reason: 'payload-lost' } }])
    // One slot is taken and the other one is free.
    world.submit('n0')
    world.submit('n0')
    expect(world.ran).toHaveLength(2)
  })
})

describe('words of a member about an earlier life of this node', () => {
  const later = { skills: ['later'] }
  /** A result under a token of the first epoch. */
  const forge = (member: Member, task: string, attempt: number, isGood = true): void => {
    const failed = { kind: 'failed' as const, error: { code: 'X', message: '', retryable: true } }
    const completed = { kind: 'completed' as const, output: { kind: 'inline' as const, bytes: bytesOf('"forged"') } }
    const row = { task: task as TaskId, epoch: 1, attempt, agent: 'a', runMs: 1 }
    member.says({ kind: 'claims.result', body: { ...row, outcome: isGood ? completed : failed } })
  }
  /** n0 after a restart, with an open task; n1 has had a task of it before, if it is named. */
  const restarted = (isNamed: boolean): { readonly member: Member; readonly task: string } => {
    const member = new Member()
    const { world } = member
    world.loses = () => false
    if (isNamed) {
      world.attach('n1', 'a', {}, answering(1))
      world.submit('n0')
      world.run(100)
    }
    const task = world.submit('n0', later)
    world.kill('n0')
    world.loses = (_from, to) => to === member.id
    world.restart('n0')
    return { member, task }
  }

  it('T-2 are believed of those only whom the journal names, and for one lease', () => {
    const stranger = restarted(false)
    forge(stranger.member, stranger.task, 1)
    expect(stranger.member.world.report('n0', stranger.task).state).toBe('waiting')
    const former = restarted(true)
    const { world } = former.member
    world.run(world.params.leaseMs + world.params.leaseMarginMs)
    forge(former.member, former.task, 1)
    former.member.says({
      kind: 'claims.renew',
      body: { sequence: 1, leases: [{ task: former.task as TaskId, epoch: 1, attempt: 1 }] },
    })
    expect(world.report('n0', former.task).state).toBe('waiting')
    const recent = restarted(true)
    forge(recent.member, recent.task, 1)
    expect(recent.member.world.report('n0', recent.task).state).toBe('completed')
  })

  it('name no attempt from which one cannot go on counting', () => {
    const { member, task } = restarted(true)
    forge(member, task, 2 ** 48, false)
    expect(member.world.report('n0', task).attempts).toBe(0)
    forge(member, task, 2 ** 32, false)
    expect(member.world.report('n0', task).attempts).toBe(2 ** 32)
    member.world.loses = () => false
    member.world.attach('n1', 'b', { skills: [{ name: 'later', proficiency: 1 }] }, answering(1))
    member.world.run(20_000)
    expect(member.world.report('n0', task)).toMatchObject({ state: 'completed', attempts: 2 ** 32 + 1 })
  })
})

function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

function isParsed(json: string): boolean {
  try {
    JSON.parse(json)
    return true
  } catch {
    return false
  }
}

function resultsTo(world: World, to: string): readonly BodyOf<'claims.result'>[] {
  return world.sent.flatMap((sent) =>
    sent.to === to && sent.message.kind === 'claims.result' ? [sent.message.body] : [],
  )
}
