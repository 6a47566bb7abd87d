import { describe, expect, it } from 'vitest'
import { createSealer, KeyPair } from '../../src/identity/index.ts'
import type { SwarmId } from '../../src/kernel/index.ts'

const pair = (byte: number): KeyPair => KeyPair.fromSeed(new Uint8Array(32).fill(byte))
const [swarm, other] = ['a'.repeat(64) as SwarmId, 'b'.repeat(64) as SwarmId]

describe('a seal', () => {
  it('is the same in every life of a node, and another for every text, swarm and node', () => {
    const seals = [
      createSealer(pair(1), swarm)('x/task/1/1'),
      createSealer(pair(1), swarm)('x/task/1/2'),
      createSealer(pair(1), other)('x/task/1/1'),
      createSealer(pair(2), swarm)('x/task/1/1'),
    ]
    expect(createSealer(pair(1), swarm)('x/task/1/1')).toBe(seals[0])
    expect(new Set(seals).size).toBe(seals.length)
    for (const seal of seals) expect(Number.isSafeInteger(seal) && seal >= 0 && seal < 2 ** 48).toBe(true)
  })

  it('stays as it is from one version to the next', () => {
    // By Python's hmac and hashlib. Leases outlive an upgrade.
    expect(createSealer(pair(1), swarm)('x/task/1/1')).toBe(278842297965979)
  })
})
