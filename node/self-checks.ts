import { once } from 'node:events'
import { closeSync, existsSync, fsyncSync, mkdtempSync, openSync, readFileSync, rmSync, writeSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { checkSignatures } from '../src/index.ts'

/** How one part of this machine fared. */
export interface SelfCheck {
  readonly name: string
  readonly passed: boolean
  /** What was seen, or what to do about it. */
  readonly detail: string
}

const FSYNCS = 20
/** A disk slower than this makes everything that is durable slow. */
const FSYNC_SLOW_MS = 50
const PAUSE_MS = 20
const PAUSE_LATE_MS = 500
const LOOPBACK_TIMEOUT_MS = 2_000
/** Before this program was written: a clock that was never set. */
const EARLIEST = Date.UTC(2025, 0, 1)

/** Whether this machine has what a node needs: keys and hashes that work, a disk that keeps, clocks, a loopback. */
export async function runSelfChecks(data: string): Promise<readonly SelfCheck[]> {
  return [
    await check('crypto', () => Promise.resolve(checkSignatures())),
    await check('disk', () => Promise.resolve(checkDisk(data))),
    await check('clock', checkClock),
    await check('loopback', checkLoopback),
  ]
}

async function check(name: string, run: () => Promise<string>): Promise<SelfCheck> {
  try {
    return { name, passed: true, detail: await run() }
  } catch (cause) {
    return { name, passed: false, detail: cause instanceof Error ? cause.message : String(cause) }
  }
}

/** In the data directory, or in the directory that would hold it: nothing is left behind. */
function checkDisk(data: string): string {
  const parent = existing(data)
  const scratch = mkdtempSync(join(parent, '.swarm-node-selftest-'))
  try {
    const path = join(scratch, 'file')
    const written = Buffer.alloc(4096, 0x5a)
    const took: number[] = []
    const file = openSync(path, 'w', 0o600)
    try {
      for (let i = 0; i < FSYNCS; i++) {
        writeSync(file, written)
        const startedAt = performance.now()
        fsyncSync(file)
        took.push(performance.now() - startedAt)
      }
    } finally {
      closeSync(file)
    }
    const read = readFileSync(path)
    if (read.length !== FSYNCS * written.length || !read.subarray(0, 4096).equals(written)) {
      throw new Error(`${parent} does not give back what was written: use another data directory (--data)`)
    }
    const median = took.sort((a, b) => a - b)[FSYNCS >> 1] ?? 0
    const slow = median > FSYNC_SLOW_MS ? ': slow, durable tasks and votes will wait for it' : ''
    return `${parent} keeps what is written; fsync ${median.toFixed(2)} ms at the median of ${FSYNCS}${slow}`
  } finally {
    rmSync(scratch, { recursive: true, force: true })
  }
}

function existing(path: string): string {
  return existsSync(path) || dirname(path) === path ? path : existing(dirname(path))
}

async function checkClock(): Promise<string> {
  if (Date.now() < EARLIEST) {
    throw new Error(`the clock says ${new Date().toISOString()}: set it, or certificates cannot be judged`)
  }
  const startedAt = performance.now()
  await pause(PAUSE_MS)
  const late = performance.now() - startedAt - PAUSE_MS
  if (late < -1) throw new Error('the monotonic clock went back')
  if (late > PAUSE_LATE_MS)
    throw new Error(`a pause of ${PAUSE_MS} ms was ${late.toFixed(0)} ms late: too busy a machine`)
  return `${new Date().toISOString()}; a pause of ${PAUSE_MS} ms was ${Math.max(0, late).toFixed(1)} ms late`
}

async function checkLoopback(): Promise<string> {
  const server = createServer((socket) => socket.pipe(socket))
  try {
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    const { port } = server.address() as AddressInfo
    const startedAt = performance.now()
    const socket = connect(port, '127.0.0.1')
    const signal = AbortSignal.timeout(LOOPBACK_TIMEOUT_MS)
    try {
      socket.write('swarm')
      const [heard] = (await once(socket, 'data', { signal })) as [Buffer]
      if (heard.toString() !== 'swarm') throw new Error('127.0.0.1 changes what is sent over it')
      return `127.0.0.1 answers in ${(performance.now() - startedAt).toFixed(1)} ms`
    } finally {
      socket.destroy()
    }
  } finally {
    server.close()
  }
}
