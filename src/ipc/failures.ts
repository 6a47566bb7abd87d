import type { Failure } from './frames.ts'
import type { LineFault } from './lines.ts'
import { METHODS, type ParamProblem } from './methods.ts'

export function failure(code: Failure['code'], message: string, data?: Readonly<Record<string, unknown>>): Failure {
  return data === undefined ? { code, message } : { code, message, data }
}

export function unknownMethod(method: string): Failure {
  const known = Object.keys(METHODS).join(', ')
  return failure('UNKNOWN_METHOD', `there is no method ${JSON.stringify(method.slice(0, 64))}; there are ${known}`)
}

export function lineFailure(fault: LineFault, lineBytesMax: number): Failure {
  if (fault === 'not-utf8') return failure('PARSE_ERROR', 'this line is not UTF-8; send one JSON message per line')
  const message = `a line has at most ${lineBytesMax} bytes; pass larger values by content address`
  return failure('TOO_LARGE', message, { lineBytesMax })
}

export function tooLarge(lineBytesMax: number): Failure {
  return failure('TOO_LARGE', `the answer would have more than ${lineBytesMax} bytes; ask for less at a time`, {
    lineBytesMax,
  })
}

export function problemsFailure(method: string, problems: readonly ParamProblem[]): Failure {
  const list = problems.map(({ path, problem }) => (path === '' ? problem : `${path}: ${problem}`)).join('; ')
  return failure('BAD_REQUEST', `${method}: ${list}`, { problems })
}
