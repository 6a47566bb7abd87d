import type { ErrorCode, Millis, NodeId, Observation, Random, WallMillis } from '../kernel/index.ts'
import type { LogHandler, NetworkHandler, NetworkPort } from '../wire/index.ts'
import type { MemoryLog } from './memory-log.ts'

/** What runs on a machine: whoever handles its ports. `src/swarm`'s host in earnest, a toy in the simulator's tests. */
export interface Program extends NetworkHandler, LogHandler {
  /** The moment that was last asked for by {@link Host.schedule} has come. */
  onTimer(): void
  /** Why it would not be linked to that peer: what its side of the handshake says. Absent: it talks to everyone. */
  refuses?(peer: NodeId): ErrorCode | undefined
}

/** What a machine offers to the program on it: the ports, and nothing of the world outside. */
export interface Host {
  readonly node: NodeId
  /** Which machine this is, from 0; for labels and for the simulator's own books. */
  readonly machine: number
  /** Which start of the machine this is, from 1. */
  readonly start: number
  readonly address: string
  readonly region: string
  /** Differs from start to start. */
  readonly random: Random
  readonly network: NetworkPort
  readonly log: MemoryLog
  now(): Millis
  wallNow(): WallMillis
  /** Wants {@link Program.onTimer} at this moment of its monotonic clock; replaces what was asked before. */
  schedule(at: Millis): void
  observe(observation: Observation): void
}

/** Starts the program, as `main` would: reads what the log kept, builds its cores, and returns at once. */
export type Boot<P extends Program> = (host: Host) => P
