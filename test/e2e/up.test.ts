import { spawn } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { isRunning } from '../../node/processes.ts'
import { statusOf } from '../../node/spawn-daemon.ts'
import { runCommand, startCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { ENV } from './council-daemons.ts'
import './harness.ts'

/** `up` when something is in its way. What it starts outlives it, so every test notes the processes that it must end. */

const pids: number[] = []

afterEach(() => {
  for (const pid of pids.splice(0)) if (isRunning(pid)) process.kill(pid, 'SIGKILL')
})

type Row = { readonly name: string; readonly node: string; readonly pid: number; readonly data: string }

async function up(data: string, ...flags: string[]) {
  const ran = await runCommand(['up', '--json', '--data', data, ...flags], ENV)
  const nodes: Row[] = ran.code === 0 ? JSON.parse(ran.stdout).nodes : []
  pids.push(...nodes.map(({ pid }) => pid))
  return { ...ran, nodes }
}

describe('up', () => {
  it('interrupted takes those along that it has started', async () => {
    const data = scratchDirectory()
    const running = startCommand(['up', '--nodes', '3', '--data', data])
    const first = await eventually('the first node', () => statusOf(join(data, 'up', 'node-1', 'swarm.sock')), 30_000)
    pids.push(first.pid)
    running.child.kill('SIGINT')
    const { code, stdout, stderr } = await running.ended
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' })
    expect(stderr).toMatch(
      /^SIGINT: stopping the nodes .*\nswarm-node: interrupted: .* were stopped \[SHUTTING_DOWN\]\n$/,
    )
    expect(isRunning(first.pid)).toBe(false)
    const down = await runCommand(['down', '--json', '--data', data])
    expect(JSON.parse(down.stdout)).toEqual({ stopped: [] })
  })

  it('gives its configuration file to the nodes, and refuses what they cannot share', async () => {
    const data = scratchDirectory()
    const file = join(data, 'swarm.yaml')
    writeFileSync(file, 'node: { region: moon }\nhttp: { listen: "127.0.0.1:9464" }\nlog: { file: /tmp/one.log }\n')
    const refused = await up(data, '--nodes', '2', '--config', file)
    expect(refused.code).toBe(2)
    expect(refused.stderr).toMatch(/2 nodes cannot share http\.listen .* and log\.file .*\[BAD_CONFIGURATION\]/)
    expect(readdirSync(data)).toEqual(['swarm.yaml'])

    writeFileSync(file, 'node: { region: moon }\n')
    const { nodes, stderr } = await up(data, '--nodes', '1', '--config', file)
    expect((await statusOf(join(data, 'up', 'node-1', 'swarm.sock')))?.region).toBe('moon')
    // As it is printed, it stops them.
    const [, printed = ''] = /^Stop them: +swarm-node (.*)$/m.exec(stderr) ?? []
    expect(await runCommand(printed.split(' '))).toMatchObject({ code: 0, stdout: 'stopped 1 of 1 nodes\n' })
    expect(nodes.map(({ pid }) => isRunning(pid))).toEqual([false])
  })

  it('asks its nodes with the token of the configuration, and says how to do the same', async () => {
    const data = scratchDirectory()
    const file = join(data, 'swarm.yaml')
    writeFileSync(file, 'token: a-token-of-this-swarm-123456\n')
    const { nodes } = await up(data, '--nodes', '2', '--config', file)
    expect(nodes).toHaveLength(2)
    const again = await up(data, '--nodes', '2', '--config', file)
    expect(again.nodes).toEqual(nodes)
    const [, look = ''] = /^Look around: swarm-node (.*)$/m.exec(again.stderr) ?? []
    expect(await runCommand(look.split(' '))).toMatchObject({ code: 0 })
    const [, stop = ''] = /^Stop them: +swarm-node (.*)$/m.exec(again.stderr) ?? []
    expect(await runCommand(stop.split(' '))).toMatchObject({ code: 0, stdout: 'stopped 2 of 2 nodes\n' })
  })

  it('waits for no node that is revoked, and says how to have another in its place', async () => {
    const data = scratchDirectory()
    const { nodes } = await up(data, '--nodes', '3')
    const [first, , last] = nodes
    if (first === undefined || last === undefined) throw new Error('three were asked for')
    const revoke = ['council', 'propose', 'revoke', '--node', last.node, '--data', first.data]
    expect((await runCommand(revoke)).code).toBe(0)
    await eventually('it to know', async () => (await statusOf(join(last.data, 'swarm.sock')))?.state === 'revoked')
    expect((await runCommand(['down', '--data', data])).code).toBe(0)

    const again = await up(data, '--nodes', '3')
    expect({ code: again.code, count: again.nodes.length }).toEqual({ code: 0, count: 3 })
    expect(again.stderr).toContain(
      `node-3 (${last.node}) runs, but nobody talks to it: the council has revoked this node.`,
    )

    expect(again.stderr).toContain(`swarm-node stop --data ${last.data}; rm -r ${last.data}; and up again`)
    expect((await runCommand(['stop', '--data', last.data])).code).toBe(0)
    await rm(last.data, { recursive: true })
    const replaced = await up(data, '--nodes', '3')
    expect(replaced.code).toBe(0)
    expect(replaced.nodes[2]?.node).not.toBe(last.node)
    expect(replaced.stderr).not.toContain('revoked')
    expect(existsSync(last.data)).toBe(true)
    await runCommand(['down', '--data', data])
  })
})

describe('down', () => {
  /** Nodes that were brought up here once, and nobody answers. */
  function planned(plan: string) {
    const data = scratchDirectory()
    const node = join(data, 'up', 'node-1')
    mkdirSync(node, { recursive: true })
    const file = join(data, 'up', 'swarm.json')
    writeFileSync(file, plan)
    return { data, node, file }
  }
  const ONE = '{"nodes":[{"port":1,"joined":false}]}'

  it('ends a node that starts and does not answer yet', async () => {
    const { data, node } = planned(ONE)
    const source = pathToFileURL(join(import.meta.dirname, '../../src/storage/index.ts')).href
    const program = `import { openDataDirectory } from '${source}'
      openDataDirectory('${node}')
      setInterval(() => {}, 1000)`
    const { pid = 0 } = spawn(process.execPath, ['--input-type=module', '--eval', program], { stdio: 'ignore' })
    pids.push(pid)
    await eventually('it to have the directory', () => existsSync(join(node, 'pid')))
    const down = await runCommand(['down', '--json', '--data', data])
    expect({ code: down.code, ...JSON.parse(down.stdout) }).toEqual({ code: 0, stopped: ['node-1'] })
    expect(isRunning(pid)).toBe(false)
  })

  it('ends nobody whose number a node has left behind', async () => {
    const { data, node } = planned(ONE)
    const { pid = 0 } = spawn(process.execPath, ['--eval', 'setInterval(() => {}, 1000)'], { stdio: 'ignore' })
    pids.push(pid)
    writeFileSync(join(node, 'pid'), `${pid}\n`)
    const down = await runCommand(['down', '--json', '--data', data])
    expect({ code: down.code, ...JSON.parse(down.stdout) }).toEqual({ code: 0, stopped: [] })
    expect(isRunning(pid)).toBe(true)
  })

  it('tells a swarm that it may not look at from one whose record is damaged', async () => {
    const damaged = planned('{"nodes":[{"po')
    const begin = await runCommand(['down', '--data', damaged.data])
    expect(begin.code).toBe(1)
    expect(begin.stderr).toMatch(
      /swarm\.json is damaged: .*; remove .*\/up to begin anew \[DATA_DIRECTORY_UNREADABLE\]/,
    )
    // Whoever runs this may read every file, but no directory as one.
    const other = planned(ONE)
    rmSync(other.file)
    mkdirSync(other.file)
    const refused = await runCommand(['down', '--data', other.data])
    expect(refused.code).toBe(1)
    expect(refused.stderr).toMatch(/swarm\.json cannot be read: EISDIR.*; run as the user that brought/)
    expect(refused.stderr).not.toContain('remove')
  })
})
