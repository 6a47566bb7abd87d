#!/usr/bin/env node
import { nodeVersionProblem } from './node-version.ts'

const problem = nodeVersionProblem(process.versions.node)
if (problem === undefined) {
  // Imported only now: an old Node could not even parse what follows.
  void import('./cli/main.ts').then((cli) => cli.main(process.argv))
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
