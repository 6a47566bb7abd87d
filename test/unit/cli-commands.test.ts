import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterEach, beforeEach, describe, expect, inject, it, vi } from 'vitest'
import { IpcServer } from '../../node/ipc-server.ts'
import { openLog } from '../../node/log.ts'
import { JsonText, SwarmError } from '../../src/index.ts'
import { type Ran, runCommand, startCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { FakeNode, PEERS } from '../support/fake-node.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** The command line against a daemon that holds still: what it prints, where, and how it exits. */

let node: FakeNode
let server: IpcServer
let socket: string

beforeEach(async () => {
  node = new FakeNode()
  socket = join(scratchDirectory(), 's')
  server = await listen()
})

afterEach(() => server.stop())

function listen(more: { readonly token?: string } = {}): Promise<IpcServer> {
  return IpcServer.listen({
    access: 'owner',
    connectionsMax: 64,
    path: socket,
    node,
    log: openLog({ level: 'fatal', to: 'stderr' }).module('ipc'),
    metrics: async () => ({ metrics: [] }),
    requestStop: () => {},
    fatal: (cause) => {
      throw cause
    },
    ...more,
  })
}

const here = (...args: string[]) => runCommand([...args, '--socket', socket])

/** The one JSON document on standard output; fails when there is anything else. */
function documentOf({ stdout }: Ran): Record<string, unknown> {
  expect(stdout.endsWith('\n')).toBe(true)
  expect(stdout.trimEnd()).not.toContain('\n')
  return JSON.parse(stdout)
}

const ESCAPE = '\u001b'

describe('--json', () => {
  it.each([
    [['status'], { node: '12D3KooWFake', swarm: 'f00d', state: 'running', tasks: { waiting: 2, running: 0 } }],
    [['peers'], { peers: PEERS }],
    [['events'], { events: [] }],
    [['config', 'show', '--running'], { values: [{ path: 'node.region', value: 'eu-west', origin: 'flag --region' }] }],
    [['ticket', 'create'], { ticket: 'swarm-ticket-1', expiresAt: '2026-01-02T00:00:00.000Z' }],
    [['version'], { platform: process.platform }],
  ])('%j prints one document and nothing else', async (args, expected) => {
    const ran = await here(...args, '--json')
    expect(ran.code).toBe(0)
    expect(documentOf(ran)).toMatchObject(expected)
  })

  it('may stand before the command', async () => {
    expect(documentOf(await runCommand(['--json', '--socket', socket, 'peers']))).toEqual({ peers: PEERS })
  })

  it('has every field of status that the contract names', async () => {
    expect(Object.keys(documentOf(await here('status', '--json')))).toEqual(
      expect.arrayContaining([
        ...['node', 'swarm', 'version', 'state', 'addresses', 'socket', 'uptimeSeconds', 'roles', 'region', 'zone'],
        ...['agents', 'tasks', 'journals', 'eventLoopLagMs', 'certificateExpiresAt'],
      ]),
    )
  })

  it('prints errors as a document too, and the sentence on standard error', async () => {
    const ran = await runCommand(['status', '--json', '--socket', join(scratchDirectory(), 'none')])
    expect(ran.code).toBe(3)
    expect(documentOf(ran)).toMatchObject({ error: { code: 'NO_DAEMON' } })
    expect(ran.stderr).toContain('swarm-node start')
  })
})

describe('for people', () => {
  it('status and peers are text without colour codes when nobody looks', async () => {
    for (const command of ['status', 'peers']) {
      const ran = await here(command)
      expect(ran.code).toBe(0)
      expect(ran.stdout).not.toContain(ESCAPE)
      expect(ran.stderr).toBe('')
    }
    const { stdout } = await here('peers')
    expect(stdout).toMatch(/^NODE +STATE +ROLES/)
    expect(stdout).toMatch(/12D3KooWPeerOne +alive +worker,custodian +eu-west +a +1\.3 ms +50%/)
    expect((await here('status')).stdout).toMatch(/up +1h 1m/)
  })

  it('what others said controls no terminal and tears no line', async () => {
    const said = `${ESCAPE}]0;pwn\u0007\nforged`
    node.emit('a', { message: said })
    expect((await here('events')).stdout).toMatch(/^\S+ a \\x1b\]0;pwn\\x07\\nforged\n$/)
    expect(documentOf(await here('events', '--json'))).toMatchObject({ events: [{ message: said }] })
    // What has no sentence, or is a task's own word, is told field by field.
    node.emit('b', { n: 1 })
    node.emit('task-progress', { task: 't', message: 'half' })
    expect((await here('events')).stdout).toMatch(/ b n=1\n.* task-progress task=t message=half\n$/)
    node.ticketError = new SwarmError('STORE_FAILED', `gone ${ESCAPE}[2J`, { data: {} })
    expect((await here('ticket', 'create')).stderr).toBe('swarm-node: gone \\x1b[2J [STORE_FAILED]\n')
  })

  it('a node whose membership has ended is told so, why, and what to do', async () => {
    expect((await here('status')).stdout).not.toContain('revoked')
    node.state = 'revoked'
    expect((await here('status')).stdout).toMatch(/has revoked this node: nobody talks to it\. To come back, join as/)
    node.state = 'unvouched'
    const { stdout } = await here('status')
    expect(stdout).toMatch(/^state +unvouched$/m)
    expect(stdout).toMatch(
      /key that signed the certificate .* was withdrawn, .*: nobody talks to it\. .* --join TICKET/,
    )
    expect(stdout).not.toContain('revoked')
  })

  it('a ticket stands alone on the last line, and what to do with it goes to standard error', async () => {
    const ran = await here('ticket', 'create', '--role', 'worker', '--role', 'relay', '--ttl', '5m', '--uses', '3')
    expect(ran.stdout.trimEnd().split('\n').at(-1)).toBe('swarm-ticket-1')
    expect(ran.stderr).toContain('start --join')
    expect(node.ticketRequests).toEqual([{ roles: ['worker', 'relay'], ttlMs: 300_000, uses: 3 }])
  })
})

describe('exit codes', () => {
  it.each([
    ['an unknown command', ['statos'], /Did you mean status/],
    ['help on a word that is near a command', ['help', 'statos'], /^error: unknown command 'statos'\n.*mean status/],
    ['help on a word below a command', ['help', 'task', 'hstory'], /^error: unknown command 'hstory'\n.*mean history/],
    ['the same, asked of the command', ['task', 'help', 'hstory'], /^error: unknown command 'hstory'\n.*mean history/],
    ['help on what is no command', ['help', 'nonsense'], /^error: unknown command 'nonsense'\nAdd --help/],
    ['--help after a word that is no command', ['nonsense', '--help'], /^error: unknown command 'nonsense'\nAdd/],
    ['an unknown option', ['status', '--jsno'], /Did you mean --json/],
    ['no command', [], /Usage/],
    ['a command without its second word', ['ticket'], /Usage/],
    ['too many words', ['status', 'please'], /too many arguments/],
    ['a bad duration', ['ticket', 'create', '--ttl', '5 minutes'], /250ms, 30s, 5m or 24h/],
    ['a bad number', ['up', '--nodes', '0'], /from 1 to 100/],
    ['a bad profile', ['start', '--profile', 'moon'], /local, lan, wan/],
    ['a misspelt option where another is needed', ['agent', '--skil', 'x', '--', 'cat'], /Did you mean --skill/],
    ['an option that is needed', ['agent', '--', 'cat'], /required option '--skill <skill\[=p\]>' not specified/],
    ['several options that are needed', ['council', 'propose', 'tenant'], /'--name <name>', '--weight <w>' not spec/],
    ['a proficiency that is no number', ['agent', '--skill', 'x=abc', '--', 'cat'], /from 0 to 1/],
    ['a resource that is no number', ['submit', 'x', '--resource', 'gpu=1=2'], /not negative/],
    ['a time-out of nothing', ['submit', 'x', '--timeout', '5s'], /--deadline/],
    ['a kind of event that is none', ['events', '--kind', 'bogus'], /bogus; there are .*member-up.*task-changed/],
    ['a bad label', ['start', '--label', 'gpu'], /key=value/],
  ])('2 for %s, with what is meant', async (_, args, text) => {
    const ran = await runCommand(args)
    expect(ran.code).toBe(2)
    expect(ran.stdout).toBe('')
    expect(ran.stderr).toMatch(text)
  })

  it('2 for a place that is empty, as an unset variable makes it', async () => {
    for (const flag of ['--data', '--socket', '--config']) {
      expect(await runCommand(['status', flag, ''])).toMatchObject({ code: 2, stderr: expect.stringContaining(flag) })
    }
  })

  it('2 with a document when --json was asked for', async () => {
    const ran = await runCommand(['statos', '--json'])
    expect(ran.code).toBe(2)
    expect(documentOf(ran)).toMatchObject({ error: { code: 'BAD_USAGE' } })
  })

  it.each([[['--json']], [['ticket', '--json']]])('2 with a document for %j, which names no command', async (args) => {
    const ran = await runCommand(args)
    expect(ran.code).toBe(2)
    expect(documentOf(ran)).toEqual({
      error: { code: 'BAD_USAGE', message: 'no command is named, or not all of it; see --help' },
    })
    expect(ran.stderr).toContain('Usage')
  })

  it.each([
    [['submit', 'ocr', '--deadline', '0s'], '--deadline must be more than 0ms'],
    [['submit', 'ocr', '--run-timeout', '9999d'], '--run-timeout must be at most 3650d'],
    [
      ['submit', '', '--tenant', ''],
      '<skill>: a text of 1 to 64 bytes of UTF-8; --tenant: a text of 1 to 64 bytes of UTF-8',
    ],
    [['ticket', 'create', '--ttl', '10ms'], '--ttl must be at least 1s'],
    [['council', 'show', 'x'], '<section> must be one of '],
  ])('2 for %j, said once and in words of the command', async (args, text) => {
    const ran = await here(...args)
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr.startsWith(`swarm-node: ${text}`)).toBe(true)
    expect(ran.stderr).toMatch(/^.* \[BAD_REQUEST\]\n$/)
  })

  it.each([['--help'], ['start', '--help'], ['help', 'ticket'], ['--version']].map((args) => [args]))(
    '0 for %j',
    async (args) => {
      const ran = await runCommand(args)
      expect(ran).toMatchObject({ code: 0, stderr: '' })
      expect(ran.stdout).not.toBe('')
    },
  )

  it('help on a command below another is its own', async () => {
    const asked = await runCommand(['task', 'get', '--help'])
    expect(asked.stdout).toMatch(/^Usage: swarm-node task get /)
    for (const args of [
      ['help', 'task', 'get'],
      ['task', 'help', 'get'],
    ])
      expect(await runCommand(args)).toEqual(asked)
  })

  it('3 when no daemon answers', async () => {
    for (const command of ['status', 'peers', 'events', 'stop']) {
      expect((await runCommand([command, '--data', scratchDirectory()])).code).toBe(3)
    }
  })

  it('6 when refused', async () => {
    expect((await here('ticket', 'create', '--org', 'stranger')).code).toBe(6)
  })

  it('what the daemon answers: its code on the screen, its exit code', async () => {
    node.ticketError = new SwarmError('STORE_FAILED', 'the disk is gone', { data: { problems: ['sda1: dead'] } })
    const ran = await here('ticket', 'create')
    expect(ran.code).toBe(1)
    expect(ran.stderr).toBe('swarm-node: the disk is gone [STORE_FAILED]\n  sda1: dead\n')
  })
})

describe('events --follow', () => {
  it('prints one line per event as it happens, and ends well when interrupted', async () => {
    const running = startCommand(['events', '--follow', '--json', '--kind', 'member-up', '--socket', socket])
    // Events before the subscription are not its business, so they are repeated until one is seen.
    await eventually('the first event', () => {
      node.emit('member-up', { n: 1 })
      return running.output.stdout !== ''
    })
    node.emit('b')
    node.emit('member-up', { n: 2 })
    await eventually('the second kind of event', () => running.output.stdout.includes('"n":2'))
    running.child.kill('SIGINT')
    const { code, stdout } = await running.ended
    expect(code).toBe(0)
    for (const line of stdout.trimEnd().split('\n')) expect(JSON.parse(line).kind).toBe('member-up')
  })

  it('I-12: shows a partial result as it was written', async () => {
    const written = '{"n":12345678901234567890,"x":1.0}'
    const partial = new JsonText(new TextEncoder().encode(written))
    for (const json of [[], ['--json']]) {
      const following = startCommand(['events', '--follow', ...json, '--socket', socket])
      await eventually('something printed', () => {
        node.emit('task-progress', { task: 't', partial })
        return following.output.stdout.includes('\n')
      })
      following.child.kill('SIGINT')
      const { stdout } = await following.ended
      const said = json.length === 0 ? `partial=${written}\n` : `"partial":${written}}\n`
      expect(stdout).toContain(said)
    }
  })

  it('exits 3 when the daemon goes', async () => {
    const running = startCommand(['events', '--follow', '--socket', socket])
    await eventually('the first event', () => {
      node.emit('a')
      return running.output.stdout !== ''
    })
    await server.stop()
    expect(await running.ended).toMatchObject({ code: 3 })
  })
})

it('Ctrl-C ends a wait and not its task, and says so', async () => {
  const waiting = startCommand(['task', 'wait', 'abc-1-1', '--socket', socket])
  await eventually('it to wait', () => node.told.some((input) => input.kind === 'request' && input.ask.kind === 'wait'))
  waiting.child.kill('SIGINT')
  const { code, stdout, stderr } = await waiting.ended
  expect([code, stdout]).toEqual([130, ''])
  for (const what of ['wait', 'cancel']) expect(stderr).toContain(`swarm-node task ${what} abc-1-1 --socket ${socket}`)
})

it('a wait that is given up says which task it was, and how to ask again', async () => {
  const waiting = startCommand(['task', 'wait', 'abc-1-1', '--json', '--socket', socket])
  await eventually('it to wait', () => node.told.some((input) => input.kind === 'request' && input.ask.kind === 'wait'))
  await server.stop()
  server = await listen({ token: 'another-token-than-none' })
  const { code, stdout, stderr } = await waiting.ended
  expect(code).toBe(6)
  expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'UNAUTHORISED', task: 'abc-1-1' } })
  expect(stderr).toContain(
    `task abc-1-1 is not known; once a daemon answers, ask again: swarm-node task wait abc-1-1 --socket ${socket}`,
  )
})

it('where there is nothing to do yet, the advice leads to the same daemon', async () => {
  expect((await here('agents')).stdout).toContain(`swarm-node agent --socket ${socket} --skill shout -- tr a-z A-Z`)
  vi.spyOn(node, 'peers').mockReturnValue({ peers: [] })
  expect((await here('peers')).stdout).toContain(`swarm-node ticket create --socket ${socket}`)
})

it('an output that cannot be written, as to a full disk, is told in one sentence', async () => {
  const unwritable = openSync('/dev/null', 'r')
  const child = spawn(process.execPath, [inject('program'), 'status', '--socket', socket], {
    stdio: ['ignore', unwritable, 'pipe'],
  })
  closeSync(unwritable)
  const ended = once(child, 'close')
  const said = child.stderr === null ? '' : await text(child.stderr)
  expect(said).toBe('swarm-node: the output cannot be written: EBADF: bad file descriptor, write\n')
  expect(await ended).toEqual([1, null])
})

it('finds the daemon by flag, by environment and by data directory', async () => {
  expect((await runCommand(['status'], { SWARM_NODE_SOCKET: socket })).code).toBe(0)
  expect((await runCommand(['status'], { SWARM_NODE_DATA: join(socket, '..') })).code).toBe(3)
  expect((await runCommand(['status', '--socket', socket], { SWARM_NODE_SOCKET: '/nowhere' })).code).toBe(0)
})
