import { beforeEach, describe, expect, it } from 'vitest'
import { type Millis, Random, type Result, type SwarmError } from '../../../src/kernel/index.ts'
import { FAIR_DISK, SimDisk } from '../../../src/sim/disk.ts'
import { EventQueue } from '../../../src/sim/event-queue.ts'
import { type LogParams, type OpenedLog, openLog, type SegmentedLog } from '../../../src/storage/index.ts'
import type { DiskOp, DiskPort } from '../../../src/wire/index.ts'

const PARAMS: LogParams = {
  firstSegmentBytes: 400,
  segmentBytesMax: 1000,
  blockBytesMax: 300,
  besideBytesMax: 40,
  recordBytesMax: 200,
  queuedBytesMax: 1000,
}

const HEAD_BYTES = 64
const ascii = (text: string): Uint8Array => new TextEncoder().encode(text)
const texts = (records: readonly Uint8Array[]): string[] => records.map((record) => new TextDecoder().decode(record))

describe('the log', () => {
  let queue: EventQueue
  let disk: SimDisk
  let ops: DiskOp[]
  let durable: number[]
  let failures: unknown[]

  beforeEach(() => {
    queue = new EventQueue()
    disk = new SimDisk(queue, new Random('log'))
    ops = []
    durable = []
    failures = []
  })

  const pass = (ms = 100): void => queue.run((queue.now + ms) as Millis)

  function open(): Result<OpenedLog, SwarmError> {
    const recorded: DiskPort = {
      submit: (op, done) => {
        ops.push(op)
        disk.submit(op, done)
      },
      afterTurn: (run) => disk.afterTurn(run),
      list: () => disk.list(),
      read: (file) => disk.read(file),
    }
    let outcome: Result<OpenedLog, SwarmError> | undefined
    openLog({ disk: recorded, params: PARAMS, newStoreId: () => new Uint8Array(16).fill(7) }, (result) => {
      outcome = result
    })
    expect(outcome, 'opened from inside the call').toBeUndefined()
    pass()
    if (outcome === undefined) throw new Error('did not open')
    return outcome
  }

  function started(): { log: SegmentedLog; records: string[] } {
    const opened = open()
    if (!opened.ok) throw opened.error
    opened.value.log.attach({
      onDurable: (upTo) => durable.push(upTo),
      onFailed: (cause) => failures.push(cause),
    })
    return { log: opened.value.log, records: texts(opened.value.records) }
  }

  it('S-1 writes what may wait with the next record, or when it is hurried, compacted or closed', () => {
    const wrote = (): number => ops.filter(({ kind }) => kind === 'write').length
    const { log } = started()
    const before = wrote()
    log.append(ascii('one'), true)
    pass()
    expect(wrote()).toBe(before)
    expect(durable).toEqual([])
    log.append(ascii('two'))
    pass()
    expect(wrote()).toBe(before + 1)
    log.append(ascii('three'), true)
    log.hurry()
    pass()
    expect(durable).toEqual([2, 3])
    log.append(ascii('four'), true)
    log.compact([ascii('all')])
    pass()
    expect(durable).toEqual([2, 3, 4])
    log.append(ascii('five'), true)
    let isClosed = false
    log.close(() => {
      isClosed = true
    })
    pass()
    expect({ isClosed, durable }).toEqual({ isClosed: true, durable: [2, 3, 4, 5] })
  })

  /** A store with these records, each in a block of its own, as it is after a clean stop. */
  function stored(...records: string[]): void {
    const { log } = started()
    for (const record of records) {
      log.append(ascii(record))
      pass()
    }
    disk.cutPower()
  }

  function writeAt(file: string, offset: number, bytes: Uint8Array): void {
    disk.submit({ kind: 'write', file, offset, bytes, sync: true }, () => undefined)
    pass()
  }

  function refused(): SwarmError {
    const opened = open()
    if (opened.ok) throw new Error('opened')
    return opened.error
  }

  it('S-1: gives back what was durable, and goes on counting', () => {
    stored('a', 'b')
    const { log, records } = started()
    expect(records).toEqual(['a', 'b'])
    expect(log.append(ascii('c'))).toBe(3)
  })

  it('groups what one turn appends, and what comes while a group is on its way', () => {
    const { log } = started()
    ops.length = 0
    for (const record of ['a', 'b', 'c']) log.append(ascii(record))
    queue.run(queue.now)
    expect(ops.map((op) => op.kind)).toEqual(['write'])
    log.append(ascii('d'))
    queue.run(queue.now)
    log.append(ascii('e'))
    pass()
    expect(ops.map((op) => op.kind)).toEqual(['write', 'write'])
    expect(durable).toEqual([3, 5])
  })

  it('S-2: a small block does not wait for another small one, and counts once that does', () => {
    const { log } = started()
    ops.length = 0
    for (const record of ['a', 'b', 'c']) {
      log.append(ascii(record))
      queue.run(queue.now)
    }
    // The third waits for the first.
    expect(ops.map((op) => op.kind)).toEqual(['write', 'write'])
    pass()
    expect(ops.map((op) => op.kind)).toEqual(['write', 'write', 'write'])
    expect(durable.at(-1)).toBe(3)
    expect(durable.toSorted()).toEqual(durable)
  })

  it('S-2: a block in the next segment waits for those in this one', () => {
    const { log } = started()
    const room = (PARAMS.firstSegmentBytes - HEAD_BYTES) / blockBytes('a')
    for (let i = 1; i < Math.floor(room); i++) {
      log.append(ascii('a'))
      pass()
    }
    ops.length = 0
    for (const record of ['b', 'c']) {
      log.append(ascii(record))
      queue.run(queue.now)
    }
    expect(ops).toMatchObject([{ kind: 'write', file: 'segment-000000000001' }])
    pass()
    expect(ops[1]).toMatchObject({ kind: 'write', file: 'segment-000000000002' })
    disk.cutPower()
    expect(started().records.slice(-2)).toEqual(['b', 'c'])
  })

  it('S-2: of two that were written side by side, either may be torn; with a third behind them it is damage', () => {
    const { log } = started()
    for (const record of ['a', 'b', 'c']) {
      log.append(ascii(record))
      queue.run(queue.now)
      if (record === 'a') pass()
    }
    pass()
    disk.cutPower()
    const bad = HEAD_BYTES + blockBytes('a')
    writeAt('segment-000000000001', bad + 10, ascii('?'))
    const { log: again, records } = started()
    expect(records).toEqual(['a'])
    again.append(ascii('d'))
    pass()
    disk.cutPower()
    expect(started().records).toEqual(['a', 'd'])
  })

  it('S-3: does not write over a torn tail', () => {
    stored('a', 'b')
    const { log } = started()
    const end = blockBytes('a') + blockBytes('b') + HEAD_BYTES
    expect(log.durableIndex).toBe(2)
    disk.cutPower()
    writeAt('segment-000000000001', end, ascii('half a block'))
    const { log: again, records } = started()
    expect(records).toEqual(['a', 'b'])
    again.append(ascii('c'))
    pass()
    disk.cutPower()
    const segment = disk.read('segment-000000000001')
    expect(segment.ok && new TextDecoder().decode(segment.value.subarray(end, end + 12))).toBe('half a block')
    expect(started().records).toEqual(['a', 'b', 'c'])
  })

  it('S-2: a bad block before a good one is damage, with its place and what to do', () => {
    stored('a', 'b', 'c')
    const bad = HEAD_BYTES + blockBytes('a')
    writeAt('segment-000000000001', bad + 10, ascii('?'))
    const error = refused()
    expect(error.code).toBe('STORE_DAMAGED')
    expect(error.data).toEqual({ file: 'segment-000000000001', offset: bad, index: 2 })
    expect(error.message).toContain(`segment-000000000001 at byte ${bad}, record 2`)
    expect(error.message).toContain('Restore the data directory')
  })

  it('S-2: a whole block that does not continue the one before is damage', () => {
    stored('a', 'b')
    const segment = disk.read('segment-000000000001')
    if (!segment.ok) throw new Error('unreadable')
    const other = segment.value
    // The same store, had its first record been another: its second block is whole and has the right index.
    disk = new SimDisk(queue, new Random('other'))
    stored('z', 'b')
    const secondAt = HEAD_BYTES + blockBytes('a')
    writeAt('segment-000000000001', secondAt, other.subarray(secondAt, secondAt + blockBytes('b')))
    expect(refused()).toMatchObject({ code: 'STORE_DAMAGED', data: { offset: secondAt, index: 2 } })
  })

  it('S-4: a missing segment is damage', () => {
    stored(...Array.from({ length: 20 }, (_, i) => `${i}`.padEnd(100, '.')))
    disk.submit({ kind: 'remove', file: 'segment-000000000002' }, () => undefined)
    pass()
    expect(refused()).toMatchObject({ code: 'STORE_DAMAGED', data: { file: 'segment-000000000002' } })
  })

  it('S-4: a segment that was cut is damage, though what is left of it is whole', () => {
    stored('a', 'b', 'c')
    const file = 'segment-000000000001'
    const whole = disk.read(file)
    if (!whole.ok) throw new Error('no segment')
    const left = whole.value.slice(0, HEAD_BYTES + blockBytes('a'))
    disk.submit({ kind: 'create', file, bytes: left.length }, () => undefined)
    pass()
    writeAt(file, 0, left)
    expect(refused()).toMatchObject({ code: 'STORE_DAMAGED', data: { file, offset: left.length } })
  })

  it('S-4: removes what was not finished', () => {
    stored('a')
    disk.submit({ kind: 'create', file: 'segment-000000000002.new', bytes: 0 }, () => undefined)
    pass()
    expect(started().records).toEqual(['a'])
    const listed = disk.list()
    expect(listed.ok && listed.value.map((entry) => entry.file)).toEqual(['segment-000000000001'])
  })

  it('S-5: compaction replaces what came before, keeps what came after, and removes the old files', () => {
    const { log } = started()
    for (let i = 0; i < 20; i++) {
      log.append(ascii(`${i}`.padEnd(100, '.')))
      pass()
    }
    expect(log.bytesSinceCompaction).toBe(20 * 104)
    log.compact([ascii('all'), ascii('twenty')])
    expect(log.bytesSinceCompaction).toBe(0)
    log.append(ascii('after'))
    pass()
    disk.cutPower()
    const { log: again, records } = started()
    expect(records).toEqual(['all', 'twenty', 'after'])
    expect(again.lastIndex).toBe(21)
    const listed = disk.list()
    expect(listed.ok && listed.value.length).toBeLessThan(4)
  })

  it('S-6: hands out the last record only when it is on the disk, whatever the page cache shows', () => {
    const { log } = started()
    log.append(ascii('a'))
    pass()
    disk.weather = { ...FAIR_DISK, syncErrorChance: 1 }
    log.append(ascii('b'))
    pass()
    expect(durable).toEqual([1])
    disk.kill()
    disk.weather = FAIR_DISK
    ops.length = 0
    expect(started().records).toEqual(['a', 'b'])
    const lastAt = HEAD_BYTES + blockBytes('a')
    expect(ops[0]).toMatchObject({ kind: 'write', file: 'segment-000000000001', offset: lastAt, sync: true })
    disk.cutPower()
    expect(started().records).toEqual(['a', 'b'])
  })

  it('S-6: a store that cannot be made durable again is not opened', () => {
    stored('a')
    disk.weather = { ...FAIR_DISK, syncErrorChance: 1 }
    expect(refused().code).toBe('STORE_FAILED')
  })

  it('S-7: a failed sync is reported once, and then the log is dead', () => {
    const { log } = started()
    disk.weather = { ...FAIR_DISK, syncErrorChance: 1 }
    log.append(ascii('a'))
    pass()
    expect(failures).toMatchObject([{ code: 'STORE_FAILED' }])
    ops.length = 0
    expect(log.refusal()).toBe('STORE_FAILED')
    expect(() => log.append(ascii('b'))).toThrow(/the disk failed/)
    log.compact([])
    pass()
    expect({ ops, durable, failures: failures.length }).toEqual({ ops: [], durable: [], failures: 1 })
  })

  it('S-8: a full disk is said before it hurts, and over when there is space again', () => {
    const { log } = started()
    disk.weather = { ...FAIR_DISK, capacityBytes: 500 }
    for (let i = 0; i < 3; i++) {
      log.append(ascii('x'.repeat(60)))
      pass()
    }
    expect(log.refusal()).toBe('DISK_FULL')
    expect(durable).toEqual([1, 2, 3])
    expect(() => {
      for (let i = 0; i < 20; i++) log.append(ascii('x'.repeat(60)))
    }).toThrow(expect.objectContaining({ code: 'DISK_FULL' }))
    pass()
    disk.weather = FAIR_DISK
    expect(log.refusal()).toBe('DISK_FULL')
    pass()
    expect(log.refusal()).toBeUndefined()
    expect(log.durableIndex).toBe(log.lastIndex)
    expect(failures).toEqual([])
  })

  it('S-9: says that it is overloaded before it refuses, and takes nothing when it does', () => {
    const { log } = started()
    disk.weather = { ...FAIR_DISK, stuckChance: 1 }
    const append = (): number => log.append(ascii('x'.repeat(96)))
    for (let i = 0; i < 6; i++) append()
    expect(log.refusal()).toBe('OVERLOADED')
    for (let i = 6; i < 10; i++) append()
    expect(append).toThrow(expect.objectContaining({ code: 'OVERLOADED' }))
    expect(log.lastIndex).toBe(10)
  })

  it('S-10: another version is refused with a code', () => {
    stored('a')
    writeAt('segment-000000000001', 8, Uint8Array.of(0, 9))
    expect(refused().code).toBe('UNSUPPORTED_VERSION')
  })

  it('S-10: what cannot be read is said with a code', () => {
    stored('a')
    disk.weather = { ...FAIR_DISK, readErrorChance: 1 }
    expect(refused().code).toBe('DATA_DIRECTORY_UNREADABLE')
  })

  it('closes when all that it took is durable', () => {
    const { log } = started()
    let closed = false
    log.append(ascii('a'))
    log.close(() => {
      closed = true
    })
    expect(() => log.append(ascii('b'))).toThrow(expect.objectContaining({ code: 'SHUTTING_DOWN' }))
    pass()
    expect({ closed, durable }).toEqual({ closed: true, durable: [1] })
  })
})

function blockBytes(...records: string[]): number {
  return 28 + records.reduce((bytes, record) => bytes + 4 + record.length, 0)
}
