import { readFileSync } from 'node:fs'

/** Clock ticks per second of `/proc/PID/stat`; 100 on every Linux that Node runs on. */
const TICKS_PER_SECOND = 100

/** Processor time that a process has used so far, all its threads together. */
export function cpuSeconds(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8')
  // The name may hold spaces; what follows it does not.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND
}
