import type { AgentFacts, AgentId, RunOrder } from '../../src/claims/index.ts'
import { Random } from '../../src/kernel/index.ts'
import type { Simulation, SwarmProgram } from '../../src/sim/index.ts'
import type { ClaimsHostEffect } from '../../src/swarm/index.ts'
import { SKILLS, TIERS } from './claims-conditions.ts'

/** The trace of a task whose first attempt nobody ever answers: whoever has it is to be switched off. */
export const HELD = 'held'

/** How an agent misbehaves, if it does. */
const BEHAVIOURS = ['good', 'good', 'good', 'twice', 'never', 'garbage', 'fails', 'stubborn', 'flaky', 'late'] as const
type Behaviour = (typeof BEHAVIOURS)[number]

/** One order at one agent: from being handed over until the agent lets go of it. */
export interface Execution {
  readonly machine: number
  readonly agent: AgentId
  readonly order: RunOrder
  readonly at: number
  /** What it answers if it answers: no two executions answer alike. */
  readonly output: string
}

/** Of the agents that are not good, those that stand still now and then. */
const FREEZING_SHARE = 0.3

/** One answer in so many is too long for one message. */
const LONG_OUTPUT_EVERY = 40
const LONG_OUTPUT_CHARS = 150_000

interface SimAgent {
  readonly id: AgentId
  readonly machine: number
  facts: AgentFacts
  readonly behaviour: Behaviour
  readonly random: Random
  readonly running: Map<string, Execution>
  /** Those of the running that it was not told to stop. */
  readonly wanted: Set<Execution>
  isAttached: boolean
  isDetached: boolean
  /** Its process stands still (SIGSTOP) until then: it says nothing, and does what it is told after that. */
  frozenUntil: number
  /** The node has been told that it says nothing. */
  isSilent: boolean
}

export interface AgentsWatcher {
  /** `running` is what that agent works on now, `onHost` what all agents of the machine do. */
  started(execution: Execution, facts: AgentFacts, running: readonly Execution[], onHost: readonly Execution[]): void
  /** It accepts and fails at once, as it does always. */
  failing(execution: Execution, facts: AgentFacts): void
  /** It was handed something after it had said that it takes no more, or while it says nothing. */
  goneButAsked(execution: Execution): void
  /** It was handed extra input; `isRunning`: for something that it works on. */
  steered(machine: number, task: string, input: Uint8Array, isRunning: boolean): void
}

/** Processors that the agents of a machine share; every other machine says nothing about them. */
export function hostCpuOf(machine: number): number | undefined {
  return machine % 4 === 1 ? 3 : undefined
}

/** Agents of all machines, good and bad, as separate programs would be: they know nothing of leases. */
export class SimAgents {
  readonly #sim: Simulation<SwarmProgram>
  readonly #watcher: AgentsWatcher
  /** Whether the agents of a machine can do everything, and always do. */
  readonly #isAble: (machine: number) => boolean
  readonly #agents = new Map<AgentId, SimAgent>()
  #counter = 0
  #healed = false

  constructor(sim: Simulation<SwarmProgram>, watcher: AgentsWatcher, isAble: (machine: number) => boolean) {
    this.#sim = sim
    this.#watcher = watcher
    this.#isAble = isAble
  }

  /** A machine has started: its agents attach, each in its own time. */
  boot(machine: number): void {
    const random = new Random(`${this.#sim.random.seed}/agents/${machine}`)
    const count = this.#isAble(machine) ? 3 : random.below(4)
    const cpu = hostCpuOf(machine)
    if (cpu !== undefined) this.#later(machine, 0, (program) => program.tell({ kind: 'capacity', resources: { cpu } }))
    for (let i = 0; i < count; i++) this.#join(machine, i, random.fork(`${i}`))
  }

  down(machine: number): void {
    for (const agent of [...this.#agents.values()]) if (agent.machine === machine) this.#agents.delete(agent.id)
  }

  /** From now on all agents are good; what is stuck is given up. */
  heal(): void {
    this.#healed = true
    for (const agent of [...this.#agents.values()]) if (agent.behaviour !== 'good') this.#leave(agent, 100)
  }

  /** Whether somebody works on it and was not told to stop. */
  isWanted(execution: Execution): boolean {
    return this.#agents.get(execution.agent)?.wanted.has(execution) === true
  }

  perform(machine: number, effect: ClaimsHostEffect): void {
    if (effect.kind === 'run') this.#run(machine, effect.agent, effect.order)
    else if (effect.kind === 'stop') this.#stop(effect.agent, effect.task, effect.attempt)
    else if (effect.kind === 'steer') this.#steer(machine, effect)
    else if (effect.kind === 'expel') {
      const agent = this.#agents.get(effect.agent)
      if (agent !== undefined) this.#leave(agent, 500)
    }
  }

  #join(machine: number, index: number, random: Random): void {
    this.#counter += 1
    const isAble = this.#isAble(machine)
    const isGood = this.#healed || isAble
    const facts = factsOf(isAble, index, random)
    const agent: SimAgent = {
      id: `${machine}.${index}.${this.#counter}` as AgentId,
      machine,
      facts,
      behaviour: isGood ? 'good' : random.pick(BEHAVIOURS),
      random: random.fork('behaviour'),
      running: new Map(),
      wanted: new Set(),
      isAttached: false,
      isDetached: false,
      frozenUntil: 0,
      isSilent: false,
    }
    this.#later(machine, random.between(0, 300), (program) => {
      this.#agents.set(agent.id, agent)
      agent.isAttached = true
      program.tell({ kind: 'agent-attach', agent: agent.id, facts })
      if (isGood) return
      this.#changeSometimes(agent)
      if (random.fork('freezes').chance(FREEZING_SHARE)) this.#freezeSometimes(agent)
    })
  }

  /** It says something else about itself, or that it takes no more, and goes when it likes. */
  #changeSometimes(agent: SimAgent): void {
    const random = agent.random.fork('changes')
    this.#later(agent.machine, random.exponential(20_000), (program) => {
      if (!agent.isAttached || this.#healed) return
      if (random.chance(0.3)) {
        // After the step: what was due by then is given before the agent is heard.
        program.tell({ kind: 'agent-detach', agent: agent.id })
        agent.isDetached = true
        this.#later(agent.machine, random.between(0, 8_000), () => this.#leave(agent, random.between(0, 2_000)))
        return
      }
      const changes = {
        labels: { tier: random.pick(TIERS) },
        price: random.below(5),
        slots: agent.facts.slots + random.below(2),
      }
      agent.facts = { ...agent.facts, ...changes }
      program.tell({ kind: 'agent-update', agent: agent.id, facts: changes })
      this.#changeSometimes(agent)
    })
  }

  /** It stands still, and its node finds that out or does not. T-14. */
  #freezeSometimes(agent: SimAgent): void {
    const random = agent.random.fork('freezes')
    this.#later(agent.machine, random.exponential(10_000), () => {
      if (!agent.isAttached || this.#healed) return
      const forMs = random.between(500, 15_000)
      agent.frozenUntil = this.#sim.now + forMs
      this.#later(agent.machine, random.between(300, 3_000), (program) => {
        if (!agent.isAttached || this.#sim.now >= agent.frozenUntil) return
        program.tell({ kind: 'agent-silent', agent: agent.id })
        agent.isSilent = true
      })
      this.#later(agent.machine, forMs, (program) => {
        if (agent.isAttached && agent.isSilent) {
          agent.isSilent = false
          program.tell({ kind: 'agent-heard', agent: agent.id })
        }
        this.#freezeSometimes(agent)
      })
    })
  }

  /** Its connection breaks; soon after another one of the kind is there. */
  #leave(agent: SimAgent, backAfterMs: number): void {
    if (!this.#agents.delete(agent.id)) return
    agent.isAttached = false
    agent.running.clear()
    agent.wanted.clear()
    this.#later(agent.machine, 0, (program) => program.tell({ kind: 'agent-lost', agent: agent.id }))
    const index = Number(agent.id.split('.')[1])
    const random = new Random(`${this.#sim.random.seed}/agents/${agent.machine}`).fork(`${index}`)
    this.#later(agent.machine, backAfterMs, () => this.#join(agent.machine, index, random))
  }

  #run(machine: number, id: AgentId, order: RunOrder): void {
    this.#counter += 1
    const isLong = this.#counter % LONG_OUTPUT_EVERY === 0
    const output = `${order.task}/${order.attempt}@${machine}.${this.#counter}${isLong ? '.'.repeat(LONG_OUTPUT_CHARS) : ''}`
    const execution: Execution = { machine, agent: id, order, at: this.#sim.now, output }
    const agent = this.#agents.get(id)
    if (agent === undefined || agent.machine !== machine) {
      // Handed to an agent that has just gone: the node will hear of it.
      return
    }
    agent.running.set(keyOf(order.task, order.attempt), execution)
    agent.wanted.add(execution)
    if (agent.isDetached || agent.isSilent) this.#watcher.goneButAsked(execution)
    const onHost = [...this.#agents.values()].filter((other) => other.machine === machine)
    const allRunning = onHost.flatMap(({ running }) => [...running.values()])
    this.#watcher.started(execution, agent.facts, [...agent.running.values()], allRunning)
    this.#behave(agent, execution)
  }

  #steer(
    machine: number,
    { steering, agent: id, task, attempt, input }: Extract<ClaimsHostEffect, { kind: 'steer' }>,
  ): void {
    const isTaken = this.#agents.has(id)
    const isRunning = this.#agents.get(id)?.running.has(keyOf(task, attempt)) === true
    this.#watcher.steered(machine, task, input, isRunning || !isTaken)
    this.#later(machine, 0, (program) => program.tell({ kind: 'steered', steering, isTaken }))
  }

  #behave(agent: SimAgent, execution: Execution): void {
    const { random } = agent
    if (execution.order.trace === HELD && execution.order.attempt === 1) return
    const behaviour = this.#healed ? 'good' : agent.behaviour
    const isLong = behaviour === 'late' || (!this.#healed && random.chance(0.15))
    const forMs = isLong ? random.between(5_000, 25_000) : random.exponential(400)
    switch (behaviour) {
      case 'never':
        return
      case 'fails':
        this.#watcher.failing(execution, agent.facts)
        this.#answer(agent, execution, 1, 'failure')
        return
      case 'twice':
        this.#answer(agent, execution, forMs, 'result')
        this.#answer(agent, execution, forMs + random.between(0, 500), 'result')
        return
      case 'garbage':
        this.#garbage(agent, execution, forMs / 2)
        this.#answer(agent, execution, forMs, 'result')
        return
      case 'flaky':
        if (random.chance(0.3))
          this.#later(agent.machine, forMs / 2, () => this.#leave(agent, random.between(0, 2_000)))
        this.#answer(agent, execution, forMs, random.chance(0.3) ? 'failure' : 'result')
        return
      default:
        this.#answer(agent, execution, forMs, 'result')
    }
  }

  /** A well-behaved agent stops and says so; a stubborn one works on and answers late; one that never answers, never. */
  #stop(id: AgentId, task: string, attempt: number): void {
    const agent = this.#agents.get(id)
    const execution = agent?.running.get(keyOf(task, attempt))
    if (agent === undefined || execution === undefined) return
    agent.wanted.delete(execution)
    const isBad = agent.behaviour === 'stubborn' || agent.behaviour === 'never' || agent.behaviour === 'late'
    if (isBad && !this.#healed) return
    this.#answer(agent, execution, agent.random.between(0, 50), 'failure')
  }

  #answer(agent: SimAgent, execution: Execution, afterMs: number, what: 'result' | 'failure'): void {
    const { task, attempt } = execution.order
    this.#later(agent.machine, afterMs, (program) => {
      if (!agent.isAttached) return
      if (agent.frozenUntil > this.#sim.now) {
        this.#answer(agent, execution, agent.frozenUntil - this.#sim.now + 1, what)
        return
      }
      agent.running.delete(keyOf(task, attempt))
      agent.wanted.delete(execution)
      if (what === 'result') {
        const output = new TextEncoder().encode(execution.output)
        program.tell({ kind: 'agent-result', agent: agent.id, task, attempt, output })
      } else {
        const error = { code: 'BROKEN', message: 'it broke', retryable: true }
        program.tell({ kind: 'agent-failed', agent: agent.id, task, attempt, error })
      }
    })
  }

  /** Answers to what it was never asked. */
  #garbage(agent: SimAgent, { order }: Execution, afterMs: number): void {
    this.#later(agent.machine, afterMs, (program) => {
      if (!agent.isAttached) return
      const output = new TextEncoder().encode('garbage')
      const { id } = agent
      if (!agent.running.has(keyOf(order.task, order.attempt + 1))) {
        program.tell({ kind: 'agent-result', agent: id, task: order.task, attempt: order.attempt + 1, output })
      }
      program.tell({ kind: 'agent-result', agent: id, task: 'no-such-task', attempt: 1, output })
      program.tell({
        kind: 'agent-result',
        agent: 'nobody' as AgentId,
        task: order.task,
        attempt: order.attempt,
        output,
      })
    })
  }

  /** As I/O of that machine's present process: late while it is paused, void once it is gone. */
  #later(machine: number, afterMs: number, run: (program: SwarmProgram) => void): void {
    const process = this.#sim.processOf(machine)
    process?.later(() => {
      const program = this.#sim.programOf(machine)
      if (program !== undefined) run(program)
    }, this.#sim.now + afterMs)
  }
}

function keyOf(task: string, attempt: number): string {
  return `${task}/${attempt}`
}

/** Some machines have everything: the first, so that every task without constraints can be done in every core. */
function factsOf(isAble: boolean, index: number, random: Random): AgentFacts {
  const skills = isAble ? SKILLS : random.sample(SKILLS, 1 + random.below(SKILLS.length))
  const tenants = isAble || random.chance(0.8) ? undefined : [`t${random.below(3)}`]
  return {
    name: `agent${index}`,
    skills: skills.map((name) => ({ name, proficiency: random.float() })),
    slots: isAble ? 4 : 1 + random.below(3),
    resources: isAble ? { cpu: 8 } : { cpu: 1 + random.below(4) },
    labels: { tier: isAble ? (TIERS[index % 2] as string) : random.pick(TIERS) },
    price: random.below(5),
    ...(tenants === undefined ? {} : { tenants }),
  }
}
