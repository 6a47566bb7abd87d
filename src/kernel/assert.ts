/**
 * A broken invariant: a bug in this program, never a fault of a peer, an agent or the operator.
 * The runtime answers with exit code 70 and the state that broke it.
 */
export class InvariantError extends Error {
  readonly details: Readonly<Record<string, unknown>>

  constructor(message: string, details: Readonly<Record<string, unknown>> = {}) {
    super(message)
    this.name = 'InvariantError'
    this.details = details
  }
}

/**
 * Stops the process when a condition that must hold does not. Always on: going on wrong costs more than stopping.
 *
 * @throws InvariantError
 */
export function assert(
  condition: unknown,
  message: string,
  details?: Readonly<Record<string, unknown>>,
): asserts condition {
  if (!condition) throw new InvariantError(message, details)
}

/** Ends an exhaustive `switch`: the compiler proves that it is never reached, and if it is, that is a bug. */
export function unreachable(value: never): never {
  throw new InvariantError('an exhaustive switch met a value outside its type', { value })
}
