import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { LocalSwarm } from './local-swarm.ts'
import { Program } from './program.ts'

/** Tells the processes that are started below which program to run. */
const DIRECTORY_VARIABLE = 'RECORDED_PROGRAM'
const NODES = 3
/** What is compiled late: links, gossip and comparisons of tables between members. */
const RECORDED_MS = 3_000
const END_MS = 60_000

/**
 * Forms a small swarm of the program and leaves beside it the code that one of the nodes, which has joined and let another
 * in, has come to compile.
 *
 * @param directory where the program is
 */
export async function recordCode(directory: string): Promise<void> {
  const scratch = mkdtempSync(join(tmpdir(), 'swarm-node-record-'))
  const pids = new Set<number>()
  process.env[DIRECTORY_VARIABLE] = directory
  try {
    const program = fileURLToPath(import.meta.url)
    const onSpawned = (pid: number) => pids.add(pid)
    const swarm = new LocalSwarm({ directory: scratch, program, detached: false, onSpawned })
    const nodes = await swarm.up(NODES, { started: () => {}, seen: () => {} })
    await delay(RECORDED_MS)
    const recorded = nodes[1]?.status.pid
    if (recorded !== undefined) await ended(recorded)
  } finally {
    delete process.env[DIRECTORY_VARIABLE]
    for (const pid of pids) signal(pid, 'SIGKILL')
    rmSync(scratch, { recursive: true, force: true })
  }
}

/** An orderly end, at which it saves its code. */
async function ended(pid: number): Promise<void> {
  const until = performance.now() + END_MS
  for (let alive = signal(pid, 'SIGTERM'); alive; alive = signal(pid, 0)) {
    if (performance.now() > until) throw new Error('the node whose code is recorded does not end')
    await delay(50)
  }
}

function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    return process.kill(pid, name)
  } catch {
    return false
  }
}

if (import.meta.main) {
  const program = new Program(process.env[DIRECTORY_VARIABLE] ?? '')
  process.once('exit', (code) => {
    if (code === 0) program.saveCode()
  })
  await program.main(process.argv)
}
