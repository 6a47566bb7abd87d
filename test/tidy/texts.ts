import { type Fault, lineOf, type Repository, type Rule } from './repository.ts'

/** The patterns are put together from pieces so that this file does not break its own rules. */
const word = (...pieces: readonly string[]): string => pieces.join('')

const SWITCHED_OFF =
  /\b(?:it|test|describe|bench)(?:\.\w+)*\.(?:skip|only|todo|fails|skipIf|runIf)\b|\bx(?:it|describe)\(/g
const LEAKS = new RegExp(
  [
    word('(?<![\\w.])/wo', 'rk/'),
    // Made-up homes in examples are nobody's.
    // Made-up homes in examples are nobody's.
    word('(?<![\\w.])/ho', 'me/(?!(?:ada|ann|bob|user)\\b)\\w'),
    word('(?<![\\w.])/ro', 'ot/'),
    word('(?<![\\w.])/Us', 'ers/\\w'),
    word('\\.libr', 'ary/'),
    word('\\.\\./sha', 'red\\b'),
    word('\\bregis', 'try\\.[a-z0-9-]+\\.(?:org|com|net|io|dev|local|internal)\\b'),
    word('\\bnpm', 'js\\.(?:org|com)'),
  ].join('|'),
  'g',
)
const UNFINISHED = new RegExp(`\\b(?:${word('TO', 'DO')}|${word('FIX', 'ME')}|${word('XX', 'X')})\\b`, 'g')

/** No test is switched off, singled out or left for later. */
export const tests: Rule = {
  name: 'tests',
  check: (repository) =>
    search(repository, /^test\/.*\.ts$/, SWITCHED_OFF, (found) => `${found}: mend the test or remove it`),
}

/** Nothing names what exists on one machine only. */
export const leaks: Rule = {
  name: 'leaks',
  check: (repository) =>
    search(
      repository,
      /^(?!package-lock\.json$).*\.(?:ts|js|json|md|ya?ml|sh)$|^Dockerfile$|^\.ci\//,
      LEAKS,
      (found) => {
        return `${found} exists on somebody's machine or network only`
      },
    ),
}

export const unfinished: Rule = {
  name: 'unfinished',
  check: (repository) =>
    search(repository, /^(?:src|node|test)\/.*\.ts$/, UNFINISHED, (found) => `${found}: do it, or put it in an issue`),
}

function search(
  repository: Repository,
  places: RegExp,
  pattern: RegExp,
  describe: (found: string) => string,
): readonly Fault[] {
  return repository.files
    .filter((path) => places.test(path))
    .flatMap((path) => {
      const text = repository.read(path)
      return [...text.matchAll(pattern)].map((match) => `${path}:${lineOf(text, match.index)}: ${describe(match[0])}`)
    })
}
