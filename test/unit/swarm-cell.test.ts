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

const BOTH: readonly Role[] = [...CUSTODIAN, 'validator']

/** Four that are all validators and custodians. */
function four(): GovernedWorld {
  const world = new GovernedWorld()
  for (const name of ['a', 'b', 'c', 'd']) world.add(name, BOTH)
  world.linkAll()
  world.pass(30_000)
  return world
}

/** These nodes with their logs in a world where they have not met yet. */
function startedAgain(world: GovernedWorld, ...names: readonly string[]): GovernedWorld {
  const again = new GovernedWorld()
  again.now = world.now
  for (const name of names) {
    const { effects } = world.nodes.get(name) ?? { effects: [] }
    const [council, cell] = [COUNCIL, FIRST_CELL].map((group) => {
      const log = new GroupLog()
      for (const record of groupRecordsOf(effects, group)) log.take(record)
      return log
    })
    again.add(name, BOTH, council, 'acme', cell)
  }
  return again
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
    world.tell('a', { kind: 'propose', group: FIRST_CELL, proposals: [{ id: 1, operation: open, as: node('a') }] })
    expect(world.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
    world.stop('e')
    world.pass(150_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d e')
    const expected = world.nodes.get('a')?.cell.state.journals.get(journal)?.epoch
    if (expected === undefined) throw new Error('the journal is open')
    const alone = { kind: 'configure', journal, expect: expected, primary: node('a'), inSync: [node('a')] } as const
    world.tell('a', {
      kind: 'propose',
      group: FIRST_CELL,
      proposals: [{ id: 2, operation: encodeCellOperation(alone), as: node('a') }],
    })
    world.pass(150_000)
    expect(custodiansAt(world, 'a')).toBe('a b c d')
  })

  it.each([
    ['revoked', undefined],
    ['expelled by its own organisation', 'acme'],
  ])('CU-4 who is %s is let go at once', (_, org) => {
    const world = cellOf('b', 'c', 'd')
    world.pass(30_000)
    world.propose('a', act.revoke('d', org))
    world.pass(10_000)
    expect(custodiansAt(world, 'b')).toBe('a b c')
  })

  it("CU-1, CU-4 a motion that has become impossible stands in nobody's way", () => {
    const world = cellOf('b', 'c', 'd')
    world.pass(30_000)
    const say = (by: string, operation: Parameters<typeof encodeCellOperation>[0]) => {
      const as = node(by)
      world.tell(by, {
        kind: 'propose',
        group: FIRST_CELL,
        proposals: [{ id: 1, operation: encodeCellOperation(operation), as }],
      })
    }
    // Moved when it held nothing; now it alone holds a journal, which is to be declared lost.
    say('a', { kind: 'custodians', add: [], remove: [node('d')], lost: false })
    say('d', { kind: 'open', journal: 'd/tasks' as JournalName, inSync: [node('d')] })
    expect(world.outcomes.map(({ outcome }) => outcome.kind)).toEqual(['applied', 'applied'])
    world.propose('a', act.revoke('d'))
    world.pass(30_000)
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
    const world = four()
    expect(custodiansAt(world, 'a')).toBe('a b c d')
    const again = startedAgain(world, 'a', 'b', 'c')
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

describe('revoking several at once', () => {
  it('GR-11 those without whom the council has no quorum go when it can do without them, and it goes on', () => {
    const world = startedAgain(four(), 'a', 'b', 'c', 'd')
    world.proposeAll('a', [act.revoke('c'), act.revoke('d')])
    world.linkAll()
    world.pass(20_000)
    expect(world.outcomes.map(({ outcome }) => outcome)).toMatchObject([{ kind: 'applied' }, { kind: 'applied' }])
    const heights = world.outcomes.map(({ outcome }) => (outcome.kind === 'applied' ? outcome.height : 0))
    expect(heights[0]).toBe(heights[1])
    expect(world.nodes.get('a')?.desk.host.core.members.join(' ')).toBe('a b')
    for (const gone of ['c', 'd']) expect([world.linked('a', gone), world.linked('b', gone)]).toEqual([false, false])
    world.propose('a', act.tenant('after'), 3)
    expect(world.outcomes.at(-1)).toMatchObject({ id: 3, outcome: { kind: 'applied' } })
  })

  it('GR-11 one that is revoked while another is down helps to leave itself out, and then it goes', () => {
    const world = startedAgain(four(), 'a', 'b', 'c')
    world.propose('a', act.revoke('c'), 1)
    world.linkAll()
    world.pass(20_000)
    expect(world.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
    expect(world.nodes.get('a')?.desk.host.core.members.join(' ')).toBe('a b d')
    expect([world.linked('a', 'c'), world.linked('b', 'c')]).toEqual([false, false])
    world.propose('a', act.tenant('after'), 2)
    world.pass(1_000)
    expect(world.outcomes.at(-1)).toMatchObject({ id: 2, outcome: { kind: 'applied' } })
  })
})
