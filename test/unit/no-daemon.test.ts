import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { noDaemon } from '../../src/client/no-daemon.ts'
import { scratchDirectory } from '../support/scratch.ts'

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
})
