import { spawnSync } from 'node:child_process'

/** Tools of the operating system that a test cannot do without. */
const INSTALLED_BY: Readonly<Record<string, string>> = {
  python3: 'apt-get install python3',
  socat: 'apt-get install socat',
  jq: 'apt-get install jq',
}

/** Fails with what to install: a test that needs a tool must never pass without it. */
export function demandTools(...names: readonly string[]): void {
  const missing = names.filter((name) => spawnSync('sh', ['-c', `command -v ${name}`]).status !== 0)
  if (missing.length === 0) return
  const how = missing.map((name) => INSTALLED_BY[name] ?? `install ${name}`).join('; ')
  throw new Error(`this test needs ${missing.join(' and ')}: ${how}`)
}
