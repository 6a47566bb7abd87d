import { SwarmError } from '../kernel/index.ts'

/** One thing that is wrong, and what to do about it (CF-3). */
export interface ConfigProblem {
  /** Dotted path of the key, or what stands in its place: a variable, a line of the file. */
  readonly path: string
  readonly value: unknown
  /** Where the value came from. */
  readonly origin: string
  readonly rule: string
  readonly fix: string
}

/** All problems as one error, one line each: exit code 2. */
export function badConfiguration(problems: readonly ConfigProblem[]): SwarmError {
  const lines = problems.map(problemLine)
  const heading = problems.length === 1 ? 'one problem' : `${problems.length} problems`
  const message = `the configuration has ${heading}:\n${lines.map((line) => `  ${line}`).join('\n')}`
  return new SwarmError('BAD_CONFIGURATION', message, { data: { problems } })
}

/** For people: path, value and origin, rule, what to do. */
export function problemLine({ path, value, origin, rule, fix }: ConfigProblem): string {
  const shown = value === undefined ? '' : ` is ${JSON.stringify(value)}`
  return `${path}${shown} (${origin}): ${rule}. ${fix}`
}
