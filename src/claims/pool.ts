import { assert } from '../kernel/index.ts'

type Amounts = readonly (readonly [unit: string, amount: number])[]

/** Sums of amounts such as 0.1 are not exact; a pool that is full to within this is full. */
const ROUNDING = 1e-9
/** Share of the whole by which sums may be off. */
const ROUNDING_SHARE = 1e-6

/** So much of each unit, and what of it is taken (T-7). */
export class Pool {
  readonly total: ReadonlyMap<string, number>
  readonly #taken = new Map<string, number>()

  constructor(resources: Readonly<Record<string, number>>) {
    this.total = new Map(Object.entries(resources).filter(([, amount]) => amount > 0))
  }

  has(unit: string): boolean {
    return this.total.has(unit)
  }

  free(unit: string): number {
    return (this.total.get(unit) ?? 0) - (this.#taken.get(unit) ?? 0)
  }

  take(unit: string, amount: number): void {
    this.#taken.set(unit, (this.#taken.get(unit) ?? 0) + amount)
  }

  give(unit: string, amount: number): void {
    const left = (this.#taken.get(unit) ?? 0) - amount
    const whole = this.total.get(unit) ?? 0
    assert(left > -ROUNDING_SHARE * Math.max(1, whole), 'no more is given back than was taken', { unit, amount, left })
    if (left <= ROUNDING) this.#taken.delete(unit)
    else this.#taken.set(unit, left)
  }
}

/** Whether the amounts could ever be had: from the agent if it declares the unit, else from the host. */
export function couldHold(agent: Pool, host: Pool, amounts: Amounts): boolean {
  return amounts.every(([unit, amount]) => amount <= totalOf(agent, host, unit) + ROUNDING)
}

function totalOf(agent: Pool, host: Pool, unit: string): number {
  if (!agent.has(unit)) return host.total.get(unit) ?? 0
  const own = agent.total.get(unit) ?? 0
  return host.has(unit) ? Math.min(own, host.total.get(unit) ?? 0) : own
}

/** Whether they can be had now. A unit that both declare is limited by both. */
export function canHold(agent: Pool, host: Pool, amounts: Amounts): boolean {
  for (const [unit, amount] of amounts) {
    const byAgent = agent.has(unit)
    const byHost = host.has(unit)
    if (!byAgent && !byHost && amount > 0) return false
    if (byAgent && amount > agent.free(unit) + ROUNDING) return false
    if (byHost && amount > host.free(unit) + ROUNDING) return false
  }
  return true
}

export function takeFrom(agent: Pool, host: Pool, amounts: Amounts): void {
  for (const [unit, amount] of amounts) {
    if (agent.has(unit)) agent.take(unit, amount)
    if (host.has(unit)) host.take(unit, amount)
  }
}

export function giveBack(agent: Pool, host: Pool, amounts: Amounts): void {
  for (const [unit, amount] of amounts) {
    if (agent.has(unit)) agent.give(unit, amount)
    if (host.has(unit)) host.give(unit, amount)
  }
}
