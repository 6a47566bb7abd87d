import { type ChildProcess, spawn } from 'node:child_process'
import { afterEach, inject } from 'vitest'

export interface Ran {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

export interface Running {
  readonly child: ChildProcess
  /** What it has written so far. */
  readonly output: { stdout: string; stderr: string }
  readonly ended: Promise<Ran>
}

/** Starts `swarm-node` with these arguments. */
export function startCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}): Running {
  return startScript(inject('program'), args, env)
}

/** Starts a script in an environment that knows no daemon of the person who runs the tests. */
export function startScript(
  script: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
): Running {
  const child = spawn(process.execPath, [script, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { PATH: process.env.PATH, XDG_STATE_HOME: '/nonexistent', HOME: '/nonexistent', ...env },
  })
  const output = { stdout: '', stderr: '' }
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text
  })
  const ended = new Promise<Ran>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', (code) => resolve({ code, ...output }))
  })
  children.add(child)
  return { child, output, ended }
}

/** Runs it to its end. */
export function runCommand(args: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<Ran> {
  return startCommand(args, env).ended
}

const children = new Set<ChildProcess>()

// No test may leave a process behind, however it ends.
afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})
