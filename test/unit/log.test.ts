import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import pc from 'picocolors'
import { describe, expect, it } from 'vitest'
import { LineSink } from '../../node/line-sink.ts'
import { openLog, prettyLine } from '../../node/log.ts'
import { Observer } from '../../node/observer.ts'
import type { HostObservation } from '../../src/index.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** Says of every write that no space is left; Linux has one. */
const FULL_DISK = '/dev/full'

function linesOf(file: string): Record<string, unknown>[] {
  return readFileSync(file, 'utf8')
    .trimEnd()
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line))
}

describe('log', () => {
  it('writes JSON lines at each module’s level, to a file of its owner', () => {
    const file = join(scratchDirectory(), 'new', 'log')
    const log = openLog({ level: 'warn', modules: { net: 'debug' }, to: { file } })
    log.module('net').debug({ peer: 'p' }, 'seen')
    log.module('ipc').info('not seen')
    log.module('ipc').warn('seen too')
    expect(linesOf(file).map(({ module, msg }) => [module, msg])).toEqual([
      ['net', 'seen'],
      ['ipc', 'seen too'],
    ])
    expect(statSync(file).mode & 0o777).toBe(0o600)
  })

  it('a full disk ends nobody for the sake of a log', () => {
    if (!existsSync(FULL_DISK)) return
    const log = openLog({ level: 'info', to: { file: FULL_DISK } })
    for (let i = 0; i < 100; i++) log.module('net').info({ i }, 'a line for nobody')
  })

  it('what a full disk tears is left as it is, and the next line begins anew', () => {
    let room = 5
    let text = ''
    const sink = new LineSink(1, (_, bytes) => {
      const taken = bytes.subarray(0, room)
      if (taken.length === 0) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' })
      room -= taken.length
      text += Buffer.from(taken).toString()
      return taken.length
    })
    for (const line of ['one\n', 'two\n', 'three\n']) sink.write(line)
    room = 100
    for (const line of ['four\n', 'five\n']) sink.write(line)
    expect(text).toBe('one\nt\nfour\nfive\n')
  })

  it('waits for a pipe that is full just now, but not for ever', () => {
    let refusals = 3
    let text = ''
    const sink = new LineSink(1, (_, bytes) => {
      if (refusals-- > 0) throw Object.assign(new Error('try again'), { code: 'EAGAIN' })
      text += Buffer.from(bytes).toString()
      return bytes.length
    })
    sink.write('one\n')
    expect(text).toBe('one\n')
    refusals = Number.POSITIVE_INFINITY
    sink.write('two\n')
    expect(text).toBe('one\n')
  })

  it('is one line for a person: time, level, module, words, fields', () => {
    const line = '{"level":40,"time":"2026-01-01T10:20:30.123Z","module":"net","peer":"p","n":2,"msg":"late"}\n'
    expect(prettyLine(line, pc.createColors(false))).toBe('10:20:30.123 WARN  net late peer=p n=2\n')
    expect(prettyLine(line, pc.createColors(true))).toContain('\u001b[')
  })

  it('lets nothing that others said control the terminal', () => {
    const said = 'a\u001b]0;pwn\u0007\n'
    const line = JSON.stringify({ level: 40, time: '2026-01-01T10:20:30.123Z', module: 'net', name: said, msg: said })
    const shown = 'a\\x1b]0;pwn\\x07\\n'
    expect(prettyLine(line, pc.createColors(false))).toBe(`10:20:30.123 WARN  net ${shown} name=${shown}\n`)
  })

  it('shows the stack of an error', () => {
    const line =
      '{"level":50,"time":"2026-01-01T10:20:30.123Z","err":{"message":"x","stack":"Error: x\\n at y"},"msg":"m"}'
    expect(prettyLine(line, pc.createColors(false))).toBe('10:20:30.123 ERROR m\nError: x\n at y\n')
  })
})

describe('observer', () => {
  const at = Date.parse('2026-01-01T00:00:00.000Z')
  const down = { kind: 'member-down', node: 'n1' } as HostObservation
  const quiet = { kind: 'health', score: 1 } as HostObservation

  it('makes a log line, a count and an event of an observation, as the table says', () => {
    const file = join(scratchDirectory(), 'log')
    const log = openLog({ level: 'info', to: { file } })
    const observer = new Observer(log, () => at)
    const seen: string[] = []
    const stop = observer.onEvent((event) => seen.push(event.kind))
    observer.observe(down)
    observer.observe(quiet)
    stop()
    observer.observe(down)
    expect(linesOf(file)[0]).toMatchObject({ level: 40, module: 'membership', msg: 'n1 is dead', node: 'n1' })
    expect(seen).toEqual(['member-down'])
    expect(observer.counters().find(({ name }) => name === 'member_down')?.value).toBe(2)
    expect(observer.counters().find(({ name }) => name === 'health')?.value).toBe(1)
    expect(observer.counters().find(({ name }) => name === 'member_left')?.value).toBe(0)
    expect(observer.recentEvents()[0]).toEqual({
      kind: 'member-down',
      at: '2026-01-01T00:00:00.000Z',
      node: 'n1',
      message: 'n1 is dead',
    })
  })

  it('whoever causes one kind of line without end fills no disk: what was not said is counted', () => {
    const file = join(scratchDirectory(), 'log')
    let now = at
    const observer = new Observer(openLog({ level: 'info', to: { file } }), () => now)
    for (let i = 0; i < 100_000; i++) observer.observe(down)
    const said = linesOf(file).length
    expect(said).toBeLessThanOrEqual(1000)
    observer.observe({ kind: 'refuted', by: 'n1', incarnation: 1 } as HostObservation)
    expect(linesOf(file).at(-1)).toMatchObject({ kind: 'refuted' })
    now += 1000
    observer.observe(down)
    expect(linesOf(file).at(-1)).toMatchObject({ kind: 'member-down', unsaidCount: 100_000 - said })
    observer.observe(down)
    expect(linesOf(file).at(-1)).not.toHaveProperty('unsaidCount')
    expect(observer.counters().find(({ name }) => name === 'member_down')?.value).toBe(100_002)
  })

  it('remembers a bounded number of events, the latest', () => {
    const observer = new Observer(openLog({ level: 'fatal', to: 'stderr' }), () => at)
    for (let i = 0; i < 1_100; i++) observer.observe({ ...down, node: `n${i}` } as HostObservation)
    expect(observer.recentEvents()).toHaveLength(1_000)
    expect(observer.recentEvents().at(-1)).toMatchObject({ node: 'n1099' })
  })
})
