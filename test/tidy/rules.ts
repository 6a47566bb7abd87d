import { bannedWords } from './banned-words.ts'
import { clauses } from './clauses.ts'
import { imports } from './imports.ts'
import { length } from './length.ts'
import { packageRules } from './package.ts'
import type { Fault, Repository, Rule } from './repository.ts'
import { rooms } from './rooms.ts'
import { leaks, tests, unfinished } from './texts.ts'
import { units } from './units.ts'

export const RULES: readonly Rule[] = [
  imports,
  bannedWords,
  length,
  units,
  clauses,
  rooms,
  tests,
  leaks,
  unfinished,
  packageRules,
]

/** Everything that is out of order, each with the name of its rule. */
export function faultsOf(repository: Repository): readonly Fault[] {
  return RULES.flatMap((rule) => rule.check(repository).map((fault) => `${rule.name}: ${fault}`))
}
