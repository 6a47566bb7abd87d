import type { NodeId, WallMillis } from '../../src/kernel/index.ts'
import type { Height, Machine, MachineRefusal } from '../../src/wire/index.ts'

/** The state of a machine as one text. */
export function rootOf(machine: Machine): string {
  return machine
    .snapshot()
    .map((piece) => Buffer.from(piece).toString('hex'))
    .join(' ')
}

/** One operation as consensus hands it over. */
export interface Step {
  readonly client: string
  readonly operation: Uint8Array
  readonly at: number
}

export function applyStep(machine: Machine, { client, operation, at }: Step, height = 1) {
  return machine.apply(operation, { client: client as NodeId, height: height as Height, at: at as WallMillis })
}

/**
 * What holds for every machine, whatever is applied: refusals leave no trace, `check` says what `apply` will, a snapshot
 * restored is the state it was taken of, a replay gives the same, and pieces keep to their bound.
 */
export function runMachine(
  fresh: () => Machine,
  steps: readonly Step[],
  each: (step: Step, outcome: { readonly result: Uint8Array } | MachineRefusal, machine: Machine) => void = () => {},
): Machine {
  const machine = fresh()
  for (const [i, step] of steps.entries()) {
    const before = rootOf(machine)
    const advice = machine.check(step.operation, step.client as NodeId)
    if (rootOf(machine) !== before) throw new Error('a check left a trace')
    const outcome = applyStep(machine, step)
    if ('code' in outcome) {
      if (rootOf(machine) !== before) throw new Error(`a refusal left a trace: ${outcome.code}`)
      if (outcome.reason.length < 10) throw new Error('a refusal says nothing')
    } else {
      if (rootOf(machine) === before) throw new Error('what was applied left no trace')
      if (advice !== undefined) throw new Error(`a check refused what was applied: ${advice.code}`)
    }
    if (i % 7 === 0) {
      const restored = fresh()
      if (!restored.restore(machine.snapshot())) throw new Error('a snapshot was not taken over')
      if (rootOf(restored) !== rootOf(machine)) throw new Error('a snapshot is another state')
    }
    if (machine.snapshot().some((piece) => piece.length > 128 * 1024)) throw new Error('a piece is too long')
    each(step, outcome, machine)
  }
  const replayed = fresh()
  for (const step of steps) applyStep(replayed, step)
  if (rootOf(replayed) !== rootOf(machine)) throw new Error('a replay gives another state')
  return machine
}
