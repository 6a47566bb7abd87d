import { after } from '../kernel/index.ts'
import type { Group } from './demand.ts'
import type { Ground } from './ground.ts'

const RESTING = { kind: 'resting' } as const

/** Groups that found nobody, until it is time to look again or there is news of a skill that they want. */
export class Resting {
  readonly #ground: Ground
  readonly #again: (group: Group) => void
  /** By the skill that they asked for first. */
  readonly #bySkill = new Map<string, Set<Group>>()
  #count = 0

  /** @param again called with each group whose rest is over; it wakes it */
  constructor(ground: Ground, again: (group: Group) => void) {
    this.#ground = ground
    this.#again = again
  }

  of(skill: string): Iterable<Group> {
    return this.#bySkill.get(skill) ?? []
  }

  rest(group: Group, retryAfterMs: number | undefined): void {
    const { params, random, alarms, now } = this.#ground
    group.restMs = Math.min(params.reofferMaxMs, Math.max(params.reofferMinMs, 2 * group.restMs))
    const pacedMs = (this.#count * 1000) / params.reoffersPerSecond
    const forMs = Math.max(pacedMs, Math.min(params.reofferMaxMs, retryAfterMs ?? group.restMs))
    group.restAlarm = alarms.setFor(after(now, forMs * random.between(0.75, 1.25)), group, this.#again)
    group.quest = RESTING
    const [skill] = group.demand.body.skills
    if (skill === undefined) return
    this.#count += 1
    const resting = this.#bySkill.get(skill)
    if (resting === undefined) this.#bySkill.set(skill, new Set([group]))
    else resting.add(group)
  }

  wake(group: Group): void {
    if (group.quest.kind !== 'resting') return
    this.#ground.alarms.cancel(group.restAlarm)
    group.restAlarm = undefined
    group.settle()
    const [skill] = group.demand.body.skills
    if (skill === undefined) return
    const resting = this.#bySkill.get(skill)
    if (resting?.delete(group) === true) this.#count -= 1
    if (resting?.size === 0) this.#bySkill.delete(skill)
  }
}
