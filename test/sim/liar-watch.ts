import type { AgentFacts, RunOrder, TaskReport, Token } from '../../src/claims/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { type Checker, type Machine, type Simulation, type SwarmProgram, simNodeId } from '../../src/sim/index.ts'
import type { ClaimsHostEffect } from '../../src/swarm/index.ts'
import type { MessageKind } from '../../src/wire/index.ts'
import type { Work } from './claims-checker.ts'
import { CONDITIONS } from './claims-conditions.ts'
import { isPayload, USURPED } from './lies/making.ts'
import { decoded } from './lies/members.ts'
import type { Body } from './lies/types.ts'

type Demand = Body<'claims.offer'>['demand']

interface Award {
  readonly offer: number
  readonly epoch: number
  readonly attempt: number
  readonly input: Uint8Array | undefined
}

/** A restarted coordinator believes peers that it once awarded something about its earlier life for so long. CL-17. */
const BELIEVED_MS = 10_000 + 250
const CLOCK_SLACK_MS = 500

/**
 * What liars and those they deal with have said to each other, from which follows what may come of it: CL-17, CL-18. Keeps
 * all offers of liars and all awards, as they went over the network.
 */
export class LiarWatch implements Checker<SwarmProgram> {
  readonly #sim: Simulation<SwarmProgram>
  readonly #liars: ReadonlySet<number>
  /** By coordinator, executor and task. */
  readonly #awards = new Map<string, Award[]>()
  /** By liar, executor and number of the offer. */
  readonly #offers = new Map<string, Demand[]>()
  /** Coordinators and the executors that they ever awarded anything. */
  readonly #everAwarded = new Set<string>()
  readonly #bootedAt: number[] = []
  /** Tasks that a liar wanted cancelled: whoever is a member may. */
  readonly cancelled = new Set<string>()

  constructor(sim: Simulation<SwarmProgram>, liars: Iterable<number>) {
    this.#sim = sim
    this.#liars = new Set(liars)
  }

  isLiar(machine: number): boolean {
    return this.#liars.has(machine)
  }

  isLyingNode(node: string | undefined): boolean {
    return node !== undefined && [...this.#liars].some((machine) => simNodeId(machine) === node)
  }

  /** Whether its name says that a liar coordinates it. */
  isLiarsTask(task: string): boolean {
    return this.isLyingNode(task.split('-')[0])
  }

  onBoot(machine: Machine): void {
    this.#bootedAt[machine.index] = this.#sim.now
  }

  onSend(machine: Machine, to: NodeId, kind: MessageKind, bytes: Uint8Array): void {
    const isByLiar = this.isLiar(machine.index)
    if (kind !== 'claims.award' && !(isByLiar && (kind === 'claims.offer' || kind === 'claims.query'))) return
    const message = decoded(kind, bytes)
    if (message?.kind === 'claims.award') this.#onAward(machine.node, to, message.body)
    else if (message?.kind === 'claims.offer') {
      const { offer, demand } = message.body
      push(this.#offers, `${machine.node} ${to} ${offer}`, demand)
    } else if (message?.kind === 'claims.query' && message.body.ask.kind === 'cancel')
      this.cancelled.add(message.body.ask.task)
  }

  /** What an order to an agent of a node that does not lie came from: of a liar's tasks, what it offered them as. */
  judge(machine: number, order: RunOrder, work: Work | undefined): Work | undefined {
    const executor = simNodeId(machine)
    if (!isPayload(order.input))
      this.#violate('CL-18', machine, `an agent was given what is no payload for ${order.task}`)
    const [origin = ''] = order.task.split('-')
    if (!this.isLyingNode(origin)) {
      const isOwn = origin === executor
      if (!isOwn && !this.#awardOf(origin, executor, order.task, order.attempt))
        this.#violate(
          'CL-17',
          machine,
          `an agent was given attempt ${order.attempt} of ${order.task}, which ${origin} never awarded`,
        )
      if (work !== undefined && !sameBytes(work.submission.input, order.input))
        this.#violate('CL-17', machine, `${order.task} has another input at its agent than it was submitted with`)
      return work
    }
    const awards = (this.#awards.get(`${origin} ${executor} ${order.task}`) ?? []).filter(
      ({ attempt, input }) => attempt === order.attempt && (input === undefined || sameBytes(input, order.input)),
    )
    const demands = awards.flatMap(({ offer }) => this.#offers.get(`${origin} ${executor} ${offer}`) ?? [])
    if (demands.length > 0) return strangersWork(order, machine, demands)
    this.#violate('CL-17', machine, `an agent was given ${order.task}, which no liar offered and awarded so`)
    return undefined
  }

  /** Whether a liar was given it, ever. */
  everHadBy(task: string): boolean {
    return [...this.#liars].some((machine) => this.#awards.has(`${task.split('-')[0]} ${simNodeId(machine)} ${task}`))
  }

  /** T-2, T-3: a liar's result counts only for an attempt that it was given, or that it may say an earlier life gave it. */
  mayEnd(coordinator: Machine, executor: string, task: string, { epoch, attempt }: Token): boolean {
    const key = `${coordinator.node} ${executor}`
    const awards = this.#awards.get(`${key} ${task}`) ?? []
    if (awards.some((award) => award.epoch === epoch && award.attempt === attempt)) return true
    return this.#everAwarded.has(key) && this.mayBelieve(coordinator)
  }

  /** It has just been restarted, and takes peers that had awards at their word. */
  mayBelieve({ index, node }: Machine): boolean {
    const isEarlierLife = (this.#sim.programOf(index)?.claims.epoch ?? 0) > 1
    return isEarlierLife && this.#sim.now - (this.#bootedAt[index] ?? 0) <= BELIEVED_MS + CLOCK_SLACK_MS && node !== ''
  }

  /** CL-13: extra input is for what an agent works on, and comes by way of its coordinator. */
  steered(machine: number, task: string, input: Uint8Array, isRunning: boolean): void {
    if (this.isLiar(machine)) return
    if (!isRunning)
      this.#violate('CL-13', machine, `an agent was given extra input for ${task}, which it does not work on`)
    if (!this.isLiarsTask(task) && sameBytes(input, USURPED))
      this.#violate(
        'CL-13',
        machine,
        `an agent was given extra input for ${task} that its coordinator has not passed on`,
      )
  }

  /** What reaches agents and clients at nodes that do not lie. */
  onEffect(machine: number, effect: ClaimsHostEffect): void {
    const payload =
      effect.kind === 'steer'
        ? effect.input
        : effect.kind === 'task-progress'
          ? effect.partial
          : effect.kind === 'reply' && effect.outcome.ok && effect.outcome.value.kind === 'report'
            ? effect.outcome.value.report.output
            : undefined
    if (
      effect.kind === 'reply' &&
      !effect.outcome.ok &&
      effect.outcome.error.message.startsWith('too many wait for tasks at this node')
    )
      this.#violate('CL-19', machine, 'a client of this node finds no room to wait, which half of is for them')
    if (payload !== undefined && !isPayload(payload))
      this.#violate('CL-18', machine, `what is no payload was handed on as ${effect.kind}`)
  }

  /** CL-19: nobody else waits for so much that an equal share of the room would be full. */
  refused(machine: number, task: string, message: string): void {
    if (message !== 'too many wait for tasks at that node' || this.isLiarsTask(task)) return
    this.#violate('CL-19', machine, `there is no room to wait for ${task}, though its node waits for little there`)
  }

  /** Nothing limits how long it runs, and its executor lies. */
  mayRunForEver({ state, executor }: TaskReport, { submission }: Work): boolean {
    const isLimited = submission.runTimeoutMs !== undefined || submission.deadlineMs !== undefined
    return !isLimited && state === 'running' && this.isLyingNode(executor?.node)
  }

  #onAward(from: NodeId, to: NodeId, { offer, epoch, tasks }: Body<'claims.award'>): void {
    this.#everAwarded.add(`${from} ${to}`)
    for (const { task, attempt, input } of tasks) {
      const bytes = input.kind === 'inline' ? input.bytes : undefined
      push(this.#awards, `${from} ${to} ${task}`, { offer, epoch, attempt, input: bytes })
    }
  }

  #awardOf(coordinator: string, executor: string, task: string, attempt: number): boolean {
    const awards = this.#awards.get(`${coordinator} ${executor} ${task}`) ?? []
    return awards.some((award) => award.attempt === attempt)
  }

  #violate(clause: string, machine: number, text: string): void {
    this.#sim.violate(clause, text, machine)
  }
}

/** A liar's task as it may have been offered: what any of those offers would have allowed. */
function strangersWork(order: RunOrder, machine: number, demands: readonly Demand[]): Work {
  const cpu = Math.min(...demands.filter(isSound).map(({ resources }) => resources.cpu ?? 0))
  return {
    id: order.task,
    machine,
    submission: {
      skills: order.skills,
      input: order.input,
      tenant: order.tenant,
      priority: 0,
      guarantee: 'at-least-once',
      durable: false,
      resources: { cpu },
      require: [],
      prefer: [],
    },
    fits: (facts, at) => demands.some((demand) => isSound(demand) && fits(demand, facts, at)),
    task: order.task,
    acknowledged: false,
    cancelAcknowledged: false,
    executions: [],
  }
}

const isNumber = (value: number): boolean => Number.isFinite(value) && value >= 0

/** CL-17: what a submission could say. */
function isSound({ skills, resources, budget = 0, objective }: Demand): boolean {
  const weights = Object.values(objective)
  return (
    skills.length > 0 &&
    [...Object.values(resources), budget, ...weights].every(isNumber) &&
    weights.every((each) => each <= 1e6)
  )
}

/** T-8, of the conditions that simulations know: whatever else is asked for, nobody is. */
function fits(demand: Demand, facts: AgentFacts, machine: number): boolean {
  const { skills, resources, require, tenant, budget } = demand
  return (
    skills.every((skill) => facts.skills.some(({ name }) => name === skill)) &&
    require.every((condition) => CONDITIONS[condition]?.(facts, machine) === true) &&
    (facts.tenants?.includes(tenant) ?? true) &&
    facts.price <= (budget ?? Number.POSITIVE_INFINITY) &&
    (resources.cpu ?? 0) <= (facts.resources.cpu ?? 0)
  )
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}

function push<T>(lists: Map<string, T[]>, key: string, item: T): void {
  const list = lists.get(key)
  if (list === undefined) lists.set(key, [item])
  else list.push(item)
}
