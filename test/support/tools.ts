import { spawnSync } from 'node:child_process'
import type { TestContext } from 'vitest'

/** Tools of the operating system that a test cannot do without. */
const INSTALLED_BY: Readonly<Record<string, string>> = {
  python3: 'apt-get install python3',
  socat: 'apt-get install socat',
  jq: 'apt-get install jq',
}

/**
 * Without its tools a test fails in CI, which installs them. On a machine that has only Node it says what to install and is
 * counted as skipped: it never passes.
 */
export function demandTools(context: TestContext, ...names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
  if (missing.length === 0) return
  const how = missing.map((name) => INSTALLED_BY[name] ?? `install ${name}`).join('; ')
  const words = `this test needs ${missing.join(' and ')}: ${how}`
  if (process.env.CI !== undefined) throw new Error(words)
  process.stderr.write(`NOT RUN: ${context.task.name}: ${words}\n`)
  context.skip(words)
}
