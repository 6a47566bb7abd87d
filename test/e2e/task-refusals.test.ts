import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { runCommand } from '../support/command-line.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { TestDaemon } from './harness.ts'

/** Wrong input to every command for agents and tasks: its code, its exit code, and what it says. */

type Case = readonly [exit: number, code: string, args: readonly string[], says: RegExp]

/** Judged before the daemon is asked. */
const BY_US: readonly Case[] = [
  [2, 'BAD_USAGE', ['submit'], /missing required argument/],
  [2, 'BAD_USAGE', ['submit', 'x', '--priority', '10'], /from 0 to 9/],
  [2, 'BAD_USAGE', ['submit', 'x', '--deadline', 'soon'], /250ms, 30s/],
  [2, 'BAD_USAGE', ['submit', 'x', '--guarantee', 'maybe'], /exactly-once, at-least-once/],
  [2, 'BAD_USAGE', ['submit', 'x', '--resource', 'memory'], /memory=8/],
  [2, 'BAD_USAGE', ['submit', 'x', '--budget', '-1'], /not negative/],
  [2, 'BAD_USAGE', ['submit', 'x', '--input', '{"a":'], /looks like JSON and is not/],
  [2, 'BAD_USAGE', ['submit', 'x', '--input', '@/nowhere/input.json'], /cannot be read/],
  [2, 'BAD_USAGE', ['task', 'get'], /missing required argument/],
  [2, 'BAD_USAGE', ['tasks', '--state', 'odd'], /waiting, offered, running/],
  [2, 'BAD_USAGE', ['tasks', '--limit', '0'], /from 1 to 100000/],
  [2, 'BAD_USAGE', ['agent', '--', 'cat'], /--skill/],
  [2, 'BAD_USAGE', ['agent', '--skill', 'x'], /missing required argument/],
  [2, 'BAD_USAGE', ['agent', '--skill', 'x=2', '--', 'cat'], /from 0 to 1/],
  [2, 'BAD_USAGE', ['agent', '--skill', 'x', '--slots', '0', '--', 'cat'], /from 1 to/],
  [2, 'BAD_USAGE', ['agent', '--skill', 'x', '--', 'no-such-command-here'], /no command no-such-command-here/],
  [2, 'BAD_USAGE', ['drain', '--timeout', 'x'], /250ms, 30s/],
]

/** Judged by the daemon. */
const BY_THE_DAEMON: readonly Case[] = [
  [2, 'BAD_REQUEST', ['submit', 'x', '--require', 'region=='], /require: region==: expected a value/],
  [2, 'BAD_REQUEST', ['submit', 'x', '--prefer', 'a in'], /prefer/],
  [2, 'BAD_REQUEST', ['submit', '', '--key', ''], /skill[\s\S]*key/],
  [2, 'BAD_REQUEST', ['submit', 'x', '--deadline', '0s'], /--deadline must be more than 0ms/],
  [1, 'NOT_FOUND', ['task', 'get', 'nope'], /nope/],
  [1, 'NOT_FOUND', ['task', 'wait', 'nope'], /nope/],
  [1, 'NOT_FOUND', ['task', 'cancel', 'nope'], /nope/],
  [1, 'NOT_FOUND', ['task', 'why', 'nope'], /nope/],
  [1, 'NOT_FOUND', ['task', 'history', 'nope'], /nope/],
  [2, 'BAD_REQUEST', ['submit', 'x', '--resource', `${'g'.repeat(65)}=1`], /--resource/],
  [2, 'BAD_REQUEST', ['agent', '--skill', '', '--', 'cat'], /--skill: a text of/],
  [5, 'TIMEOUT', ['submit', 'nobody', '--wait', '--timeout', '100ms'], /goes on/],
]

async function expectRefusal([exit, code, args, says]: Case, data: string): Promise<void> {
  const dashes = args.indexOf('--')
  const before = dashes === -1 ? args : args.slice(0, dashes)
  const after = dashes === -1 ? [] : args.slice(dashes)
  const ran = await runCommand([...before, '--json', '--data', data, ...after])
  const document = JSON.parse(ran.stdout)
  expect([args, ran.code, document.error.code]).toEqual([args, exit, code])
  expect([args, ran.stderr]).toEqual([args, expect.stringMatching(says)])
}

it('wrong usage is told before the daemon is asked', async () => {
  for (const each of BY_US) await expectRefusal(each, scratchDirectory())
})

it('without a daemon: exit 3', async () => {
  const commands = [
    ['submit', 'x'],
    ['submit', 'x', '--wait'],
    ['task', 'get', 'x'],
    ['task', 'wait', 'x'],
    ['tasks'],
    ['agents'],
    ['top'],
    ['drain'],
    ['agent', '--skill', 'x', 'cat'],
  ]
  for (const args of commands) {
    await expectRefusal([3, 'NO_DAEMON', args, /swarm-node start/], scratchDirectory())
  }
})

it('the daemon refuses with a code; a task that comes to nothing exits 4', async () => {
  const { data, command } = await started()
  for (const each of BY_THE_DAEMON) await expectRefusal(each, data)

  const file = join(scratchDirectory(), 'big')
  writeFileSync(file, 'x'.repeat(1024 * 1024 + 1))
  await expectRefusal([2, 'TOO_LARGE', ['submit', 'x', '--input', `@${file}`], /the most a task carries/], data)
  writeFileSync(file, '"'.repeat(1024 * 1024))
  await expectRefusal([2, 'TOO_LARGE', ['submit', 'x', '--text', '--input', `@${file}`], /at most 1 MiB/], data)

  expect((await command('submit', 'x', '--key', 'k', '--input', '1')).code).toBe(0)
  await expectRefusal([1, 'DUPLICATE_KEY', ['submit', 'x', '--key', 'k', '--input', '2'], /key/], data)

  for (const late of ['--queue-timeout', '--deadline']) {
    const ran = await command('submit', 'nobody', late, '50ms', '--wait', '--json')
    expect([late, ran.code, JSON.parse(ran.stdout).state]).toEqual([late, 4, 'failed'])
    expect(ran.stderr).toMatch(/50 ms.* \[TIMEOUT\]/)
  }
  const cancelled = (await command('submit', 'nobody')).stdout.trim()
  await command('task', 'cancel', cancelled)
  expect(await command('task', 'wait', cancelled)).toMatchObject({ code: 4, stdout: '' })
})

it('a node that drains takes no agents, and says how to go on', async () => {
  const { data, command } = await started()
  const drained = await command('drain', '--timeout', '5s')
  expect(drained).toMatchObject({ code: 0, stdout: expect.stringContaining('swarm-node stop') })
  await expectRefusal([1, 'SHUTTING_DOWN', ['agent', '--skill', 'x', '--', 'cat'], /another one/], data)
})

async function started() {
  const daemon = await TestDaemon.start()
  return { data: daemon.data, command: (...args: readonly string[]) => daemon.command(...args) }
}
