import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { isRunning } from '../../node/processes.ts'
import { startScript } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'

const DEMO = fileURLToPath(new URL('../../node/demo.ts', import.meta.url))

/** Five processes start: seconds on a machine with nothing else to do. */
const BOUND_MS = 180_000

/** Of the trace: enough for both incidents, within seconds. */
const REQUESTS = 400

/** Process numbers of the daemons that keep their data below this directory. */
function daemonsIn(directory: string): readonly number[] {
  return readdirSync(directory, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('/pid'))
    .flatMap((name) => {
      try {
        return [Number(readFileSync(join(directory, name), 'utf8'))]
      } catch {
        // Gone since it was listed: that daemon has ended.
        return []
      }
    })
}

/** Where the demonstrations of a test keep their files. */
const directories: string[] = []

function demoDirectory(): string {
  const directory = scratchDirectory()
  directories.push(directory)
  return directory
}

// A demonstration that fails may leave daemons behind: no test may.
afterEach(() => {
  for (const directory of directories.splice(0)) {
    for (const pid of daemonsIn(directory).filter(isRunning)) process.kill(pid, 'SIGKILL')
  }
})

it(
  'the demonstration loses nothing though an agent and a node are killed, and leaves nothing behind',
  async () => {
    const directory = demoDirectory()
    const args = ['--requests', String(REQUESTS)]
    const { code, stdout, stderr } = await startScript(DEMO, args, { TMPDIR: directory }).ended
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' })
    const members = stdout.split('\n').filter((line) => /^node-\d +(europe|america|asia) +worker,/.test(line))
    expect(members).toHaveLength(5)
    for (const member of members) expect(member.match(/\d\.\d ms/g)).toHaveLength(4)
    expect(stdout).toMatch(/agent boston is killed/)
    expect(stdout).toMatch(/node-2 is killed/)
    expect(stdout).toMatch(/node-2 is back from its disk/)
    const figure = (what: string) => Number(new RegExp(`^ {2}${what} +(\\d+)`, 'm').exec(stdout)?.[1])
    const figures = { submitted: figure('submitted'), completed: figure('completed'), lost: figure('lost') }
    expect(figures).toEqual({ submitted: REQUESTS, completed: REQUESTS, lost: 0 })
    expect(figure('accepted twice')).toBe(0)
    expect(readdirSync(directory)).toEqual([])
  },
  BOUND_MS,
)

it(
  'interrupted, it ends every process it started and removes its files',
  async () => {
    const directory = demoDirectory()
    const demo = startScript(DEMO, [], { TMPDIR: directory })
    const twoDaemons = (): readonly number[] | undefined => {
      const found = daemonsIn(directory)
      return found.length >= 2 ? found : undefined
    }
    const pids = await eventually('two daemons', twoDaemons, BOUND_MS / 2)
    demo.child.kill('SIGINT')
    expect((await demo.ended).code).toBe(1)
    expect(pids.filter(isRunning)).toEqual([])
    expect(readdirSync(directory)).toEqual([])
  },
  BOUND_MS,
)
