import { z } from 'zod'
import {
  agentId,
  amount,
  boundedText,
  dictionary,
  LABELS_PER_AGENT_MAX,
  NAME_BYTES_MAX,
  name,
  RESOURCES_MAX,
  SKILLS_PER_AGENT_MAX,
  SLOTS_PER_AGENT_MAX,
  TENANTS_PER_AGENT_MAX,
  taskId,
} from './fields.ts'

/** What an agent is for; other agents and expressions see it as the label `kind`. */
export const AGENT_KINDS = ['specialised', 'generalist', 'monitoring', 'backup'] as const
export type AgentKind = (typeof AGENT_KINDS)[number]

export const HEARTBEAT_MS_MIN = 100
export const HEARTBEAT_MS_MAX = 3_600_000
/** Two that are late or lost are no reason yet. */
export const HEARTBEATS_MISSED_MAX = 3

const changeable = {
  skills: z
    .array(z.strictObject({ name, proficiency: z.number().min(0).max(1).optional() }))
    .min(1)
    .max(SKILLS_PER_AGENT_MAX),
  /** Tasks at once; 1 unless told otherwise. */
  slots: z.int().min(1).max(SLOTS_PER_AGENT_MAX).optional(),
  /** What it has, by unit: its tasks together use no more. */
  resources: dictionary(amount, RESOURCES_MAX).optional(),
  labels: dictionary(boundedText(NAME_BYTES_MAX, 0), LABELS_PER_AGENT_MAX - 1).optional(),
  /** Of one task, in whatever unit the swarm uses. */
  price: amount.optional(),
  kind: z.enum(AGENT_KINDS).optional(),
  /** Serves these only; everybody unless given. */
  tenants: z.array(name).min(1).max(TENANTS_PER_AGENT_MAX).optional(),
}

/** The agent lives as long as its connection, which may have several. */
export const attachParams = z.strictObject({
  name,
  ...changeable,
  /**
   * It promises to say something at least so often: any message, or the notification `agent.heartbeat`. Silent for
   * {@link HEARTBEATS_MISSED_MAX} times as long, it loses what it runs, and gets nothing until it is heard again.
   */
  heartbeatMs: z.int().min(HEARTBEAT_MS_MIN).max(HEARTBEAT_MS_MAX).optional(),
})
/** What is left out stays as it was. */
export const updateParams = z.strictObject({ agent: agentId, ...changeable, skills: changeable.skills.optional() })
export const detachParams = z.strictObject({ agent: agentId })

export interface AttachResult {
  /** Names this attachment, at this node. */
  readonly agent: string
}

/** `task.progress`, a notification of the agent. */
export const progressParams = z.strictObject({
  task: taskId,
  attempt: z.int().min(0),
  fraction: z.number().optional(),
  message: z.string().optional(),
  /** What there is of the output so far: any JSON value. */
  partial: z.unknown().optional(),
})

/** `task.run`, the daemon's request to an agent. Its answer is the outcome: `{output}`, or an error. */
export interface RunParams {
  /** Which agent of the connection. */
  readonly agent: string
  readonly task: string
  readonly attempt: number
  readonly skill: string
  /** All of them, when the task needs more than one at once. */
  readonly skills?: readonly string[]
  /** Any JSON value; `null` when none was given. */
  readonly input: unknown
  readonly tenant: string
  /** Left until the deadline of the task. */
  readonly deadlineMs?: number
  /** How long this attempt may take. */
  readonly runTimeoutMs?: number
  /** Kept up by the daemon while the connection lives. */
  readonly leaseMs: number
  readonly trace?: string
}

/** Notifications of the daemon to an agent. */
export interface AgentNotices {
  /** Stop. The request is still to be answered, because the answer frees the slot; what it says no longer matters. */
  readonly 'task.cancel': { readonly task: string; readonly attempt: number; readonly reason: string }
  /** Extra input for a running task. */
  readonly 'task.steer': { readonly task: string; readonly attempt: number; readonly input: unknown }
  /** No new tasks will come, and what runs after that time is lost. */
  readonly drain: { readonly deadlineMs: number }
}
export type AgentNotice = keyof AgentNotices
