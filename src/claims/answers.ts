import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import type { AnswerBody, AskBody, SteerAsk } from './messages.ts'
import type { ClaimsAnswer, Refusal, TaskAsk, TaskReport } from './types.ts'

/* Questions and answers as they cross the network. */

/** What another node may refuse with; anything else is news of a later version. */
const RELAYED_CODES = ['OVERLOADED', 'TIMEOUT', 'TOO_LARGE'] as const

/** To a node that asked for extra input to be passed on: the only thing that is. */
export function relayed(outcome: Result<ClaimsAnswer, Refusal>): AnswerBody {
  return outcome.ok ? { kind: 'steered' } : { kind: 'error', code: outcome.error.code, message: outcome.error.message }
}

export function bodyOf(ask: TaskAsk | SteerAsk): AskBody {
  // What does not fit an id names no task.
  const task = ask.task as AskBody['task']
  switch (ask.kind) {
    case 'wait':
      return { kind: 'wait', task, timeoutMs: Math.ceil(ask.timeoutMs ?? 0) }
    case 'cancel':
      return { kind: 'cancel', task, reason: ask.reason.slice(0, 80).toWellFormed() }
    case 'steer':
      return { kind: 'steer', task, token: 'token' in ask ? ask.token : undefined, input: ask.input }
    default:
      return { kind: ask.kind, task }
  }
}

/** T-2: whoever asks for a task is told of that one, by its coordinator. */
export function isAnswerTo(
  answer: AnswerBody,
  { body, node }: { readonly body: AskBody; readonly node: NodeId },
): boolean {
  switch (answer.kind) {
    case 'error':
      return true
    case 'report': {
      const { task, coordinator } = answer.report
      return (body.kind === 'get' || body.kind === 'wait') && task === body.task && coordinator === node
    }
    case 'cancelled':
      return body.kind === 'cancel'
    case 'steered':
      return body.kind === 'steer'
    default:
      return body.kind === answer.kind
  }
}

export function outcomeOf(answer: AnswerBody, output: Uint8Array | undefined): Result<ClaimsAnswer, Refusal> {
  switch (answer.kind) {
    case 'report': {
      const { output: _payload, submittedAt, startedAt, endedAt, ...rest } = answer.report
      const report = { ...rest, submittedAt, startedAt, endedAt, output } as TaskReport
      return ok({ kind: 'report', report })
    }
    case 'cancelled':
    case 'why':
    case 'history':
    case 'steered':
      return ok(answer)
    case 'error': {
      const code = RELAYED_CODES.find((known) => known === answer.code) ?? 'NOT_FOUND'
      return err({ code, message: answer.message })
    }
  }
}
