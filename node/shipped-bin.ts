#!/usr/bin/env node
import { nodeVersionProblem } from './node-version.ts'
import { PROGRAM_DIRECTORY, Program } from './program.ts'

const problem = nodeVersionProblem(process.versions.node)
if (problem === undefined) {
  void new Program(`${import.meta.dirname}/${PROGRAM_DIRECTORY}`).main(process.argv)
} else {
  process.stderr.write(`${problem}\n`)
  process.exitCode = 1
}
