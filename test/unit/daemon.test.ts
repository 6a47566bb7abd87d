import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { Daemon } from '../../node/daemon.ts'
import { openLog } from '../../node/log.ts'
import { openNode } from '../../node/open-node.ts'
import { isRunning } from '../../node/processes.ts'
import { resolveSettings } from '../../node/settings.ts'
import { realClock, SwarmError, type WallMillis } from '../../src/index.ts'
import { runCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { FakeNode } from '../support/fake-node.ts'
import { scratchDirectory } from '../support/scratch.ts'

const log = openLog({ level: 'fatal', to: 'stderr' })
const FAKE_DAEMON = fileURLToPath(new URL('../support/fake-daemon.ts', import.meta.url))
const daemons: Daemon[] = []
const pids: number[] = []

async function start(
  options: { socket?: string; http?: string; node?: FakeNode; open?: () => Promise<FakeNode> } = {},
) {
  const node = options.node ?? new FakeNode()
  const daemon = await Daemon.start({
    access: 'owner',
    stopDrainMs: 1_000,
    connectionsMax: 64,
    socket: options.socket ?? join(scratchDirectory(), 's'),
    http: options.http,
    log,
    open: options.open ?? (async () => node),
    fatal: (cause) => {
      throw cause
    },
  })
  daemons.push(daemon)
  return { daemon, node }
}

/** A daemon process around a node that holds still. */
async function spawnFake(socket: string, http?: string) {
  const child = spawn(process.execPath, [FAKE_DAEMON, socket, ...(http === undefined ? [] : [http])], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  if (child.pid !== undefined) pids.push(child.pid)
  const lines: string[] = []
  child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(...text.split('\n').filter(Boolean)))
  await eventually('the daemon', () => lines.length > 0)
  return { child, lines, exit: once(child, 'exit') }
}

afterEach(async () => {
  for (const daemon of daemons.splice(0)) {
    daemon.requestStop('the test is over')
    await daemon.ended
  }
  for (const pid of pids.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
})

describe('daemon', () => {
  it('does not start on a host whose clock is before 1970, and leaves nothing behind', async () => {
    const data = join(scratchDirectory(), 'data')
    const settings = resolveSettings({ data, listen: [], labels: {} }, {})
    const clock = { now: realClock.now, wallNow: () => Date.UTC(1969, 11, 31) as WallMillis }
    const fatal = (cause: unknown) => {
      throw cause
    }
    await expect(openNode({ settings, log, clock, fatal })).rejects.toMatchObject({
      code: 'BAD_CONFIGURATION',
      message: 'the clock of this host says 1969-12-31T00:00:00.000Z: set it, no node can name a date before 1970',
    })
    expect(existsSync(data)).toBe(false)
  })

  it('shows in its status what only it knows', async () => {
    const { daemon } = await start({ http: '127.0.0.1:0' })
    const status = daemon.status()
    expect(status.http).toMatch(/^127\.0\.0\.1:\d+$/)
    expect(status.socket).toMatch(/\/s$/)
    expect((await fetch(`http://${status.http}/healthz`)).status).toBe(200)
  })

  it('stops in reverse, once, and reports stopping meanwhile', async () => {
    const { daemon, node } = await start()
    daemon.requestStop('test')
    daemon.requestStop('again')
    expect(daemon.status().state).toBe('stopping')
    expect(await daemon.ended).toEqual([])
    expect(node.closed).toBe(true)
    expect(existsSync(daemon.status().socket)).toBe(false)
  })

  it('closes what it had opened when a later part cannot start', async () => {
    const { daemon } = await start({ http: '127.0.0.1:0' })
    const node = new FakeNode()
    const socket = join(scratchDirectory(), 's')
    await expect(start({ socket, node, http: daemon.status().http ?? '' })).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
    })
    expect(node.closed).toBe(true)
    expect(existsSync(socket)).toBe(false)
  })

  it('judges the HTTP address before it opens anything', async () => {
    let opened = false
    const open = async () => {
      opened = true
      return new FakeNode()
    }
    await expect(start({ http: 'nonsense', open })).rejects.toMatchObject({ code: 'BAD_USAGE' })
    expect(opened).toBe(false)
  })

  it('passes on why the node did not open', async () => {
    const open = async () => {
      throw new SwarmError('STORE_DAMAGED', 'segment 3 is damaged')
    }
    await expect(start({ open })).rejects.toMatchObject({ code: 'STORE_DAMAGED' })
  })

  it('names the part that fails to stop', async () => {
    const node = new FakeNode()
    node.close = async () => {
      throw new Error('the disk is stuck')
    }
    const { daemon } = await start({ node })
    daemon.requestStop('test')
    expect(await daemon.ended).toEqual(['node: the disk is stuck'])
  })
})

describe('as a process', () => {
  it('stop returns when it has gone, and it ended in order', async () => {
    const socket = join(scratchDirectory(), 's')
    const { child, lines, exit } = await spawnFake(socket)
    const ran = await runCommand(['stop', '--socket', socket, '--json'])
    expect(ran).toMatchObject({ code: 0, stdout: `${JSON.stringify({ stopped: true, pid: child.pid })}\n` })
    expect(child.pid === undefined || isRunning(child.pid)).toBe(false)
    expect(await exit).toEqual([0, null])
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ closed: true, problems: [] })
  })

  it('after SIGKILL its socket is taken over by the next one', async () => {
    const socket = join(scratchDirectory(), 's')
    const first = await spawnFake(socket)
    first.child.kill('SIGKILL')
    await first.exit
    expect((await runCommand(['status', '--socket', socket])).code).toBe(3)
    await spawnFake(socket)
    expect((await runCommand(['status', '--socket', socket])).code).toBe(0)
  })
})
