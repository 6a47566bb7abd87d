import { readFileSync, writeFileSync } from 'node:fs'

/*
 * `npm run lock`: completes package-lock.json after an install.
 *
 * Tools with native parts name one optional package per platform. A registry that mirrors only some platforms makes npm
 * leave the others out of the lock file, and then `npm ci` refuses the file, on every platform. Their versions are exact
 * in the package that names them, and their platform is in their name, so the entries can be written all the same; npm
 * fetches only the one of its own platform.
 */

interface Entry {
  readonly version?: string
  readonly dev?: boolean
  readonly optional?: boolean
  readonly os?: readonly string[]
  readonly cpu?: readonly string[]
  readonly libc?: readonly string[]
  readonly optionalDependencies?: Readonly<Record<string, string>>
}

export interface Lock {
  readonly packages: Readonly<Record<string, Entry>>
}

const SYSTEM = /(android|darwin|freebsd|linux|netbsd|openbsd|openharmony|sunos|aix|win32|windows)/
const PROCESSOR = /(arm64|arm|x64|ia32|loong64|ppc64|riscv64|s390x|mips64el|wasm32)/
const EXACT = /^\d+\.\d+\.\d+(?:-[\w.]+)?$/

/** Optional packages that an entry names and the lock file lacks: name, version, and who names them. */
function missing(lock: Lock): readonly { readonly name: string; readonly version: string; readonly by: Entry }[] {
  return Object.entries(lock.packages).flatMap(([path, by]) =>
    Object.entries(by.optionalDependencies ?? {}).flatMap(([name, version]) => {
      const there = `node_modules/${name}` in lock.packages || `${path}/node_modules/${name}` in lock.packages
      return there ? [] : [{ name, version, by }]
    }),
  )
}

/** Names of platform packages that are missing. */
export function missingPlatforms(lock: Lock): readonly string[] {
  return missing(lock).map(({ name }) => name)
}

/** The lock file with an entry for every missing platform. */
export function completed(lock: Lock): Lock {
  const added = missing(lock).flatMap(({ name, version, by }) => {
    const entry = EXACT.test(version) ? entryOf(name, version, by.dev === true) : undefined
    return entry === undefined ? [] : [[`node_modules/${name}`, entry] as const]
  })
  const packages = [...Object.entries(lock.packages), ...added].sort(([a], [b]) => (a < b ? -1 : 1))
  return { ...lock, packages: Object.fromEntries(packages) }
}

/** Undefined when the name does not tell the platform: guessing could make npm fetch it everywhere. */
function entryOf(name: string, version: string, dev: boolean): Entry | undefined {
  const platform = name.slice(name.lastIndexOf('/') + 1)
  const cpu = PROCESSOR.exec(platform)?.[1]
  const os = SYSTEM.exec(platform)?.[1]?.replace('windows', 'win32')
  if (cpu === undefined || (os === undefined && cpu !== 'wasm32')) return undefined
  const libc = /musl/.test(platform) ? 'musl' : /gnu/.test(platform) ? 'glibc' : undefined
  return {
    version,
    cpu: [cpu],
    ...(dev ? { dev } : {}),
    ...(libc === undefined ? {} : { libc: [libc] }),
    optional: true,
    ...(os === undefined ? {} : { os: [os] }),
  }
}

if (import.meta.main) {
  const file = new URL('../../package-lock.json', import.meta.url)
  const lock: Lock = JSON.parse(readFileSync(file, 'utf8'))
  const whole = completed(lock)
  writeFileSync(file, `${JSON.stringify(whole, undefined, 2)}\n`)
  const left = missingPlatforms(whole)
  console.log(`lock: ${missingPlatforms(lock).length - left.length} entries added, ${left.length} left out`)
  for (const name of left) console.error(`${name}: its platform is not in its name`)
}
