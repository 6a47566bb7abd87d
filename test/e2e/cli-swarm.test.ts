import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { isRunning } from '../../node/processes.ts'
import { runCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { startDaemonCommand, startSwarm, TestDaemon } from './harness.ts'

describe('three processes, three data directories, one ticket', () => {
  it('see each other with roles, latency and load', async () => {
    const swarm = await startSwarm(3)
    for (const daemon of swarm) {
      await eventually('latency and load of both others', async () => {
        const peers = await daemon.peers()
        return peers.length === 2 && peers.every((peer) => peer.rttMs !== null && peer.load !== null)
      })
      const { stdout } = await daemon.command('peers', '--json')
      const { peers } = JSON.parse(stdout)
      for (const peer of peers) {
        expect(Object.keys(peer).sort()).toEqual(
          ['load', 'node', 'region', 'rttMs', 'roles', 'since', 'state', 'zone'].sort(),
        )
        expect(peer.roles).toEqual(expect.arrayContaining(['worker', 'custodian', 'validator']))
        expect(new Date(peer.since).toISOString()).toBe(peer.since)
      }
    }
  })

  it('SIGKILL is seen by both others, and the same identity comes back', async () => {
    const [first, victim, last] = await startSwarm(3)
    if (first === undefined || victim === undefined || last === undefined) throw new Error('three were asked for')
    const watchers = [await first.events(), await last.events()]
    await victim.kill()
    await Promise.all(
      watchers.map((events) =>
        // How soon is M-5's affair, in virtual time: here it depends on what else this machine does.
        eventually('the death', () =>
          events.some((event) => event.kind === 'member-down' && event.node === victim.node),
        ),
      ),
    )
    for (const daemon of [first, last]) {
      expect((await daemon.peers()).find((peer) => peer.node === victim.node)?.state).toBe('dead')
    }

    const again = await TestDaemon.start({ data: victim.data })
    expect(again.node).toBe(victim.node)
    await Promise.all([again.sees([first, last]), first.sees([again, last]), last.sees([first, again])])
  })

  it('SIGTERM is a good-bye: exit 0, and the others see that it left', async () => {
    const [first, leaver, last] = await startSwarm(3)
    if (first === undefined || leaver === undefined || last === undefined) throw new Error('three were asked for')
    const watchers = [await first.events(), await last.events()]
    expect((await leaver.stop()).code).toBe(0)
    for (const events of watchers) {
      await eventually('the good-bye', () =>
        events.some((event) => event.kind === 'member-left' && event.node === leaver.node),
      )
      expect(events.some((event) => event.kind === 'member-down')).toBe(false)
    }
  })
})

describe('one process', () => {
  it('SIGTERM while it still tries to join is an orderly stop, and the next start finds everything free', async () => {
    const issuer = await TestDaemon.start()
    const ticket = await issuer.ticket()
    await issuer.kill()
    const data = scratchDirectory()
    const joining = startDaemonCommand({ data, join: ticket })
    await eventually('a try', () => joining.output.stderr.includes('trying again'))
    joining.child.kill('SIGTERM')
    const { code, stderr } = await joining.ended
    expect([code, stderr.includes('SIGTERM before this node was running')]).toEqual([0, true])
    await TestDaemon.start({ data })
  })

  it('is a swarm of one, useful at once; its document is all there is on standard output', async () => {
    const daemon = await TestDaemon.start({ args: ['--json', '--http', '127.0.0.1:0', '--region', 'eu-west'] })
    const started = JSON.parse(daemon.running.output.stdout)
    expect(started).toMatchObject({ node: daemon.node, state: 'running', region: 'eu-west', data: daemon.data })
    expect((await fetch(`http://${started.http}/healthz`)).status).toBe(200)
    expect(await (await fetch(`http://${started.http}/metrics`)).text()).toContain('swarm_node_member_up_total')
    expect(JSON.parse((await daemon.command('peers', '--json')).stdout)).toEqual({ peers: [] })
    const ended = await daemon.stop()
    expect(ended.code).toBe(0)
    expect(ended.stdout.trimEnd()).not.toContain('\n')
  })

  it('tells a person what it is and what to do next', async () => {
    const daemon = await TestDaemon.start()
    await eventually('the welcome', () => daemon.running.output.stdout.includes('stop this node'))
    const { stdout } = daemon.running.output
    for (const text of [daemon.node, daemon.socket, daemon.data, '/ip4/127.0.0.1/tcp/', 'ticket create', '--join']) {
      expect(stdout).toContain(text)
    }
    // Who joined has no key to make tickets with, and is not told to.
    const newcomer = await TestDaemon.start({ join: await daemon.ticket() })
    await eventually('its welcome', () => newcomer.running.output.stdout.includes('stop this node'))
    expect(newcomer.running.output.stdout).not.toContain('ticket create')
  })

  it('keeps its identity and its swarm over a restart', async () => {
    const before = await TestDaemon.start()
    const { stdout } = await before.command('status', '--json')
    await before.stop()
    const after = await TestDaemon.start({ data: before.data })
    const status = JSON.parse((await after.command('status', '--json')).stdout)
    expect(status).toMatchObject({ node: before.node, swarm: JSON.parse(stdout).swarm })
  })

  it('runs in the background until it is stopped', async () => {
    await detachedAndStopped(['--data', scratchDirectory()])
  })

  it('runs in the background also when only its configuration has the token', async () => {
    const data = scratchDirectory()
    const config = join(data, 'config.yaml')
    writeFileSync(config, 'token: sesame-0123456789abcdef\n')
    await detachedAndStopped(['--data', data, '--config', config])
  })
})

async function detachedAndStopped(place: readonly string[]): Promise<void> {
  const started = await runCommand(['start', '--detach', '--json', '--profile', 'local', ...place])
  expect(started).toMatchObject({ code: 0 })
  const { pid } = JSON.parse(started.stdout)
  try {
    expect(isRunning(pid)).toBe(true)
    const stopped = await runCommand(['stop', '--json', ...place])
    expect(JSON.parse(stopped.stdout)).toEqual({ stopped: true, pid })
    expect(isRunning(pid)).toBe(false)
  } finally {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  }
}

describe('up and down', () => {
  it('bring a local swarm up, leave it alone when it is up, take it down, and bring the same one back', async () => {
    const data = scratchDirectory()
    const up = async () => {
      const ran = await runCommand(['up', '--nodes', '3', '--json', '--data', data])
      expect(ran).toMatchObject({ code: 0 })
      return JSON.parse(ran.stdout).nodes as { name: string; node: string; pid: number; data: string }[]
    }
    let pids: number[] = []
    try {
      const first = await up()
      pids = first.map(({ pid }) => pid)
      expect(first.map(({ name }) => name)).toEqual(['node-1', 'node-2', 'node-3'])
      expect(await up()).toEqual(first)
      const peers = await runCommand(['peers', '--json', '--data', join(data, 'up', 'node-2')])
      expect(JSON.parse(peers.stdout).peers).toHaveLength(2)

      const down = await runCommand(['down', '--json', '--data', data])
      expect(JSON.parse(down.stdout)).toEqual({ stopped: ['node-1', 'node-2', 'node-3'] })
      expect(pids.some(isRunning)).toBe(false)

      const second = await up()
      pids = second.map(({ pid }) => pid)
      expect(second.map(({ node }) => node)).toEqual(first.map(({ node }) => node))
      // By whoever looks around in one of its nodes, too.
      const inside = await runCommand(['down', '--data', join(data, 'up', 'node-2')])
      expect(inside).toMatchObject({ code: 0, stdout: 'stopped 3 of 3 nodes\n' })
      const none = await runCommand(['down', '--data', join(data, 'elsewhere')])
      expect(none.stdout).toBe(`there is no local swarm in ${join(data, 'elsewhere', 'up')}\n`)
    } finally {
      for (const pid of pids) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
    }
  })
})
