import { execFileSync, spawnSync } from 'node:child_process'
import { availableParallelism } from 'node:os'

/** Whether processes can be told on which core to run: util-linux is there, and a second core. */
export function canPin(): boolean {
  return availableParallelism() > 1 && spawnSync('taskset', ['--version']).status === 0
}

const FIRST = '1'
const SECOND = '2'

/** Keeps this process on the first core and the others on the second; returns what lets them go again. */
export function keepApart(others: readonly number[]): () => void {
  return keep(others, SECOND)
}

/** Keeps all of them on the first core; returns what lets them go again. */
export function keepTogether(others: readonly number[]): () => void {
  return keep(others, FIRST)
}

function keep(others: readonly number[], mask: string): () => void {
  const pids = [process.pid, ...others]
  const before = pids.map((pid) => maskOf(pid))
  pin(process.pid, FIRST)
  for (const pid of others) pin(pid, mask)
  return () => pids.forEach((pid, i) => void pin(pid, before[i] ?? 'ffffffff'))
}

function maskOf(pid: number): string {
  return (
    execFileSync('taskset', ['-p', `${pid}`], { encoding: 'utf8' })
      .trim()
      .split(' ')
      .at(-1) ?? ''
  )
}

/** All threads of it. */
function pin(pid: number, mask: string): void {
  execFileSync('taskset', ['-a', '-p', mask, `${pid}`], { stdio: 'ignore' })
}
