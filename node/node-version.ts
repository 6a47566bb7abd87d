/** The oldest Node that runs this program: it brings node:sqlite, which locks data directories (package.json, `engines`). */
const OLDEST = [22, 13] as const

/**
 * What is wrong with this version of Node, in one sentence, or undefined when nothing is. This file and `bin.ts` use only
 * what a Node of ten years ago can parse, because that is where they have to work.
 */
export function nodeVersionProblem(version: string): string | undefined {
  const parts = version.split('.')
  const major = Number(parts[0])
  const minor = Number(parts[1])
  if (major > OLDEST[0] || (major === OLDEST[0] && minor >= OLDEST[1])) return undefined
  return `swarm-node needs Node ${OLDEST.join('.')} or newer, and this is ${version}: install a newer one from https://nodejs.org`
}
