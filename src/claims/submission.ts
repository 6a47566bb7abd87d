import { err, ok, type Result } from '../kernel/index.ts'
import { clamp, utf8Length } from './clamp.ts'
import { isAmount, isWeight, normalised, OBJECTIVE_DEFAULT, WEIGHT_MAX } from './demand.ts'
import {
  CONDITION_BYTES_MAX,
  CONDITIONS_MAX,
  type DemandBody,
  KEY_BYTES_MAX,
  NAME_BYTES_MAX,
  PAYLOAD_BYTES_MAX,
  RESOURCES_MAX,
  SKILLS_MAX,
  TRACE_BYTES_MAX,
} from './messages.ts'
import type { ClaimsParams } from './params.ts'
import type { AgentFacts, ClaimsPeers, Refusal, Submission } from './types.ts'

/** Longest duration that makes sense to anybody: ten years. */
const DURATION_MS_MAX = 10 * 365 * 24 * 3_600_000

/** The demand of a submission, or everything that is wrong with it at once. */
export function judgeSubmission(
  submission: Submission,
  params: ClaimsParams,
  peers: ClaimsPeers,
): Result<DemandBody, Refusal> {
  const { input, key, trace, objective, budget } = submission
  const problems = [
    ...skillsOf(submission.skills),
    ...(isName(submission.tenant) ? [] : [`tenant: 1 to ${NAME_BYTES_MAX} bytes`]),
    ...(key === undefined || isText(key, KEY_BYTES_MAX) ? [] : [`key: 1 to ${KEY_BYTES_MAX} bytes`]),
    ...(trace === undefined || isText(trace, TRACE_BYTES_MAX) ? [] : [`trace: 1 to ${TRACE_BYTES_MAX} bytes`]),
    ...(Number.isInteger(submission.priority) && submission.priority >= 0 && submission.priority <= 9
      ? []
      : ['priority: 0 to 9']),
    ...durationOf('deadlineMs', submission.deadlineMs),
    ...durationOf('queueTimeoutMs', submission.queueTimeoutMs),
    ...durationOf('runTimeoutMs', submission.runTimeoutMs),
    ...retriesOf(submission.retries, params),
    ...resourcesOf(submission.resources),
    ...(budget === undefined || isAmount(budget) ? [] : ['budget: a number from 0']),
    ...(objective === undefined || Object.values(objective).every(isWeight)
      ? []
      : [`objective: weights from 0 to ${WEIGHT_MAX}`]),
    ...conditionsOf('require', submission.require, peers),
    ...conditionsOf('prefer', submission.prefer, peers),
  ]
  if (problems.length > 0) return err({ code: 'BAD_REQUEST', message: problems.join('; '), data: { problems } })
  if (input.length > PAYLOAD_BYTES_MAX) {
    const message = `the input has ${input.length} bytes; up to ${PAYLOAD_BYTES_MAX} travel with a task, larger ones by content address`
    return err({ code: 'TOO_LARGE', message })
  }
  return ok(
    normalised({
      skills: submission.skills,
      resources: submission.resources,
      require: submission.require,
      prefer: submission.prefer,
      tenant: submission.tenant,
      budget,
      objective: objective ?? OBJECTIVE_DEFAULT,
      excluded: [],
    }),
  )
}

function isText(text: string, bytesMax: number): boolean {
  return text !== '' && text.isWellFormed() && utf8Length(text) <= bytesMax
}

function isName(text: string): boolean {
  return isText(text, NAME_BYTES_MAX)
}

function skillsOf(skills: readonly string[]): readonly string[] {
  if (skills.length < 1 || skills.length > SKILLS_MAX) return [`skills: 1 to ${SKILLS_MAX} of them`]
  return skills.every(isName) ? [] : [`skills: each 1 to ${NAME_BYTES_MAX} bytes`]
}

function durationOf(field: string, ms: number | undefined): readonly string[] {
  if (ms === undefined || (Number.isFinite(ms) && ms > 0 && ms <= DURATION_MS_MAX)) return []
  return [`${field}: above 0 and at most ten years`]
}

function retriesOf(retries: number | undefined, { retriesMax }: ClaimsParams): readonly string[] {
  const fits = retries === undefined || (Number.isInteger(retries) && retries >= 0 && retries <= retriesMax)
  return fits ? [] : [`retries: 0 to ${retriesMax}`]
}

function resourcesOf(resources: Readonly<Record<string, number>>): readonly string[] {
  const entries = Object.entries(resources)
  if (entries.length > RESOURCES_MAX) return [`resources: at most ${RESOURCES_MAX} units`]
  return entries.flatMap(([unit, amount]) =>
    isName(unit) && isAmount(amount) ? [] : [`resources.${unit}: a number from 0`],
  )
}

function conditionsOf(field: string, texts: readonly string[], peers: ClaimsPeers): readonly string[] {
  if (texts.length > CONDITIONS_MAX) return [`${field}: at most ${CONDITIONS_MAX} expressions`]
  return texts.flatMap((text) => {
    if (!isText(text, CONDITION_BYTES_MAX)) return [`${field}: an expression has 1 to ${CONDITION_BYTES_MAX} bytes`]
    const parsed = peers.parse(text)
    return parsed.ok ? [] : [`${field}: ${text}: ${parsed.error.message} at character ${parsed.error.position}`]
  })
}

/** An agent's facts within the bounds of what travels: what is out of them is cut, because the host has judged them. */
export function withinBounds(facts: AgentFacts, params: ClaimsParams): AgentFacts {
  const skills = new Map<string, number>()
  for (const { name, proficiency } of facts.skills) {
    if (isName(name)) skills.set(name, Number.isFinite(proficiency) ? Math.min(1, Math.max(0, proficiency)) : 1)
  }
  const resources = Object.entries(facts.resources).filter(([unit, amount]) => isName(unit) && isAmount(amount))
  const labels = Object.entries(facts.labels).map(([name, value]) => [
    clamp(name, NAME_BYTES_MAX),
    clamp(value, NAME_BYTES_MAX),
  ])
  return {
    name: clamp(facts.name, NAME_BYTES_MAX),
    skills: [...skills].slice(0, 64).map(([name, proficiency]) => ({ name, proficiency })),
    slots: Math.min(params.slotsPerAgentMax, Math.max(1, Math.floor(facts.slots) || 1)),
    resources: Object.fromEntries(resources.slice(0, RESOURCES_MAX)),
    labels: Object.fromEntries(labels.slice(0, 24)),
    price: isAmount(facts.price) ? facts.price : 0,
    tenants: facts.tenants?.slice(0, 256),
  }
}

/** 53 bits over everything that makes a submission what it is; for telling another body under the same key (T-4). */
export function bodyHashOf(submission: Submission): number {
  const { input, key: _key, ...rest } = submission
  const text = JSON.stringify(rest, (_name, value: unknown) =>
    typeof value === 'object' && value !== null && !Array.isArray(value)
      ? Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)))
      : value,
  )
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  const mix = (code: number): void => {
    a = Math.imul(a ^ code, 2654435761)
    b = Math.imul(b ^ code, 1597334677)
  }
  for (let i = 0; i < text.length; i++) mix(text.charCodeAt(i))
  mix(-1)
  for (const byte of input) mix(byte)
  a = Math.imul(a ^ (a >>> 16), 2246822507) ^ Math.imul(b ^ (b >>> 13), 3266489909)
  b = Math.imul(b ^ (b >>> 16), 2246822507) ^ Math.imul(a ^ (a >>> 13), 3266489909)
  return 4294967296 * (2097151 & b) + (a >>> 0)
}
