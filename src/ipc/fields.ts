import { z } from 'zod'
import { isRecord } from './frames.ts'

/*
 * What fields of messages may hold. The bounds are those that the protocols below check again (`src/claims/messages.ts`,
 * `src/claims/params.ts`): here they are judged together, so that one answer names every wrong field (I-5).
 */

export const NAME_BYTES_MAX = 64
export const SKILLS_PER_AGENT_MAX = 64
export const LABELS_PER_AGENT_MAX = 24
export const TENANTS_PER_AGENT_MAX = 256
export const SLOTS_PER_AGENT_MAX = 10_000
export const SKILLS_PER_TASK_MAX = 8
export const RESOURCES_MAX = 16
export const EXPRESSIONS_MAX = 16
export const EXPRESSION_BYTES_MAX = 1024
export const KEY_BYTES_MAX = 256
export const TRACE_BYTES_MAX = 512
export const RETRIES_COUNT_MAX = 100
/** Ten years: longer than anybody means. */
export const DURATION_MS_MAX = 10 * 365 * 24 * 3_600_000
/** Rows that one answer holds; there may be fewer, because an answer fits a line. */
export const ROWS_MAX = 1000

const utf8 = new TextEncoder()

/** A text of 1 to so many bytes of UTF-8. */
export function boundedText(bytesMax: number, bytesMin = 1): z.ZodString {
  const message = `a text of ${bytesMin} to ${bytesMax} bytes of UTF-8`
  const fits = (text: string) => {
    if (!text.isWellFormed() || text.length < bytesMin) return false
    return text.length * 3 <= bytesMax || (text.length <= bytesMax && utf8.encode(text).length <= bytesMax)
  }
  return z.string().refine(fits, { message })
}

/** Names of agents, skills, tenants, units, labels. */
export const name = boundedText(NAME_BYTES_MAX)
export const taskId = boundedText(NAME_BYTES_MAX)
export const agentId = boundedText(NAME_BYTES_MAX)
export const expression = boundedText(EXPRESSION_BYTES_MAX)
export const amount = z.number().min(0)
export const durationMs = z.number().gt(0).max(DURATION_MS_MAX)
/** How many rows to answer with at most. */
export const rowLimit = z.int().min(1).max(ROWS_MAX)

/**
 * A dictionary of at most so many entries, which are counted before any of them is looked at (I-11). `__proto__` is the
 * one name that zod would pass over in silence.
 */
export function dictionary<V extends z.ZodType>(value: V, entriesMax: number) {
  return z
    .unknown()
    .refine((given) => !isRecord(given) || Object.keys(given).length <= entriesMax, `at most ${entriesMax} entries`)
    .refine((given) => !isRecord(given) || !Object.hasOwn(given, '__proto__'), '__proto__ is no name')
    .pipe(z.record(name, value))
}
