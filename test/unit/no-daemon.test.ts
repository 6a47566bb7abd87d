import { execFileSync, spawnSync } from 'node:child_process'
import { mkdirSync, writeFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { noDaemon } from '../../src/client/no-daemon.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { demandTools } from '../support/tools.ts'

describe('no daemon', () => {
  it('says how to start the daemon that is meant, and where else one may be', () => {
    const data = scratchDirectory()
    const node1 = join(data, 'up', 'node-1')
    const advice = (path: string, env = {}) => noDaemon(path, undefined, env).message.split('; ')[1]
    expect(advice('/d/swarm.sock', { SWARM_NODE_DATA: '/d' })).toBe(
      'start one with: swarm-node start, or say where yours is: --data DIR, or SWARM_NODE_DATA',
    )
    expect(advice('/my data/swarm.sock')).toBe("start one with: swarm-node start --data '/my data'")
    expect(advice('/run/s')).toBe('start one with: swarm-node start --socket /run/s')
    expect(advice(join(data, 'swarm.sock'))).toBe(`start one with: swarm-node start --data ${data}`)
    mkdirSync(node1, { recursive: true })
    writeFileSync(join(data, 'up', 'swarm.json'), '{}')
    expect(advice(join(data, 'swarm.sock'))).toContain(`give --data ${node1} for its first node`)
    expect(advice(join(node1, 'swarm.sock'))).toBe(`start its local swarm with: swarm-node up --data ${data}`)
  })

  it('names the process that starts or joins there, and nobody who has gone', () => {
    const data = scratchDirectory()
    const advice = () => noDaemon(join(data, 'swarm.sock'), undefined, {}).message.split('; ')[1]
    writeFileSync(join(data, 'pid'), `${process.pid}\n`)
    expect(advice()).toBe(
      `process ${process.pid} has ${data} and does not answer here: it starts or tries to join, as its log says, or it has another --socket`,
    )
    writeFileSync(join(data, 'pid'), `${spawnSync('true').pid}\n`)
    expect(advice()).toContain('start one with')
    for (const none of ['nonsense', '0', '-1']) {
      writeFileSync(join(data, 'pid'), none)
      expect(advice()).toContain('start one with')
    }
  })

  it('is told alike in Python', (context) => {
    demandTools(context, 'python3')
    const data = scratchDirectory()
    const node1 = join(data, 'up', 'node-1')
    mkdirSync(node1, { recursive: true })
    writeFileSync(join(data, 'up', 'swarm.json'), '{}')
    const [starting, gone] = [scratchDirectory(), scratchDirectory()]
    writeFileSync(join(starting, 'pid'), `${process.pid}\n`)
    writeFileSync(join(gone, 'pid'), 'nonsense')
    const given = [data, node1, starting, gone].map((directory) => join(directory, 'swarm.sock'))
    given.push('/my data/swarm.sock', '/run/s')
    const cases: readonly (readonly [string, Readonly<Record<string, string>>])[] = [
      ['/d/swarm.sock', { SWARM_NODE_DATA: '/d' }],
      ['/d/s', { SWARM_NODE_SOCKET: '/d/s' }],
      ...given.map((path) => [path, {}] as const),
    ]
    const told = cases.map(([path, env]) => saidByPython(path, env))
    expect(told).toEqual(cases.map(([path, env]) => ['NO_DAEMON', noDaemon(path, undefined, env).message]))
    const long = `/${'x'.repeat(120)}`
    expect(saidByPython(long, {})).toEqual(['BAD_USAGE', expect.stringContaining('use a shorter one')])
  })
})

const PYTHON = `
import sys
sys.path.insert(0, sys.argv[1])
import swarm_node
try:
    swarm_node.connect(sys.argv[2])
except swarm_node.SwarmError as error:
    print(error.code, error.message, sep="\\n", end="")
`

function saidByPython(path: string, env: Readonly<Record<string, string>>): readonly string[] {
  const module = join(import.meta.dirname, '../../node/agents/python')
  const { PATH = '' } = process.env
  const said = execFileSync('python3', ['-B', '-c', PYTHON, module, path], { env: { PATH, HOME: homedir(), ...env } })
  return said.toString().split('\n')
}
