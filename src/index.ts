/** The public API of swarm-node, and the only door through which `node/` sees `src/`. */

export * from './ipc/index.ts'
export {
  BoundedMap,
  BoundedQueue,
  ERROR_CODES,
  type ErrorCode,
  InvariantError,
  type Millis,
  SwarmError,
  unreachable,
} from './kernel/index.ts'
export { type Clock, realClock } from './runtime/clock.ts'
export { EXIT_INVARIANT, writeCrashReport } from './runtime/crash.ts'
export { Lifecycle, type Part } from './runtime/lifecycle.ts'
export { type HostObservation, OBSERVATIONS, rowOf } from './swarm/observations.ts'
