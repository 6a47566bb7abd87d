import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MissingPeer } from './program.ts'

/**
 * Clients of peers are no dependencies of this project: they are installed when a bench first wants them, into a cache
 * of the user's, in exactly these versions.
 */
const SETS = {
  bullmq: ['bullmq@6.7.0', 'ioredis@6.0.0'],
  nats: ['nats@2.29.3'],
} as const

export type PackageSet = keyof typeof SETS

/**
 * The folder from which {@link load} finds the packages of a set.
 *
 * @throws MissingPeer when npm cannot install them
 */
export async function installed(set: PackageSet): Promise<string> {
  const packages = SETS[set]
  const cache = process.env.XDG_CACHE_HOME ?? tmpdir()
  const folder = join(cache, 'swarm-node-bench', packages.join('+').replaceAll('/', '-'))
  if (existsSync(join(folder, 'complete'))) return folder
  mkdirSync(folder, { recursive: true })
  console.error(`installing ${packages.join(', ')} into ${folder}`)
  const args = ['install', '--prefix', folder, '--no-audit', '--no-fund', '--ignore-scripts', ...packages]
  const npm = spawn('npm', args, { stdio: ['ignore', 'ignore', 'inherit'] })
  const code = await once(npm, 'exit').then(
    ([exit]) => exit,
    () => 'not found',
  )
  if (code !== 0) {
    throw new MissingPeer(`npm cannot install ${packages.join(' and ')} (${code}); the bench needs a package registry`)
  }
  mkdirSync(join(folder, 'complete'))
  return folder
}

/** A package that the types of this project do not know; `T` is the part of it that is used. */
export function load<T>(folder: string, name: string): T {
  return createRequire(join(folder, 'from-here.js'))(name) as T
}
