import { type ChildProcess, type ChildProcessByStdio, spawn } from 'node:child_process'
import { once } from 'node:events'
import fs, { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Readable, Writable } from 'node:stream'
import { setTimeout } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { SwarmError } from '../../../src/kernel/index.ts'
import {
  type DataDirectory,
  makeDataDirectory,
  openDataDirectory,
  openNodeLog,
  readSecretFile,
  writeSecretFile,
} from '../../../src/storage/index.ts'

const source = join(import.meta.dirname, '../../../src/storage/index.ts')

describe('data directory', () => {
  let root: string
  /** Processes of a test; none outlives it, however it ends. */
  const children: ChildProcess[] = []
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'swarm-node-data-'))
  })
  afterEach(() => {
    for (const child of children.splice(0)) child.kill('SIGKILL')
    rmSync(root, { recursive: true, force: true })
  })

  function run(program: string): ChildProcessByStdio<Writable, Readable, null> {
    const importing = `import { openDataDirectory } from ${JSON.stringify(source)}\n${program}`
    const child = spawn(process.execPath, ['--input-type=module', '-e', importing, root], {
      stdio: ['pipe', 'pipe', 'inherit'],
    })
    children.push(child)
    return child
  }

  const refusal = (act: () => unknown): SwarmError => {
    try {
      act()
    } catch (fault) {
      if (fault instanceof SwarmError) return fault
      throw fault
    }
    throw new Error('was not refused')
  }

  it('S-12: is made with its parents and closed to others', () => {
    const path = join(root, 'a', 'b')
    const directory = openDataDirectory(path)
    for (const made of [path, join(root, 'a'), directory.storePath]) expect(statSync(made).mode & 0o777).toBe(0o700)
    directory.release()
  })

  it('S-12: one that existed with wider rights is closed', () => {
    chmodSync(root, 0o755)
    openDataDirectory(root).release()
    expect(statSync(root).mode & 0o777).toBe(0o700)
  })

  it('S-11: belongs to one holder, who is named, until it is released', () => {
    const first = openDataDirectory(root)
    const error = refusal(() => openDataDirectory(root))
    expect(error).toMatchObject({ code: 'DATA_DIRECTORY_IN_USE', data: { path: root, pid: process.pid } })
    expect(error.message).toContain(`pid ${process.pid}`)
    first.release()
    openDataDirectory(root).release()
  })

  it('S-11: is free again when its holder was killed', { timeout: 20_000 }, async () => {
    const holder = run(`globalThis.held = openDataDirectory(process.argv[1])
      console.log('held')
      process.stdin.resume()`)
    const exited = once(holder, 'exit')
    await once(holder.stdout, 'data')
    expect(refusal(() => openDataDirectory(root)).data.pid).toBe(holder.pid)
    holder.kill('SIGKILL')
    await exited
    expect(existsSync(join(root, 'pid'))).toBe(true)
    openDataDirectory(root).release()
  })

  it('S-11: of many that start at once, one gets it', { timeout: 30_000 }, async () => {
    const program = `try { globalThis.held = openDataDirectory(process.argv[1]); console.log('held') }
      catch (e) { console.log(e.code) }
      process.stdin.resume()`
    const starters = Array.from({ length: 4 }, () => run(program))
    const said = await Promise.all(starters.map(async ({ stdout }) => String((await once(stdout, 'data'))[0]).trim()))
    expect(said.sort()).toEqual(['DATA_DIRECTORY_IN_USE', 'DATA_DIRECTORY_IN_USE', 'DATA_DIRECTORY_IN_USE', 'held'])
  })

  it('cannot be a file, or below one', () => {
    const file = join(root, 'file')
    writeFileSync(file, '')
    for (const [path, why] of [
      [file, 'it is there and is not a directory'],
      [join(file, 'data'), 'ENOTDIR'],
    ] as const) {
      const error = refusal(() => openDataDirectory(path))
      expect(error.code).toBe('DATA_DIRECTORY_UNREADABLE')
      expect(error.message).toContain(why)
      expect(error.message).toContain('--data')
    }
  })

  it('is made with what is missing above it, for its owner alone; a file in its place is told', () => {
    const deep = join(root, 'a', 'b')
    for (let i = 0; i < 2; i++) makeDataDirectory(deep)
    expect([deep, join(root, 'a')].map((path) => statSync(path).mode & 0o777)).toEqual([0o700, 0o700])
    const file = join(root, 'file')
    writeFileSync(file, '')
    for (const path of [file, join(file, 'below')])
      expect(() => makeDataDirectory(path)).toThrow(expect.objectContaining({ code: 'DATA_DIRECTORY_UNREADABLE' }))
  })

  it('may be made by another process at the same moment', () => {
    const { mkdirSync } = fs
    const made: string[] = []
    fs.mkdirSync = ((path: string, options: { readonly mode: number }) => {
      made.push(path)
      mkdirSync(path, options)
      return mkdirSync(path, options)
    }) as typeof mkdirSync
    syncBuiltinESMExports()
    try {
      makeDataDirectory(join(root, 'a', 'b'))
    } finally {
      fs.mkdirSync = mkdirSync
      syncBuiltinESMExports()
    }
    expect(made).toEqual([join(root, 'a'), join(root, 'a', 'b')])
  })

  // In a process of its own: where Node's own way to make a directory is used, it never comes back.
  it('cannot be below /proc, and says so', { timeout: 30_000 }, async () => {
    const child = run(`try { openDataDirectory('/proc/none/data') } catch (e) { console.log(e.code) }`)
    expect(String((await once(child.stdout, 'data'))[0]).trim()).toBe('DATA_DIRECTORY_UNREADABLE')
  })

  it('S-12: secrets are written for the owner alone, replaced, and refused when others could read them', () => {
    const path = join(root, 'key')
    expect(readSecretFile(path)).toBeUndefined()
    writeFileSync(`${path}.new`, 'left by a crash')
    writeSecretFile(path, Uint8Array.of(1, 2))
    writeSecretFile(path, Uint8Array.of(3))
    expect([...(readSecretFile(path) ?? [])]).toEqual([3])
    expect(statSync(path).mode & 0o777).toBe(0o600)
    chmodSync(path, 0o640)
    expect(refusal(() => readSecretFile(path)).message).toContain('chmod 600')
  })

  describe('with a log', () => {
    let directory: DataDirectory
    beforeEach(() => {
      directory = openDataDirectory(root)
    })
    afterEach(() => directory.release())

    it('S-1: a log on the real disk keeps its records over many starts', async () => {
      for (let start = 0; start < 4; start++) {
        const { log, records, close } = await openNodeLog(directory.storePath)
        expect(records.map((record) => record.length)).toEqual(Array.from({ length: start * 50 }, (_, i) => i + 1))
        const target = (start + 1) * 50
        const durable = Promise.withResolvers<void>()
        log.attach({
          onDurable: (upTo) => {
            if (upTo === target) durable.resolve()
          },
          onFailed: durable.reject,
        })
        while (log.lastIndex < target) log.append(new Uint8Array(log.lastIndex + 1).fill(start))
        await Promise.race([
          durable.promise,
          setTimeout(5000, undefined, { ref: false }).then(() => Promise.reject(new Error('not durable in 5 s'))),
        ])
        await close()
      }
    })
  })
})
