import { execFileSync } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

/** Each is a mistake that someone could make; the campaign must find it within this many seeds. */
const SEEDS_MAX = 500

interface Bug {
  readonly name: string
  readonly file: string
  readonly code: string
  readonly wrong: string
}

const BUGS: readonly Bug[] = [
  {
    name: 'blocks are not synced',
    file: 'log.ts',
    code: 'bytes, sync: true }',
    wrong: 'bytes, sync: false }',
  },
  {
    name: 'the next block does not wait for those before',
    file: 'log.ts',
    code: 'return flight === undefined || (second === undefined && Math.max(bytes, flight.group.length) <= besideBytesMax)',
    wrong: 'return flight === undefined || second === undefined || bytes <= besideBytesMax',
  },
  {
    name: 'a third block sets out before the first has landed',
    file: 'log.ts',
    code: '(second === undefined && ',
    wrong: '(',
  },
  {
    name: 'a block is reported before the one that it was written beside',
    file: 'log.ts',
    code: 'if (this.#flights[0] !== flight) return\n    for (let first = this.#flights[0]; first?.hasLanded === true;',
    wrong: 'for (let first = this.#flights[0]; first !== undefined;',
  },
  {
    name: 'of two blocks side by side only the last is made durable again',
    file: 'recovery.ts',
    code: 'block.isBeside ? (lastOffset ?? offset) : offset',
    wrong: 'offset',
  },
  {
    name: 'a block does not say that it was written beside another',
    file: 'log.ts',
    code: 'const isBeside = this.#flights.length > 0',
    wrong: 'const isBeside = false',
  },
  {
    name: 'reports what was appended, not what was written',
    file: 'log.ts',
    code: 'this.#handler?.onDurable(upTo)',
    wrong: 'this.#handler?.onDurable(this.#lastIndex)',
  },
  {
    name: 'goes on after a failed sync',
    file: 'log.ts',
    code: 'else this.#fail(fault)',
    wrong: 'else this.#landed(flight)',
  },
  {
    name: 'reuses the bytes that are being written',
    file: 'log.ts',
    code: '    this.#flights.push(flight)\n',
    wrong: '    this.#flights.push(flight)\n    this.#spareBuilder = group\n    group.reset()\n',
  },
  {
    name: 'a snapshot ends where the log is now, not where it was asked for',
    file: 'log.ts',
    code: 'const { records, tail } = compaction',
    wrong: 'const records = compaction.records\n    const tail = this.#end',
  },
  {
    name: 'compaction removes a segment that is still needed',
    file: 'log.ts',
    code: '(segment) => segment.sequence < tail.sequence',
    wrong: '(segment) => segment.sequence <= tail.sequence',
  },
  {
    name: 'compaction removes the old before the new has its name for good',
    file: 'steps.ts',
    code: "  fault ??= yield { kind: 'sync-directory' }\n",
    wrong: '',
  },
  {
    name: 'a file gets its name before it is synced',
    file: 'steps.ts',
    code: "let fault = yield { kind: 'sync', file: draft }\n  fault ??= yield",
    wrong: 'let fault = yield',
  },
  {
    name: 'a full disk leaves the draft behind and the record of it',
    file: 'steps.ts',
    code: 'if (fault !== undefined) return yield* abandon(draft, fault)\n  return ok({',
    wrong: 'return ok({',
  },
  {
    name: 'block checksums are not compared',
    file: 'block.ts',
    code: '  if (checksum !== crc32c(file, offset + BLOCK_HEAD_BYTES, offset + length, headCheck)) return undefined\n',
    wrong: '',
  },
  {
    name: 'damage in the middle is cut as if it were a torn tail',
    file: 'recovery.ts',
    code: 'if (later !== undefined) {',
    wrong: 'if (later === -1) {',
  },
  {
    name: 'the tail is cut one block too early',
    file: 'recovery.ts',
    code: 'if (block === undefined) break',
    wrong: 'if (block === undefined || allZero(file.bytes, offset + block.length)) break',
  },
  {
    name: 'a snapshot that ends early is taken for a whole one',
    file: 'recovery.ts',
    code: 'if (!follows) throw',
    wrong: 'if (!follows) return { head: file.head, records }\n    if (!follows) throw',
  },
  {
    name: 'the last block is believed without making it durable',
    file: 'open-log.ts',
    code: "if (found.lastBlock !== undefined) fault = yield { kind: 'write', ...found.lastBlock, sync: true }",
    wrong: '',
  },
]

const copy = mkdtempSync(join(tmpdir(), 'swarm-node-bugs-'))

/** Runs the campaign over the copy: undefined when it finds nothing, else what it printed. */
function finding(): string | undefined {
  try {
    execFileSync(process.execPath, [join(copy, 'test/property/storage-campaign.ts'), String(SEEDS_MAX)], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    return undefined
  } catch (exit) {
    const { status, stdout } = exit as { status: number; stdout: string }
    // Anything but a violation, for example code that does not load, proves nothing.
    expect(status).toBe(1)
    expect(stdout).toMatch(/^seed /)
    return stdout
  }
}

describe('planted bugs of the log', () => {
  beforeAll(() => {
    for (const folder of ['src/kernel', 'src/wire', 'src/storage', 'src/sim']) {
      cpSync(join(import.meta.dirname, '../..', folder), join(copy, folder), { recursive: true })
    }
    cpSync(join(import.meta.dirname, 'storage-campaign.ts'), join(copy, 'test/property/storage-campaign.ts'))
    writeFileSync(join(copy, 'package.json'), '{ "type": "module" }')
  })
  afterAll(() => rmSync(copy, { recursive: true }))

  it('finds nothing in the code as it is', { timeout: 60_000 }, () => {
    expect(finding()).toBeUndefined()
  })

  it.each(BUGS)('finds: $name', { timeout: 60_000 }, ({ file, code, wrong }) => {
    const path = join(copy, 'src/storage', file)
    const whole = readFileSync(path, 'utf8')
    expect(whole.split(code).length, `${file} no longer holds the line that the bug replaces`).toBe(2)
    writeFileSync(
      path,
      whole.replace(code, () => wrong),
    )
    try {
      expect(finding()).toBeDefined()
    } finally {
      writeFileSync(path, whole)
    }
  })
})
