import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { isRunning } from '../../node/processes.ts'
import { connect, type TaskRecord } from '../../src/index.ts'
import { type Running, startCommand, startScript } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { demandTools } from '../support/tools.ts'
import { startSwarm, TestDaemon } from './harness.ts'

/** Agents in four languages and the commands around them, with real daemons. */

const WAIT_MS = 60_000

const TYPESCRIPT_AGENT = fileURLToPath(new URL('./agents-typescript.ts', import.meta.url))

const pathOf = (name: string) => fileURLToPath(new URL(name, import.meta.url))

const children: ChildProcess[] = []

afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL')
})

/** A program that is no script of ours. */
function startProgram(command: string, args: readonly string[], env: Readonly<Record<string, string>>): ChildProcess {
  const child = spawn(command, args, {
    stdio: ['ignore', 'inherit', 'inherit'],
    env: { PATH: process.env.PATH, HOME: '/nonexistent', ...env },
  })
  children.push(child)
  return child
}

async function attached(daemon: TestDaemon, name: string): Promise<void> {
  const client = await daemon.client()
  await eventually(
    `${name} to be attached`,
    async () => (await client.call('node.agents', {})).agents.some((agent) => agent.name === name),
    WAIT_MS,
  )
  client.close()
}

function commandAgent(daemon: TestDaemon, args: readonly string[]): Running {
  return startCommand(['agent', '--data', daemon.data, ...args])
}

async function submitted(daemon: TestDaemon, ...args: readonly string[]) {
  return daemon.command('submit', ...args, '--wait', '--timeout', '60s')
}

describe('two terminals, two nodes', () => {
  it('a command is an agent; a task from the other node prints its output; the agent leaves in order', async () => {
    const [near, far] = await startSwarm(2)
    if (near === undefined || far === undefined) throw new Error('two were asked for')
    const agent = commandAgent(near, ['--skill', 'shout', '--', 'tr', 'a-z', 'A-Z'])
    await attached(near, 'tr')
    expect(await submitted(far, 'shout', '--input', 'hello')).toMatchObject({ code: 0, stdout: 'HELLO\n' })

    const printed = await far.command('submit', 'shout', '--input', '{"a":["b"]}', '--key', 'k1')
    const id = printed.stdout.trim()
    const record: TaskRecord = JSON.parse((await near.command('task', 'wait', id, '--json')).stdout)
    expect(record).toMatchObject({ task: id, state: 'completed', output: { A: ['B'] }, executor: { agent: 'tr' } })
    const again = await far.command('submit', 'shout', '--input', '{"a":["b"]}', '--key', 'k1', '--json')
    expect(JSON.parse(again.stdout)).toEqual({ task: id, state: 'accepted', duplicate: true })

    const why = await near.command('task', 'why', id)
    expect(why.stdout).toMatch(new RegExp(`placed at tr at ${near.node}: the best bid[\\s\\S]*NODE +ANSWER`))
    expect((await near.command('task', 'history', id)).stdout).toMatch(/submitted[\s\S]*started[\s\S]*completed/)
    expect((await near.command('task', 'get', id)).stdout).toContain('{"A":["B"]}')
    expect((await far.command('tasks', '--state', 'completed')).stdout).toContain(id)
    expect((await near.command('agents')).stdout).toMatch(/a1 +tr +specialised +shout +0\/1/)
    expect(JSON.parse((await near.command('top', '--json')).stdout)).toMatchObject({ status: { agents: 1 }, tasks: [] })
    expect((await near.command('top')).stdout).toMatch(/AGENTS\n[\s\S]*TASKS: none/)

    agent.child.kill('SIGTERM')
    const ended = await agent.ended
    expect(ended.code).toBe(0)
    expect(ended.stderr).toMatch(/waits for tasks: shout[\s\S]*detached/)
    expect(ended.stdout).toContain(`✓ ${id} shout`)
  })
})

describe('a command', () => {
  it('is told of its task, may ask to be tried again, and fails with what it says', async () => {
    const daemon = await TestDaemon.start()
    const script = 'test "$SWARM_ATTEMPT" = 1 && exit 75; echo "$SWARM_TASK_ID $SWARM_SKILL $SWARM_DEADLINE"'
    commandAgent(daemon, ['--skill', 'try=0.9', '--name', 'trier', '--', 'sh', '-c', script])
    commandAgent(daemon, ['--skill', 'fail', '--name', 'failer', '--', 'sh', '-c', 'echo no such page >&2; exit 2'])
    await attached(daemon, 'trier')
    await attached(daemon, 'failer')
    const tried = await submitted(daemon, 'try', '--deadline', '10m')
    expect(tried).toMatchObject({ code: 0 })
    expect(tried.stdout).toMatch(/^\S+ try \d{4}-\d\d-\d\dT\S+Z\n$/)
    const failed = await submitted(daemon, 'fail', '--json')
    expect(failed.code).toBe(4)
    expect(JSON.parse(failed.stdout)).toMatchObject({
      state: 'failed',
      error: { code: 'EXIT_2', message: 'no such page' },
    })
    expect(failed.stderr).toContain('no such page [EXIT_2]')
  })

  it('I-12: its input and its output cross as they were written', async () => {
    const daemon = await TestDaemon.start()
    commandAgent(daemon, ['--skill', 'echo', '--', 'cat'])
    await attached(daemon, 'cat')
    for (const payload of ['12345678901234567890', '{"b":[1.0, 1e999],"a":2,"b":9007199254740993}']) {
      expect(await submitted(daemon, 'echo', '--input', payload)).toMatchObject({ code: 0, stdout: `${payload}\n` })
      const { stdout } = await submitted(daemon, 'echo', '--input', payload, '--json')
      expect(stdout).toContain(`"output":${payload}}`)
      const { task } = JSON.parse(stdout)
      expect((await daemon.command('task', 'get', task, '--json')).stdout).toContain(`"output":${payload}}`)
      expect((await daemon.command('task', 'get', task)).stdout).toContain(` ${payload}\n`)
    }
  })

  it('is stopped when its task is cancelled, and what runs may end when its agent detaches', async () => {
    const daemon = await TestDaemon.start()
    const go = join(scratchDirectory(), 'go')
    const script = `read input; if test "$input" = '"hang"'; then sleep 600; fi; until test -e ${go}; do sleep 0.1; done; echo went`
    const agent = commandAgent(daemon, ['--json', '--skill', 'wait', '--slots', '2', '--', 'sh', '-c', script])
    await attached(daemon, 'sh')
    const [hanging, going] = await Promise.all(
      ['hang', 'go'].map(async (input) => (await daemon.command('submit', 'wait', '--input', input)).stdout.trim()),
    )
    if (hanging === undefined || going === undefined) throw new Error('two were submitted')
    const client = await daemon.client()
    const running = (count: number) =>
      eventually(`${count} to run`, async () => (await client.call('node.status', {})).tasks.running === count, WAIT_MS)
    await running(2)
    expect((await daemon.command('task', 'cancel', hanging, '--reason', 'enough')).stdout).toBe('cancelled\n')
    await eventually('the command to be stopped', () => agent.output.stdout.includes('"CANCELLED"'), WAIT_MS)
    agent.child.kill('SIGINT')
    await eventually('it to detach', () => agent.output.stdout.includes('"detaching"'), WAIT_MS)
    writeFileSync(go, '')
    const ended = await agent.ended
    expect(ended.code).toBe(0)
    expect(
      ended.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).kind),
    ).toEqual(expect.arrayContaining(['attached', 'ended', 'detaching', 'detached']))
    expect((await daemon.command('task', 'wait', going)).stdout).toBe('went\n')
    expect((await daemon.command('task', 'wait', hanging)).code).toBe(4)
  })

  it.each(['SIGHUP', 'SIGQUIT'] as const)('is not left behind when its agent gets %s', async (signal) => {
    const daemon = await TestDaemon.start()
    const pidFile = join(scratchDirectory(), 'pid')
    const agent = commandAgent(daemon, ['--skill', 'hang', '--', 'sh', '-c', `echo $$ > ${pidFile}; exec sleep 600`])
    await attached(daemon, 'sh')
    await daemon.command('submit', 'hang')
    const pid = await eventually('it to run', () => existsSync(pidFile) && Number(readFileSync(pidFile)), WAIT_MS)
    agent.child.kill(signal)
    await eventually('it to detach', () => agent.output.stderr.includes('detaching; 1 tasks'), WAIT_MS)
    expect(isRunning(pid)).toBe(true)
    agent.child.kill(signal)
    expect((await agent.ended).code).toBe(0)
    expect(isRunning(pid)).toBe(false)
  })
})

it('a task that may be tried once, and waited for its agent, is done by it', async () => {
  const daemon = await TestDaemon.start()
  const swarm = await connect({ socket: daemon.socket })
  const { task } = await swarm.submit('once', 'x', { retries: 0 })
  await eventually('it to wait', async () => (await swarm.get(task)).state === 'waiting', WAIT_MS)
  await swarm.attach({ name: 'one', skills: ['once'] }, ({ attempt }) => attempt)
  expect(await swarm.wait(task)).toMatchObject({ state: 'completed', output: 1, attempts: 1 })
  swarm.close()
})

describe('other languages', () => {
  it('the ten lines of Python', async (context) => {
    demandTools(context, 'python3')
    const daemon = await TestDaemon.start()
    const python = startProgram('python3', [pathOf('../../config/examples/agent.py')], {
      PYTHONPATH: pathOf('../../node/agents/python'),
      PYTHONDONTWRITEBYTECODE: '1',
      SWARM_NODE_SOCKET: daemon.socket,
    })
    await attached(daemon, 'counter')
    const ran = await submitted(daemon, 'count', '--input', 'to be or not to be')
    expect(ran).toMatchObject({ code: 0, stdout: '{"words":6,"longest":"not"}\n' })
    expect(await submitted(daemon, 'count', '--input', '5')).toMatchObject({ code: 4 })
    const exit = new Promise((resolve) => python.once('exit', resolve))
    python.kill('SIGINT')
    expect(await exit).toBe(0)
  })

  it('Python, whole: threads and asyncio, payloads, failures, cancelling, reconnection', async (context) => {
    demandTools(context, 'python3')
    const daemon = await TestDaemon.start()
    const python = startProgram('python3', [pathOf('./python-client.py')], {
      PYTHONPATH: pathOf('../../node/agents/python'),
      PYTHONDONTWRITEBYTECODE: '1',
      SWARM_NODE_SOCKET: daemon.socket,
    })
    const exit = new Promise((resolve) => python.once('exit', resolve))
    // It attaches as this when all else has gone well, and waits to be lost.
    await attached(daemon, 'survivor')
    await daemon.kill()
    const again = await TestDaemon.start({ data: daemon.data })
    await attached(again, 'survivor')
    expect(await submitted(again, 'survive', '--input', 'me')).toMatchObject({ code: 0, stdout: 'me survived\n' })
    expect(await exit).toBe(0)
  })

  it('Python, whatever goes wrong', async (context) => {
    demandTools(context, 'python3')
    const daemon = await TestDaemon.start()
    const python = startProgram('python3', [pathOf('./python-faults.py')], {
      PYTHONPATH: pathOf('../../node/agents/python'),
      PYTHONDONTWRITEBYTECODE: '1',
      SWARM_NODE_SOCKET: daemon.socket,
    })
    expect(await new Promise((resolve) => python.once('exit', resolve))).toBe(0)
  })

  it('bash with socat and jq', async (context) => {
    demandTools(context, 'bash', 'socat', 'jq')
    const daemon = await TestDaemon.start()
    startProgram('bash', [pathOf('../../config/examples/agent.sh')], { SWARM_NODE_SOCKET: daemon.socket })
    await attached(daemon, 'bash')
    expect(await submitted(daemon, 'reverse', '--input', 'swarm →')).toMatchObject({ code: 0, stdout: '→ mraws\n' })
    const refused = await submitted(daemon, 'reverse', '--input', '5')
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining('the input is no text [BAD_INPUT]') })
  })

  it('TypeScript, over a restart of the daemon: agent, command and client come back by themselves', async () => {
    const daemon = await TestDaemon.start()
    const agent = startScript(TYPESCRIPT_AGENT, [daemon.socket])
    await attached(daemon, 'summer')
    expect((await submitted(daemon, 'sum', '--input', '[1,2,3]')).stdout).toBe('{"sum":6,"attempt":1}\n')

    const swarm = await connect({ socket: daemon.socket })
    const { task } = await swarm.submit('later', [4, 5])
    const record = swarm.wait(task)
    const waiting = startCommand(['submit', 'later', '--input', '[6]', '--wait', '--data', daemon.data])
    await eventually('both to wait', async () => (await swarm.list({ state: 'waiting' })).tasks.length === 2, WAIT_MS)
    await daemon.kill()
    const again = await TestDaemon.start({ data: daemon.data })
    await attached(again, 'summer')
    const answering = await swarm.attach({ name: 'late', skills: ['later'] }, ({ input }) => input)
    expect(await record).toMatchObject({ task, state: 'completed', output: [4, 5] })
    expect(await waiting.ended).toMatchObject({ code: 0, stdout: '[6]\n' })
    expect((await submitted(again, 'sum', '--input', '[7]')).stdout).toBe('{"sum":7,"attempt":1}\n')
    await answering.detach()
    swarm.close()
    expect(agent.output.stdout.match(/attached/g)).toHaveLength(2)
    agent.child.kill('SIGTERM')
    expect((await agent.ended).code).toBe(0)
  })
})
