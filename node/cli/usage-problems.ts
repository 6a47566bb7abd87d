import type { Command } from 'commander'
import { formatDuration, SwarmError } from '../../src/index.ts'

const BOUND_WORDS: Readonly<Record<string, string>> = {
  '>': 'more than',
  '>=': 'at least',
  '<': 'less than',
  '<=': 'at most',
}

/**
 * What the daemon found wrong with a request, in the words of the command that sent it: options as they are typed
 * instead of fields of the protocol, limits of durations as durations. Anything else is handed back as it is.
 */
export function inWordsOf(command: Command, cause: unknown): unknown {
  if (!(cause instanceof SwarmError) || cause.code !== 'BAD_REQUEST') return cause
  const { problems } = cause.data
  if (!Array.isArray(problems) || problems.length === 0) return cause
  const found = problems.map(problemOf)
  if (!found.every((problem) => problem !== undefined)) return cause
  const said = found.map(({ path, problem }) => ({ path, problem: sentence(command, path, problem) }))
  const message = said.map(({ problem }) => problem).join('; ')
  return new SwarmError('BAD_REQUEST', message, { cause, data: { ...cause.data, problems: said } })
}

interface Problem {
  readonly path: string
  readonly problem: string
}

/** The socket finds them field by field, the protocols behind it as `field: rule`. */
function problemOf(problem: unknown): Problem | undefined {
  if (typeof problem === 'string') {
    const at = problem.indexOf(': ')
    return at === -1 ? { path: '', problem } : { path: problem.slice(0, at), problem: problem.slice(at + 2) }
  }
  if (typeof problem !== 'object' || problem === null) return undefined
  const { path, problem: rule } = problem as Partial<Problem>
  return typeof path === 'string' && typeof rule === 'string' ? { path, problem: rule } : undefined
}

function sentence(command: Command, path: string, problem: string): string {
  const typed = typedName(command, path) ?? path
  const rule = ruleWords(problem, path.endsWith('Ms'))
  if (rule !== undefined) return `${typed} must ${rule}`
  return typed === '' ? problem : `${typed}: ${problem}`
}

function ruleWords(problem: string, isDuration: boolean): string | undefined {
  const bound = /^Too (?:small|big): expected \w+ to (be|have) ([<>]=?)(\d+(?:\.\d+)?)( \w+)?$/.exec(problem)
  if (bound !== null) {
    const [, verb, sign = '', limit = '', unit = ''] = bound
    const shown = isDuration ? formatDuration(Number(limit)) : limit
    return `${verb} ${BOUND_WORDS[sign]} ${shown}${unit}`
  }
  const choice = /^Invalid option: expected one of (.+)$/.exec(problem)
  return choice === null ? undefined : `be one of ${choice[1]?.replaceAll('"', '').replaceAll('|', ', ')}`
}

/** How a person types the field: `deadlineMs` is --deadline, `resources.gpu` is --resource gpu, `section` is <section>. */
function typedName(command: Command, path: string): string | undefined {
  const names = path.split('.')
  for (const [i, name] of names.entries()) {
    const plain = name.replace(/Ms$/, '')
    const plural = `--${plain.replaceAll(/[A-Z]/g, (capital) => `-${capital.toLowerCase()}`)}`
    const flag = [plural, plural.replace(/s$/, '')].find((typed) => command.options.some(({ long }) => long === typed))
    const key = names[i + 1]
    if (flag !== undefined) return key === undefined || /^\d+$/.test(key) ? flag : `${flag} ${key}`
    const argument = command.registeredArguments.find((known) => known.name() === plain)
    if (argument !== undefined) return `<${argument.name()}>`
  }
  return undefined
}
