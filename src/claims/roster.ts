import { after, assert } from '../kernel/index.ts'
import { Agent, AgentClass, classKeyOf, type Obstacle } from './agent.ts'
import type { Demand, Group } from './demand.ts'
import type { Tracks } from './estimates.ts'
import type { Ground } from './ground.ts'
import type { AgentId } from './ids.ts'
import { canHold, couldHold, giveBack, Pool, takeFrom } from './pool.ts'
import type { Lane } from './queue.ts'
import { Saving } from './saving.ts'
import { type Offered, scoreAll } from './score.ts'
import type { AgentFacts } from './types.ts'

/** A promise or a run has given its slot back, or a breaker has had its time: the agent may take more. */
export type Freed = (agent: Agent) => void

/** The agents attached here, in classes, with what of them is free. Knows nothing of tasks. T-7, T-8. */
export class Roster {
  readonly #ground: Ground
  readonly #tracks: Tracks
  readonly #agents = new Map<AgentId, Agent>()
  readonly #classes = new Map<string, AgentClass>()
  /** Classes by one of their skills: a demand looks at those of its first. */
  readonly #bySkill = new Map<string, Set<AgentClass>>()
  #host = new Pool({})
  #isDraining = false
  #hasMoreForAll = false
  #saving: Saving | undefined
  /** So many others take something before room is saved up again. */
  #othersFirst = 0
  /** Counts changes that others may want to know of. */
  version = 0

  constructor(ground: Ground, tracks: Tracks) {
    this.#ground = ground
    this.#tracks = tracks
  }

  get size(): number {
    return this.#agents.size
  }

  get isDraining(): boolean {
    return this.#isDraining
  }

  drain(): void {
    this.#isDraining = true
    this.version += 1
  }

  get(id: AgentId): Agent | undefined {
    return this.#agents.get(id)
  }

  values(): MapIterator<Agent> {
    return this.#agents.values()
  }

  classes(): MapIterator<AgentClass> {
    return this.#classes.values()
  }

  classesWith(skill: string | undefined): Iterable<AgentClass> {
    return (skill === undefined ? undefined : this.#bySkill.get(skill)) ?? []
  }

  get host(): Pool {
    return this.#host
  }

  /** What is taken stays taken of the new whole. Groups are to be judged anew. */
  setHost(resources: Readonly<Record<string, number>>, running: Iterable<Demand>): void {
    this.#host = new Pool(resources)
    for (const demand of running) {
      for (const [unit, amount] of demand.resources) if (this.#host.has(unit)) this.#host.take(unit, amount)
    }
    this.version += 1
  }

  attach(id: AgentId, facts: AgentFacts, groups: Iterable<Group>): Agent {
    const agent = new Agent(id, facts, this.#classOf(facts, groups))
    this.#agents.set(id, agent)
    agent.cls.members.add(agent)
    this.#place(agent)
    this.version += 1
    return agent
  }

  /** New facts of an agent that stays: its class may be another, what it runs goes on. */
  update(agent: Agent, facts: AgentFacts, running: Iterable<Demand>, groups: Iterable<Group>): void {
    this.#leaveClass(agent)
    agent.facts = facts
    agent.cls = this.#classOf(facts, groups)
    agent.cls.members.add(agent)
    agent.pool = new Pool(facts.resources)
    for (const demand of running) {
      for (const [unit, amount] of demand.resources) if (agent.pool.has(unit)) agent.pool.take(unit, amount)
    }
    this.#place(agent)
    this.version += 1
  }

  leave(agent: Agent): void {
    agent.isLeaving = true
    this.#place(agent)
    this.version += 1
  }

  silence(agent: Agent, isSilent: boolean): void {
    agent.isSilent = isSilent
    this.#place(agent)
    this.version += 1
  }

  remove(agent: Agent): void {
    agent.isLeaving = true
    this.#leaveClass(agent)
    this.#agents.delete(agent.id)
    this.version += 1
  }

  /** A new group: which classes can serve it. */
  judge(group: Group): void {
    for (const cls of this.classesWith(group.demand.body.skills[0])) this.#judgeFor(cls, group)
  }

  /** After the host's resources have changed. */
  judgeAll(groups: Iterable<Group>): void {
    for (const group of groups) this.judge(group)
  }

  forget(group: Group): void {
    for (const cls of this.classesWith(group.demand.body.skills[0])) {
      if (cls.serves.delete(group)) this.#unserve(cls, group)
    }
  }

  /** Whether some agent here could do it when it had nothing else to do. */
  couldServe(group: Group): boolean {
    for (const cls of this.classesWith(group.demand.body.skills[0])) {
      if (!cls.serves.has(group)) continue
      for (const agent of cls.members) if (!agent.isLeaving && this.#suits(agent, group)) return true
    }
    return false
  }

  /** What is missing here, the least missing first; undefined when nothing is. */
  obstacle(group: Group): Obstacle | undefined {
    const ranks: readonly Obstacle[] = ['constraint', 'resources', 'tenant', 'skill']
    let best: Obstacle = 'skill'
    for (const cls of this.#classes.values()) {
      const found = cls.obstacle(group, (pool) => couldHold(pool, this.#host, group.demand.resources))
      if (found === undefined) return undefined
      if (ranks.indexOf(found) < ranks.indexOf(best)) best = found
    }
    return best
  }

  /** The best of a few idle agents that can take it now. O(1), unless the idle have slots but lack what it needs. */
  find(group: Group): Agent | undefined {
    if (this.#isDraining) return undefined
    const found: Agent[] = []
    for (const cls of this.classesWith(group.demand.body.skills[0])) {
      if (cls.serves.has(group)) this.#sample(cls, group, found)
    }
    if (found.length < 2) return found[0]
    const offered = found.map((agent) => this.offerOf(agent, group.demand, 0))
    const scores = scoreAll(offered, group.demand.objective)
    let best = 0
    for (let i = 1; i < found.length; i++) if ((scores[i] as number) > (scores[best] as number)) best = i
    return found[best]
  }

  /** What an agent would bid. */
  offerOf(agent: Agent, demand: Demand, waitMs: number): Offered {
    const { executor } = agent
    const track = this.#tracks.find(executor, demand.skill)
    const prior = agent.proficiency(demand.body.skills)
    return {
      runMs: this.#tracks.expectedMs(executor, demand.skill),
      waitMs,
      price: agent.facts.price,
      quality: track === undefined ? prior : track.quality(prior),
      load: agent.used / Math.max(1, agent.facts.slots),
      preference: demand.prefer.length === 0 ? 1 : this.#preference(agent, demand),
    }
  }

  #preference(agent: Agent, demand: Demand): number {
    const attributes = agent.cls.attributes(agent.facts.name)
    return demand.prefer.filter((condition) => condition.holds(attributes) === true).length / demand.prefer.length
  }

  /** Whether the agent can take one now. */
  canTake(agent: Agent, group: Group): boolean {
    if (agent.slotsFree === 0 || this.#isDraining) return false
    const { demand } = group
    const saving = this.#saving
    if (saving !== undefined && saving.group !== group && !saving.spares(agent, this.#host, demand)) return false
    if (!canHold(agent.pool, this.#host, demand.resources) || !this.#suits(agent, group)) return false
    return this.#mayTry(agent, group)
  }

  #mayTry(agent: Agent, { demand }: Group): boolean {
    return this.#tracks.find(agent.executor, demand.skill)?.mayTry(this.#ground.now) ?? true
  }

  take(agent: Agent, demand: Demand): void {
    assert(agent.slotsFree > 0 && canHold(agent.pool, this.#host, demand.resources), 'T-7: only what is free is taken')
    agent.used += 1
    takeFrom(agent.pool, this.#host, demand.resources)
    const track = this.#tracks.find(agent.executor, demand.skill)
    if (track?.isShunned === true) track.probing = true
    if (this.#saving?.group.demand === demand) this.#endSaving()
    else if (this.#othersFirst > 0) this.#othersFirst -= 1
    this.#place(agent)
    this.version += 1
  }

  give(agent: Agent, demand: Demand): void {
    agent.used -= 1
    assert(agent.used >= 0, 'a slot is given back once')
    giveBack(agent.pool, this.#host, demand.resources)
    if (this.#host.total.size > 0) this.#hasMoreForAll ||= demand.resources.some(([unit]) => this.#host.has(unit))
    if (this.#agents.has(agent.id)) this.#place(agent)
    this.version += 1
  }

  /** Whether something that any agent may have waited for was given back since the last call: of the host's, or saved up. */
  hadMoreForAll(): boolean {
    const hadMore = this.#hasMoreForAll
    this.#hasMoreForAll = false
    return hadMore
  }

  /** The lane that an agent with a free slot is to serve. */
  next(agent: Agent): Lane | undefined {
    if (agent.slotsFree === 0 || this.#isDraining) return undefined
    this.checkSaving()
    if (this.#saving === undefined) this.#saveUp(agent)
    else if (this.#saving.agent === agent && this.canTake(agent, this.#saving.group)) return this.#saving.lane
    return agent.cls.selector.pick(this.#ground.now, (lane) => {
      const group = lane.group as Group
      return agent.cls.serves.has(group) && this.canTake(agent, group)
    })
  }

  /** To be called after whatever may have ended it. */
  checkSaving(): void {
    if (this.#saving?.isFor(this.#ground.now) === false) this.#endSaving()
  }

  /** Whoever was kept waiting looks again. */
  #endSaving(): void {
    this.#ground.alarms.cancel(this.#saving?.alarm)
    this.#saving = undefined
    this.#hasMoreForAll = true
    this.#othersFirst = this.#ground.params.agingEveryCount - 1
  }

  /** T-11: for as long as the oldest has waited already, if more than what is free is all that it waits for. */
  #saveUp(agent: Agent): void {
    if (this.#othersFirst > 0) return
    const { now } = this.#ground
    const lane = agent.cls.selector.aged(now, ({ group }) => this.#lacksRoom(agent, group as Group))
    if (lane?.head === undefined) return
    const until = after(now, now - lane.head.queuedAt)
    // It only has this looked at.
    const alarm = this.#ground.alarms.set(until, () => {})
    this.#saving = new Saving(agent, lane, until, alarm)
  }

  #lacksRoom(agent: Agent, group: Group): 'take' | 'next' | 'stop' {
    if (!agent.cls.serves.has(group) || !this.#suits(agent, group) || !this.#mayTry(agent, group)) return 'next'
    return canHold(agent.pool, this.#host, group.demand.resources) ? 'stop' : 'take'
  }

  #suits(agent: Agent, group: Group): boolean {
    const { demand } = group
    if (demand.body.budget !== undefined && agent.facts.price > demand.body.budget) return false
    if (demand.excluded.size > 0) {
      if (demand.excluded.has(this.#ground.node) || demand.excluded.has(agent.executor)) return false
    }
    if (agent.cls.serves.get(group) !== 'maybe') return true
    const attributes = agent.cls.attributes(agent.facts.name)
    return demand.require.every((condition) => condition.holds(attributes) === true)
  }

  #sample(cls: AgentClass, group: Group, found: Agent[]): void {
    const { random, params } = this.#ground
    const { idle } = cls
    // An agent is of one class: none of those found before.
    const first = found.length
    const tries = Math.min(params.sampleMax, idle.length)
    for (let i = 0; i < tries; i++) {
      const agent = idle[idle.length <= params.sampleMax ? i : random.below(idle.length)] as Agent
      if (!found.includes(agent, first) && this.canTake(agent, group)) found.push(agent)
    }
    if (found.length > first || idle.length <= params.sampleMax) return
    const able = idle.find((agent) => this.canTake(agent, group))
    if (able !== undefined) found.push(able)
  }

  #classOf(facts: AgentFacts, groups: Iterable<Group>): AgentClass {
    const key = classKeyOf(facts)
    const known = this.#classes.get(key)
    if (known !== undefined) return known
    const ground = this.#ground
    const cls = new AgentClass(key, facts, { ...ground.self, node: ground.node }, ground.params)
    this.#classes.set(key, cls)
    for (const { name } of facts.skills) {
      const known = this.#bySkill.get(name)
      if (known === undefined) this.#bySkill.set(name, new Set([cls]))
      else known.add(cls)
    }
    for (const group of groups) this.#judgeFor(cls, group)
    return cls
  }

  #judgeFor(cls: AgentClass, group: Group): void {
    const skill = group.demand.body.skills[0]
    if (skill === undefined || !cls.hasSkill(skill)) return
    const verdict = cls.judge(group, (pool) => couldHold(pool, this.#host, group.demand.resources))
    if (verdict === 'no') {
      // A lane may stay among those to pick from: `next` asks again whether it is served.
      cls.serves.delete(group)
      group.unserve(cls.selector)
      return
    }
    cls.serves.set(group, verdict)
    group.serve(cls.selector)
    for (const lane of group.lanes) cls.selector.include(lane)
  }

  #leaveClass(agent: Agent): void {
    const { cls } = agent
    this.#unplace(agent)
    cls.members.delete(agent)
    if (cls.members.size > 0) return
    this.#classes.delete(cls.key)
    for (const { name } of cls.facts.skills) {
      const classes = this.#bySkill.get(name)
      classes?.delete(cls)
      if (classes?.size === 0) this.#bySkill.delete(name)
    }
    for (const group of cls.serves.keys()) this.#unserve(cls, group)
  }

  #unserve({ selector }: AgentClass, group: Group): void {
    group.unserve(selector)
    for (const lane of group.lanes) lane.leave(selector)
  }

  /** Among the idle or not, as its slots are. */
  #place(agent: Agent): void {
    const isIdle = agent.slotsFree > 0
    if (isIdle === agent.idleAt >= 0) return
    if (!isIdle) {
      this.#unplace(agent)
      return
    }
    agent.idleAt = agent.cls.idle.length
    agent.cls.idle.push(agent)
  }

  #unplace(agent: Agent): void {
    if (agent.idleAt < 0) return
    const { idle } = agent.cls
    const last = idle.pop() as Agent
    if (last !== agent) {
      idle[agent.idleAt] = last
      last.idleAt = agent.idleAt
    }
    agent.idleAt = -1
  }
}
