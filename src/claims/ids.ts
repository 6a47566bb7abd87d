import type { Brand } from '../kernel/index.ts'

/**
 * A task's name: the end of its coordinator's node id, the run of that node, and a number. Whoever has it can tell
 * whom to ask.
 */
export type TaskId = Brand<string, 'TaskId'>

/** An agent's name at its node, chosen by the host, good for one attachment. */
export type AgentId = Brand<string, 'AgentId'>

/** A question of the host's, answered once by a `reply` with the same number. */
export type RequestId = Brand<number, 'RequestId'>

/** Counts upwards with every start of a coordinator (later: with every configuration of its journal). */
export type Epoch = Brand<number, 'Epoch'>

/** A lease's fencing token: ordered by epoch, then attempt (T-1). */
export interface Token {
  readonly epoch: number
  readonly attempt: number
}

export function compareTokens(a: Token, b: Token): number {
  return a.epoch - b.epoch || a.attempt - b.attempt
}

/** How much of a node id stands in a task id: enough that no two members of a swarm share it. */
const ORIGIN_CHARS = 10

export function originOf(node: string): string {
  return node.slice(-ORIGIN_CHARS)
}

/** The part of a task id that names its coordinator; undefined for what is no task id. */
export function taskOrigin(task: string): string | undefined {
  return /^([A-Za-z0-9]{1,10})-[0-9a-z]+-[0-9a-z]+$/.exec(task)?.[1]
}
