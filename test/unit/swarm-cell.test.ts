import { describe, expect, it } from 'vitest'
import { encodeCellOperation, type JournalName } from '../../src/cell/index.ts'
import type { Role } from '../../src/identity/index.ts'
import { COUNCIL, FIRST_CELL, GroupLog } from '../../src/swarm/index.ts'
import { act, node } from '../support/council.ts'
import { GovernedWorld, groupRecordsOf } from '../support/governed.ts'

const CUSTODIAN: readonly Role[] = ['worker', 'custodian']

/** Nodes that may all be custodians; the first is the founder. */
function cellOf(...names: readonly string[]): GovernedWorld {
  const world = new GovernedWorld()
  for (const name of ['a', ...names]) world.add(name, name === 'a' ? [...CUSTODIAN, 'validator'] : CUSTODIAN)
  world.linkAll()
  return world
}

const custodiansAt = (world: GovernedWorld, name: string) => world.nodes.get(name)?.cell.host.core.members.join(' ')

describe('who is a custodian of the cell', () => {
  it('CU-1 members with the role that have been up for long enough come in by themselves, others do not', () => {
    const world = cellOf('b', 'c', 'd')
    world.add('w', ['worker'])
    for (const name of ['a', 'b', 'c', 'd']) world.link('w', name)
    world.pass(4_000)
    expect(custodiansAt(world, 'a')).toBe('a')
    world.pass(16_000)
    for (const name of world.nodes.keys()) expect(custodiansAt(world, name)).toBe('a b c d')
    expect(world.nodes.get('w')?.cell.host.isMember).toBe(false)
    // One opens a motion and the others join it: a late one finds the same way in.
    world.add('e', CUSTODIAN)
    for (const name of ['a', 'b', 'c', 'd']) world.link('e', name)
    world.pass(40_000)
    expect(custodiansAt(world, 'e')).toBe('a b c d e')
  })

  it('CU-2 a cell does not grow to two', () => {
    const world = cellOf('b')
    world.pass(30_000)
    expect(custodiansAt(world, 'a')).toBe('a')
    world.add('c', CUSTODIAN)
    world.link('a', 'c')
    world.link('b', 'c')
    world.pass(30_000)
    expect(custodiansAt(world, 'b')).toBe('a b c')
  })

  it('CU-5 nobody is moved to come while the swarm grows', () => {
    const world = cellOf('b', 'c', 'd')
    for (const name of 'efgh') {
      world.add(name, ['worker'])
      for (const other of world.nodes.keys()) if (other !== name) world.link(name, other)
      world.pass(3_000)
    }
    expect(custodiansAt(world, 'a')).toBe('a')
    world.pass(8_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d')
  })

  it('CU-3 who is gone for long is let go, once no journal names it', () => {
    const world = cellOf('b', 'c', 'd', 'e')
    world.pass(30_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d e')
    const journal = 'a/tasks' as JournalName
    const open = encodeCellOperation({ kind: 'open', journal, inSync: [node('a'), node('e')] })
    world.tell('a', { kind: 'propose', group: FIRST_CELL, id: 1, operation: open, as: node('a') })
    expect(world.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
    world.stop('e')
    world.pass(150_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d e')
    const expected = world.nodes.get('a')?.cell.state.journals.get(journal)?.epoch
    if (expected === undefined) throw new Error('the journal is open')
    const alone = { kind: 'configure', journal, expect: expected, primary: node('a'), inSync: [node('a')] } as const
    world.tell('a', { kind: 'propose', group: FIRST_CELL, id: 2, operation: encodeCellOperation(alone), as: node('a') })
    world.pass(150_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d')
  })

  it('CU-4 who is revoked is let go at once', () => {
    const world = cellOf('b', 'c', 'd')
    world.pass(30_000)
    world.propose('a', act.revoke('d'))
    world.pass(10_000)
    expect(custodiansAt(world, 'b')).toBe('a b c')
  })

  it('GR-1 a cell goes on from its log, as every group does', () => {
    const world = cellOf('b', 'c')
    world.pass(30_000)
    const log = new GroupLog()
    for (const record of groupRecordsOf(world.nodes.get('b')?.effects ?? [], FIRST_CELL)) log.take(record)
    const again = new GovernedWorld()
    again.now = world.now
    const { cell } = again.add('b', CUSTODIAN, new GroupLog(), 'acme', log)
    expect(cell.host.core.members.join(' ')).toBe('a b c')
    expect(cell.state.revision).toBe(world.nodes.get('b')?.cell.state.revision)
  })

  it('CU-3, RC-3 one that nobody knows any more since all others were started again is let go too', () => {
    const both = [...CUSTODIAN, 'validator'] as const
    const world = new GovernedWorld()
    for (const name of ['a', 'b', 'c', 'd']) world.add(name, both)
    world.linkAll()
    world.pass(30_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d')
    const again = new GovernedWorld()
    again.now = world.now
    for (const name of ['a', 'b', 'c']) {
      const { effects } = world.nodes.get(name) ?? { effects: [] }
      const logs = [COUNCIL, FIRST_CELL].map((group) => {
        const log = new GroupLog()
        for (const record of groupRecordsOf(effects, group)) log.take(record)
        return log
      })
      again.add(name, both, logs[0], 'acme', logs[1])
    }
    again.linkAll()
    again.pass(50_000)
    expect([custodiansAt(again, 'a'), again.nodes.get('a')?.desk.host.core.members.join(' ')]).toEqual([
      'a b c d',
      'a b c d',
    ])
    again.pass(50_000)
    expect([custodiansAt(again, 'a'), again.nodes.get('a')?.desk.host.core.members.join(' ')]).toEqual([
      'a b c',
      'a b c',
    ])
  })
})
