import {
  type AgentFacts,
  type AgentId,
  CLAIMS_BODIES,
  CLAIMS_PROFILES,
  Claims,
  type ClaimsAnswer,
  type ClaimsEffect,
  type ClaimsInput,
  type ClaimsMessage,
  type ClaimsObservation,
  type ClaimsParams,
  type ClaimsPeers,
  type ClaimsRecord,
  type ClaimsRequest,
  claimsRecord,
  originOf,
  type Refusal,
  type RequestId,
  type RunOrder,
  type Submission,
  type TaskReport,
} from '../../src/claims/index.ts'
import { evaluate, parseExpression } from '../../src/directory/index.ts'
import {
  err,
  type Millis,
  type NodeId,
  ok,
  Random,
  type Result,
  type Tick,
  type WallMillis,
} from '../../src/kernel/index.ts'
import { decode, encode, type Shape } from '../../src/wire/index.ts'
import { sealerOf } from '../support/sealer.ts'

const WALL_START = 1_760_000_000_000

export interface Ran {
  readonly node: string
  readonly agent: AgentId
  readonly order: RunOrder
  readonly at: number
}

/** What an agent does with an order; nothing by default. */
export type Behaviour = (ran: Ran, world: World) => void

interface Event {
  readonly at: number
  readonly order: number
  readonly run: () => void
}

/** One node: its core, its log, and what the core asked for. */
export class WorldNode {
  readonly id: NodeId
  core: Claims
  readonly log: ClaimsRecord[] = []
  epoch = 1
  isUp = true
  /** What reaches it while it stands still; undefined while it runs. */
  inbox: (() => void)[] | undefined
  region = 'eu'

  constructor(id: NodeId, core: Claims) {
    this.id = id
    this.core = core
  }
}

export interface WorldOptions {
  readonly nodes?: number
  readonly params?: Partial<ClaimsParams>
  readonly seed?: string
  readonly delayMs?: number
  readonly isPayload?: (bytes: Uint8Array) => boolean
}

/** Claims cores in virtual time over an ordered network, with agents that do as they are told. Bodies cross as bytes. */
export class World {
  readonly params: ClaimsParams
  readonly random: Random
  readonly nodes = new Map<string, WorldNode>()
  readonly ran: Ran[] = []
  readonly stopped: { readonly agent: string; readonly task: string; readonly reason: string }[] = []
  readonly steered: {
    readonly agent: string
    readonly task: string
    readonly attempt: number
    readonly input: string
  }[] = []
  /** Agents whose connections take nothing. */
  readonly deaf = new Set<AgentId>()
  readonly observed: ClaimsObservation[] = []
  readonly replies = new Map<number, Result<ClaimsAnswer, Refusal>>()
  readonly sent: { readonly from: string; readonly to: string; readonly message: ClaimsMessage }[] = []
  readonly effects: ClaimsEffect[] = []
  /** Messages for which this is true are lost. */
  loses: (from: string, to: string, message: ClaimsMessage) => boolean = () => false
  /** Messages for which this is true find the queue to the peer full. */
  refuses: (from: string, to: string, message: ClaimsMessage) => boolean = () => false
  /** How many ms longer a message takes: those of another lane come later than the others. */
  slows: (message: ClaimsMessage) => number = () => 0
  /** Links that each node wants, as it said last. */
  readonly wanted = new Map<string, readonly string[]>()
  readonly behaviours = new Map<string, Behaviour>()
  readonly #facts = new Map<string, Map<string, AgentFacts>>()
  readonly #events: Event[] = []
  readonly #cut = new Set<string>()
  readonly delayMs: number
  #order = 0
  #request = 0
  now = 0 as Millis

  readonly #isPayload: (bytes: Uint8Array) => boolean

  constructor(options: WorldOptions = {}) {
    this.params = { ...CLAIMS_PROFILES.lan, ...options.params }
    this.random = new Random(options.seed ?? 'world')
    this.delayMs = options.delayMs ?? 1
    // Most tests are about what is done with payloads, and not about what is in them.
    this.#isPayload = options.isPayload ?? (() => true)
    for (let i = 0; i < (options.nodes ?? 1); i++) this.#start(`n${i}` as NodeId, 1, [])
    for (const a of this.nodes.values()) for (const b of this.nodes.values()) if (a !== b) this.link(a.id, b.id)
  }

  node(id: string): WorldNode {
    const node = this.nodes.get(id)
    if (node === undefined) throw new Error(`there is no node ${id}`)
    return node
  }

  /** Steps one node and carries out what it asks for. */
  input(id: string, input: ClaimsInput | Tick): readonly ClaimsEffect[] {
    const node = this.node(id)
    const effects = node.core.step(this.now, input)
    for (const effect of effects) this.#perform(node, effect)
    return effects
  }

  attach(id: string, name: string, facts: Partial<AgentFacts> = {}, behaviour?: Behaviour): AgentId {
    const agent = `${name}@${id}` as AgentId
    const whole: AgentFacts = {
      name,
      skills: [{ name: 'echo', proficiency: 1 }],
      slots: 1,
      resources: {},
      labels: {},
      price: 0,
      ...facts,
    }
    const known = this.#facts.get(id) ?? new Map<string, AgentFacts>()
    known.set(agent, whole)
    this.#facts.set(id, known)
    if (behaviour !== undefined) this.behaviours.set(agent, behaviour)
    this.input(id, { kind: 'agent-attach', agent, facts: whole })
    this.#news(id)
    return agent
  }

  loseAgent(id: string, agent: AgentId): void {
    this.#facts.get(id)?.delete(agent)
    this.input(id, { kind: 'agent-lost', agent })
    this.#news(id)
  }

  ask(id: string, ask: ClaimsRequest): number {
    this.#request += 1
    this.input(id, { kind: 'request', request: this.#request as RequestId, ask })
    return this.#request
  }

  /** Submits and returns the task's id. */
  submit(id: string, submission: Partial<Submission> = {}): string {
    const outcome = this.replies.get(this.ask(id, { kind: 'submit', submission: submissionOf(submission) }))
    if (outcome?.ok !== true || outcome.value.kind !== 'accepted')
      throw new Error(`not accepted: ${JSON.stringify(outcome)}`)
    return outcome.value.task
  }

  refusal(id: string, submission: Partial<Submission>): Refusal | undefined {
    const outcome = this.replies.get(this.ask(id, { kind: 'submit', submission: submissionOf(submission) }))
    return outcome?.ok === false ? outcome.error : undefined
  }

  report(id: string, task: string): TaskReport {
    const report = this.node(id).core.task(task)
    if (report === undefined) throw new Error(`there is no task ${task}`)
    return report
  }

  /** Codes of the reasons why a task waits. */
  why(id: string, task: string): readonly string[] {
    return this.reasons(id, task).map(({ code }) => code)
  }

  /** The reasons with their words. */
  reasons(id: string, task: string): readonly { readonly code: string }[] {
    const outcome = this.replies.get(this.ask(id, { kind: 'why', task }))
    return outcome?.ok === true && outcome.value.kind === 'why' ? outcome.value.reasons : []
  }

  done(ran: Ran, output = 'ok'): void {
    const { order, agent } = ran
    this.input(ran.node, {
      kind: 'agent-result',
      agent,
      task: order.task,
      attempt: order.attempt,
      output: new TextEncoder().encode(output),
    })
  }

  fail(ran: Ran, retryable = true, code = 'BROKEN'): void {
    const { order, agent } = ran
    const error = { code, message: 'it broke', retryable }
    this.input(ran.node, { kind: 'agent-failed', agent, task: order.task, attempt: order.attempt, error })
  }

  /** Lets time pass, with everything that happens in it. */
  run(ms: number): void {
    const until = this.now + ms
    for (;;) {
      const due = this.#soonest()
      const next = this.#events[0]
      if (due.at > until && (next === undefined || next.at > until)) break
      if (next !== undefined && next.at <= due.at) {
        this.#events.shift()
        this.now = Math.max(this.now, next.at) as Millis
        next.run()
      } else {
        this.now = Math.max(this.now, due.at) as Millis
        this.input(due.id, { kind: 'tick' })
      }
    }
    this.now = until as Millis
  }

  later(ms: number, run: () => void): void {
    const event = { at: this.now + ms, order: this.#order++, run }
    let at = this.#events.length
    while (at > 0 && (this.#events[at - 1] as Event).at > event.at) at -= 1
    this.#events.splice(at, 0, event)
  }

  link(a: string, b: string): void {
    this.#cut.delete(`${a} ${b}`)
    this.#cut.delete(`${b} ${a}`)
    this.input(a, { kind: 'link-up', peer: b as NodeId })
    this.input(b, { kind: 'link-up', peer: a as NodeId })
  }

  /** Nothing gets through any more, and both sides know. */
  cut(a: string, b: string): void {
    this.silence(a, b)
    this.input(a, { kind: 'link-down', peer: b as NodeId })
    this.input(b, { kind: 'link-down', peer: a as NodeId })
  }

  /** Nothing gets through any more, and nobody knows. */
  silence(a: string, b: string): void {
    this.#cut.add(`${a} ${b}`)
    this.#cut.add(`${b} ${a}`)
  }

  /** The node's process stands still: a stopped process, a garbage collection. */
  pause(id: string): void {
    this.node(id).inbox = []
  }

  /** It goes on: with `first`, if given, before it looks at its clock; then with what has come meanwhile. */
  resume(id: string, first: ClaimsInput | Tick = { kind: 'tick' }): void {
    const node = this.node(id)
    const inbox = node.inbox ?? []
    node.inbox = undefined
    this.input(id, first)
    for (const deliver of inbox) deliver()
  }

  /** The node's process is gone, with its agents. */
  kill(id: string): void {
    const node = this.node(id)
    node.isUp = false
    this.#facts.delete(id)
    for (const other of this.nodes.values()) {
      if (other === node || !other.isUp) continue
      this.#cut.add(`${id} ${other.id}`)
      this.#cut.add(`${other.id} ${id}`)
      this.input(other.id, { kind: 'link-down', peer: node.id })
    }
  }

  restart(id: string): void {
    const { epoch, log } = this.node(id)
    this.#start(id as NodeId, epoch + 1, [...log])
    for (const other of this.nodes.values()) {
      if (other.id === id || !other.isUp) continue
      this.link(id, other.id)
      this.input(other.id, { kind: 'gap', peer: id as NodeId })
    }
  }

  /** Compacts the node's log as the runtime would. */
  compact(id: string): void {
    const node = this.node(id)
    const records = node.core.snapshot().map(throughBytes)
    node.log.splice(0, node.log.length, ...records)
  }

  #start(id: NodeId, epoch: number, log: ClaimsRecord[]): void {
    const core = new Claims({
      node: id,
      epoch,
      params: this.params,
      random: this.random.fork(`${id} ${epoch}`),
      peers: this.#peersOf(id),
      skillsOf: (node) =>
        [...(this.#facts.get(node)?.values() ?? [])].flatMap(({ skills }) => skills.map(({ name }) => name)),
      self: { org: 'org', region: 'eu', zone: '', labels: {} },
      records: log,
      isPayload: this.#isPayload,
      seal: sealerOf(id),
    })
    const node = new WorldNode(id, core)
    node.epoch = epoch
    node.log.push(...log)
    this.nodes.set(id, node)
    this.input(id, { kind: 'clock', wallNow: (WALL_START + this.now) as WallMillis })
  }

  /** A directory that knows at once who has which skill, and nothing else. */
  #peersOf(self: NodeId): ClaimsPeers {
    return {
      parse: (text) => {
        const parsed = parseExpression(text)
        if (!parsed.ok) return err(parsed.error)
        return ok({ text, holds: (attributes) => evaluate(parsed.value, attributes) })
      },
      choose: ({ skills, excluded }, count) => {
        const nodes = [...this.nodes.values()].filter(({ id, isUp }) => id !== self && isUp)
        const able = nodes.filter(({ id }) => {
          const facts = [...(this.#facts.get(id)?.values() ?? [])]
          return (
            !excluded.has(id) &&
            facts.some((each) => skills.every((skill) => each.skills.some(({ name }) => name === skill)))
          )
        })
        const obstacles = { skill: nodes.length - able.length }
        return {
          chosen: this.random.sample(able, count).map(({ id }) => ({ node: id, score: 1 })),
          eligible: able.length,
          obstacles,
        }
      },
      rttMs: () => 2 * this.delayMs,
      named: (origin) => [...this.nodes.values()].find(({ id }) => originOf(id) === origin)?.id,
    }
  }

  #news(id: string): void {
    this.later(this.delayMs, () => {
      for (const node of this.nodes.values()) {
        if (node.id !== id && node.isUp && node.inbox === undefined)
          this.input(node.id, { kind: 'candidate-changed', node: id as NodeId })
      }
    })
  }

  #soonest(): { readonly at: number; readonly id: string } {
    let soonest = { at: Number.POSITIVE_INFINITY, id: '' }
    for (const { id, core, isUp, inbox } of this.nodes.values()) {
      const at = core.deadline()
      if (isUp && inbox === undefined && at < soonest.at) soonest = { at, id }
    }
    return soonest
  }

  #perform(node: WorldNode, effect: ClaimsEffect): void {
    this.effects.push(effect)
    switch (effect.kind) {
      case 'send':
        this.#send(node, effect.to, effect.message)
        return
      case 'persist':
        for (const record of effect.records) node.log.push(throughBytes(record))
        return
      case 'run': {
        const ran: Ran = { node: node.id, agent: effect.agent, order: effect.order, at: this.now }
        this.ran.push(ran)
        const behaviour = this.behaviours.get(effect.agent)
        if (behaviour !== undefined) this.later(0, () => behaviour(ran, this))
        return
      }
      case 'stop':
        this.stopped.push({ agent: effect.agent, task: effect.task, reason: effect.reason })
        return
      case 'reply':
        this.replies.set(effect.request, effect.outcome)
        return
      case 'observe':
        this.observed.push(effect.observation)
        return
      case 'event':
        if (effect.event.kind === 'links-wanted') this.wanted.set(node.id, effect.event.peers)
        return
      case 'steer': {
        const { steering, agent, task, attempt, input } = effect
        const isTaken = !this.deaf.has(agent)
        if (isTaken) this.steered.push({ agent, task, attempt, input: new TextDecoder().decode(input) })
        this.later(0, () => this.input(node.id, { kind: 'steered', steering, isTaken }))
        return
      }
      case 'expel':
      case 'barrier':
      case 'task-changed':
      case 'task-progress':
        return
    }
  }

  #send(from: WorldNode, to: NodeId, message: ClaimsMessage): void {
    const shape = CLAIMS_BODIES[message.kind] as Shape<unknown>
    const bytes = encode(shape, message.body)
    if (this.refuses(from.id, to, message)) {
      this.later(0, () => this.input(from.id, { kind: 'refused', peer: to, message }))
      return
    }
    this.sent.push({ from: from.id, to, message })
    if (this.loses(from.id, to, message)) return
    const { core } = this.node(to)
    this.later(this.delayMs + this.slows(message), () => {
      const target = this.node(to)
      if (this.#cut.has(`${from.id} ${to}`) || !target.isUp || target.core !== core) return
      const body = decode(shape, bytes)
      if (!body.ok) throw new Error(`${message.kind} does not survive the wire: ${body.error}`)
      const heard = { kind: message.kind, body: body.value } as ClaimsMessage
      const deliver = (): void => void this.input(to, { kind: 'message', from: from.id, message: heard })
      if (target.inbox === undefined) deliver()
      else target.inbox.push(deliver)
    })
  }
}

export function submissionOf(partial: Partial<Submission>): Submission {
  return {
    skills: ['echo'],
    input: new TextEncoder().encode('"hi"'),
    tenant: 'default',
    priority: 5,
    guarantee: 'exactly-once',
    durable: true,
    resources: {},
    require: [],
    prefer: [],
    ...partial,
  }
}

function throughBytes(record: ClaimsRecord): ClaimsRecord {
  const decoded = decode(claimsRecord, encode(claimsRecord, record))
  if (!decoded.ok) throw new Error(`a record does not survive the log: ${decoded.error}`)
  return decoded.value
}

/** Answers after so long. */
export function answering(afterMs: number, output = 'ok'): Behaviour {
  return (ran, world) => world.later(afterMs, () => world.done(ran, output))
}

export function failing(afterMs: number, retryable = true): Behaviour {
  return (ran, world) => world.later(afterMs, () => world.fail(ran, retryable))
}
