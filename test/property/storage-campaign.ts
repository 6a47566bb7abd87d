/**
 * One life after another of a log on a faulty disk, from one seed, judged by a naive model (S-1, S-2, S-5, S-7). The
 * model never calls the code it judges: it knows what was appended and what was reported durable, and reads what is
 * recovered by its own encoding. Also a program, so that copies of the sources with planted bugs can be run on it:
 * `node storage-campaign.ts <seeds>` exits 1 and prints the first violation.
 */
import { type Millis, Random } from '../../src/kernel/index.ts'
import { FAIR_DISK, SimDisk } from '../../src/sim/disk.ts'
import { EventQueue } from '../../src/sim/event-queue.ts'
import { type LogParams, type OpenedLog, openLog, type SegmentedLog } from '../../src/storage/index.ts'
import type { DiskOp, DiskPort, LogHandler } from '../../src/wire/index.ts'

const PARAMS: LogParams = {
  firstSegmentBytes: 700,
  segmentBytesMax: 6000,
  blockBytesMax: 2500,
  besideBytesMax: 300,
  recordBytesMax: 900,
  queuedBytesMax: 8000,
}

/** What a run was seen to do, so that a campaign can prove that it covered something. */
export interface Coverage {
  lives: number
  durable: number
  snapshots: number
  failures: number
  refusals: number
  damaged: number
  torn: number
}

export function newCoverage(): Coverage {
  return { lives: 0, durable: 0, snapshots: 0, failures: 0, refusals: 0, damaged: 0, torn: 0 }
}

class Violation extends Error {}

function must(condition: boolean, what: string): void {
  if (!condition) throw new Violation(what)
}

/** A record says what it is: an appended one with its number and life, or a part of a snapshot up to a number. */
function recordBytes(kind: 'record' | 'snapshot', number: number, mark: string, length: number): Uint8Array {
  const text = `${kind} ${number} ${mark} `
  return new TextEncoder().encode(text.padEnd(Math.max(length, text.length), '.'))
}

const KINDS_OF_TROUBLE = ['none', 'sync-error', 'write-error', 'full', 'slow', 'stuck', 'rot', 'read-error'] as const

class Run implements LogHandler {
  readonly #random: Random
  readonly #queue = new EventQueue()
  readonly #disk: SimDisk
  readonly #trouble: (typeof KINDS_OF_TROUBLE)[number]
  readonly #coverage: Coverage
  /** What was appended, by index - 1; cut to what was recovered at each start. */
  #appended: Uint8Array[] = []
  /** Snapshots asked for: index to their records. */
  #snapshots = new Map<number, readonly Uint8Array[]>()
  /** Indices at which groups ended, as far as reported or recovered. */
  #boundaries: number[] = [0]
  #life = 0
  #failed = false
  #rotten = false

  constructor(seed: string, coverage: Coverage) {
    this.#random = new Random(seed)
    this.#disk = new SimDisk(this.#queue, this.#random.fork('disk'))
    this.#trouble = this.#random.pick(KINDS_OF_TROUBLE)
    this.#coverage = coverage
  }

  run(): void {
    const lives = 2 + this.#random.below(5)
    for (let life = 0; life < lives; life++) if (!this.#live(this.#trouble)) return
    // Whatever it went through: on a fair disk it must open, take records and keep them.
    if (!this.#live('none')) return
    this.#crash(false)
    const opened = this.#open()
    must(opened !== undefined || this.#rotten, 'a fair disk after a clean crash does not open')
  }

  onDurable(upTo: number): void {
    must(!this.#failed, 'durable after a failure')
    must(upTo > this.#durable(), `durable ${upTo} reported after ${this.#durable()}`)
    must(upTo <= this.#appended.length, `durable ${upTo} of ${this.#appended.length} appended`)
    this.#boundaries.push(upTo)
    this.#coverage.durable += 1
  }

  onFailed(): void {
    must(!this.#failed, 'a failure reported twice')
    // A full disk is met before it matters (S-8), and bad reads and rot only at the start.
    must(this.#trouble.endsWith('-error'), `a failure of the log in weather of ${this.#trouble}`)
    this.#failed = true
    this.#coverage.failures += 1
  }

  #durable(): number {
    return this.#boundaries.at(-1) as number
  }

  /** False when the run has come to a rightful end. */
  #live(trouble: string): boolean {
    this.#life += 1
    this.#failed = false
    this.#coverage.lives += 1
    this.#setWeather(trouble)
    let log = this.#open()
    if (log === undefined) {
      if (this.#rotten) return false
      // An error on the way is a rightful answer in bad weather, as long as nothing is lost by it.
      must(trouble !== 'none', 'a fair disk does not open')
      this.#crash(true)
      this.#setWeather('none')
      log = this.#open()
      must(log !== undefined, 'a fair disk does not open after a failed start')
      this.#setWeather(trouble)
    }

    const turns = this.#random.below(40)
    for (let turn = 0; turn < turns && !this.#failed; turn++) this.#turn(log as SegmentedLog)
    if (trouble === 'none') this.#drain(log as SegmentedLog)
    if (this.#failed) this.#checkDead(log as SegmentedLog)
    this.#crash(this.#random.chance(0.7))
    return true
  }

  #setWeather(trouble: string): void {
    const chance = 0.01 + this.#random.float() * 0.1
    this.#disk.weather = {
      ...FAIR_DISK,
      slowChance: trouble === 'slow' ? 0.3 : 0,
      slowMs: 50,
      stuckChance: trouble === 'stuck' ? chance : 0,
      syncErrorChance: trouble === 'sync-error' ? chance : 0,
      writeErrorChance: trouble === 'write-error' ? chance : 0,
      readErrorChance: trouble === 'read-error' ? chance : 0,
      capacityBytes: trouble === 'full' ? 3000 + this.#random.below(15_000) : Number.POSITIVE_INFINITY,
    }
  }

  /** What the log does after a failure must not reach the disk (S-7). */
  #guarded(): DiskPort {
    const disk = this.#disk
    const life = this.#life
    return {
      submit: (op: DiskOp, done) => {
        must(!(this.#failed && life === this.#life), `${op.kind} after a failure`)
        disk.submit(op, done)
      },
      afterTurn: (run) => disk.afterTurn(run),
      list: () => disk.list(),
      read: (file) => disk.read(file),
    }
  }

  #open(): SegmentedLog | undefined {
    let opened: OpenedLog | undefined
    let code = ''
    const newStoreId = (): Uint8Array => Uint8Array.from({ length: 16 }, () => this.#random.below(256))
    openLog({ disk: this.#guarded(), params: PARAMS, newStoreId }, (result) => {
      if (result.ok) opened = result.value
      else code = result.error.code
    })
    this.#runFor(200)
    if (opened === undefined) {
      if (this.#rotten && (code === 'STORE_DAMAGED' || code === 'UNSUPPORTED_VERSION')) this.#coverage.damaged += 1
      else must(code !== 'STORE_DAMAGED' && code !== 'UNSUPPORTED_VERSION', `${code} without damage`)
      return undefined
    }
    this.#checkRecovered(opened)
    opened.log.attach(this)
    return opened.log
  }

  #checkRecovered({ records, log }: OpenedLog): void {
    let next = 1
    let rest = records
    const [first] = records
    const head = first === undefined ? [] : new TextDecoder().decode(first).split(' ')
    if (head[0] === 'snapshot') {
      const upTo = Number(head[1])
      const snapshot = this.#snapshots.get(upTo)
      must(snapshot !== undefined, `a snapshot up to ${upTo} that nobody asked for`)
      const parts = snapshot as readonly Uint8Array[]
      for (const [i, part] of parts.entries()) must(same(records[i], part), `part ${i} of snapshot ${upTo} differs`)
      rest = records.slice(parts.length)
      next = upTo + 1
      this.#coverage.snapshots += 1
    }
    for (const record of rest) {
      must(same(record, this.#appended[next - 1]), `record ${next} differs or was never appended`)
      next += 1
    }
    const recovered = next - 1
    must(log.lastIndex === recovered, `the log counts ${log.lastIndex}, its records ${recovered}`)
    // S-1; under rot the last block may be gone, and one that was written beside it (README, "What it rests on").
    const promised = this.#rotten ? (this.#boundaries.at(-3) ?? 0) : this.#durable()
    must(recovered >= promised, `${recovered} recovered, ${promised} were durable`)
    if (recovered < this.#appended.length) this.#coverage.torn += 1
    this.#appended = this.#appended.slice(0, recovered)
    this.#boundaries = this.#boundaries.filter((index) => index < recovered)
    this.#boundaries.push(recovered)
    this.#rotten = false
  }

  #turn(log: SegmentedLog): void {
    const burst = this.#random.below(12)
    for (let i = 0; i < burst; i++) if (!this.#append(log)) break
    if (this.#random.chance(0.08)) this.#compact(log)
    if (this.#random.chance(0.1) && log.refusal() !== undefined) this.#coverage.refusals += 1
    // Often sooner than the disk: blocks go side by side, and wait for each other.
    this.#runFor(this.#random.exponential(this.#random.chance(0.4) ? 0.1 : 1))
  }

  #append(log: SegmentedLog): boolean {
    const number = this.#appended.length + 1
    const length = this.#random.chance(0.1) ? this.#random.below(850) : this.#random.below(60)
    const record = recordBytes('record', number, `${this.#life}/${this.#random.uint32()}`, length)
    try {
      const index = log.append(record)
      must(index === number, `appended as ${index} what is ${number}`)
    } catch (fault) {
      if (fault instanceof Violation) throw fault
      const code = (fault as { code?: string }).code
      must(code === 'OVERLOADED' || code === 'DISK_FULL' || code === 'STORE_FAILED', `append threw ${code}: ${fault}`)
      this.#coverage.refusals += 1
      return false
    }
    // The log has copied it: what the caller does with its bytes afterwards changes nothing.
    this.#appended.push(record.slice())
    record.fill(0)
    return true
  }

  #compact(log: SegmentedLog): void {
    const upTo = this.#appended.length
    if (this.#snapshots.has(upTo)) return
    const parts = 1 + this.#random.below(6)
    const mark = `${this.#life}/${this.#random.uint32()}`
    const lengths = Array.from({ length: parts }, () => this.#random.below(850))
    const records = lengths.map((length, i) => recordBytes('snapshot', upTo, `${mark}/${i}`, length))
    this.#snapshots.set(upTo, records)
    log.compact(records)
  }

  /** In fair weather everything that was appended becomes durable. */
  #drain(log: SegmentedLog): void {
    this.#append(log)
    this.#runFor(500)
    must(!this.#failed, 'a failure on a fair disk')
    must(this.#durable() === this.#appended.length, `${this.#durable()} of ${this.#appended.length} durable at rest`)
    must(log.refusal() === undefined, `refuses at rest: ${log.refusal()}`)
  }

  #checkDead(log: SegmentedLog): void {
    must(!this.#append(log), 'took a record after a failure')
    this.#runFor(50)
  }

  #crash(power: boolean): void {
    // Snapshots asked for beyond what will be recovered are forgotten when their index is written anew.
    if (power) this.#disk.cutPower()
    else this.#disk.kill()

    this.#failed = false
    if (this.#trouble === 'rot' && power && this.#random.chance(0.5)) {
      this.#rotten = this.#disk.rot() !== undefined
    }
  }

  #runFor(ms: number): void {
    this.#queue.run((this.#queue.now + ms) as Millis)
  }
}

function same(a: Uint8Array | undefined, b: Uint8Array | undefined): boolean {
  return a !== undefined && b !== undefined && a.length === b.length && a.every((byte, i) => byte === b[i])
}

/** The first thing that was wrong in the run of that seed, or undefined. */
export function violationOf(seed: string, coverage: Coverage = newCoverage()): string | undefined {
  try {
    new Run(seed, coverage).run()
    return undefined
  } catch (fault) {
    // A broken assertion of the code or of the disk is a finding too.
    return fault instanceof Error ? `${fault.name === 'Error' ? '' : `${fault.name}: `}${fault.message}` : String(fault)
  }
}

if (process.argv[1] === import.meta.filename) {
  const seeds = Number(process.argv[2] ?? 100)
  for (let i = 0; i < seeds; i++) {
    const violation = violationOf(`storage/${i}`)
    if (violation === undefined) continue
    console.log(`seed storage/${i}: ${violation}`)
    process.exit(1)
  }
}
