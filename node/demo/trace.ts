import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { gunzipSync } from 'node:zlib'

/** Real arrivals at an LLM service; `test/data/README.md` names source and licence. */
export const TRACE_PATH = fileURLToPath(
  new URL('../../test/data/arrivals/AzureLLMInferenceTrace_code.csv.gz', import.meta.url),
)

/** Prompts above this need an agent that can read long ones. About one request in eight. */
export const LONG_CONTEXT_TOKENS = 4_000

/**
 * What a request takes, on the trace's own clock: an assumption of this demonstration, in the order of a model of 70
 * billion parameters on one server. The trace names tokens, not times.
 */
export const PREFILL_TOKENS_PER_SECOND = 8_000
export const DECODE_MS_PER_TOKEN = 25

/** One request of the trace. */
export interface TraceRequest {
  /** Its place in the trace, from 0. */
  readonly index: number
  /** After the first request, on the trace's own clock. */
  readonly atMs: number
  readonly contextTokens: number
  readonly generatedTokens: number
}

/** The requests in order of arrival. @throws Error when the file is not such a trace */
export function readTrace(path: string = TRACE_PATH): readonly TraceRequest[] {
  const [heading, ...rows] = gunzipSync(readFileSync(path)).toString('utf8').trim().split(/\r?\n/)
  if (heading !== 'TIMESTAMP,ContextTokens,GeneratedTokens') throw new Error(`${path} is not a trace of LLM requests`)
  let firstMs: number | undefined
  return rows.map((row, index) => {
    const [timestamp = '', context = '', generated = ''] = row.split(',')
    const wallMs = Date.parse(`${timestamp.replace(' ', 'T')}Z`)
    const [contextTokens, generatedTokens] = [Number(context), Number(generated)]
    if (!Number.isFinite(wallMs + contextTokens + generatedTokens))
      throw new Error(`${path}: row ${index + 2} is damaged`)
    firstMs ??= wallMs
    return { index, atMs: wallMs - firstMs, contextTokens, generatedTokens }
  })
}

/** How long an agent works at it, on the trace's own clock. */
export function serviceMs({ contextTokens, generatedTokens }: TraceRequest): number {
  return (contextTokens * 1000) / PREFILL_TOKENS_PER_SECOND + generatedTokens * DECODE_MS_PER_TOKEN
}

/** What an agent needs to be able to do to take it. */
export function skillsFor(request: TraceRequest): readonly string[] {
  return request.contextTokens > LONG_CONTEXT_TOKENS ? ['complete', 'long-context'] : ['complete']
}
