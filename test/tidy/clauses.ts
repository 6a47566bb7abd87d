import type { Fault, Repository, Rule } from './repository.ts'

const README = /^src\/[a-z-]+\/README\.md$/
/** A clause begins a list item, possibly after another on the same line: `- M-1 [s] …`. */
const CLAUSE = /^[-*] ([A-Z]{1,2}-\d+)\b/gm

export const clauses: Rule = { name: 'clauses', check }

function check(repository: Repository): readonly Fault[] {
  const tests = repository.files
    .filter((path) => /^test\/.*\.ts$/.test(path) && !path.startsWith('test/tidy/'))
    .map((path) => repository.read(path))
    .join('\n')
  const named = new Set(tests.match(/\b[A-Z]{1,2}-\d+\b/g))
  const owner = new Map<string, string>()
  return repository.files
    .filter((path) => README.test(path))
    .flatMap((path) =>
      clausesOf(repository.read(path)).flatMap((clause) => {
        const first = owner.get(clause)
        owner.set(clause, path)
        if (first !== undefined) return [`${path}: ${clause} stands in ${first} too`]
        return named.has(clause) ? [] : [`${path}: no test names ${clause}`]
      }),
    )
}

function clausesOf(text: string): readonly string[] {
  return [...text.matchAll(CLAUSE)].map((match) => match[1] ?? '')
}
