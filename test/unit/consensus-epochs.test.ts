import { describe, expect, it } from 'vitest'
import { nodes, operation, type Route, World } from '../../src/byzantine/index.ts'
import { CHECKPOINTS_PER_MESSAGE_MAX } from '../../src/consensus/params.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { Checker } from '../byzantine/checkers.ts'

const EVERYONE = nodes(6)
const LATE = EVERYONE[5] as NodeId

/** Four members, a fifth that comes and goes with every epoch, and one that hears nothing until so many have passed. */
function world(seed: string, epochsMissed: number) {
  let heard = false
  const route: Route = ({ from, to }, { random }) => {
    return !heard && (from.node === LATE || to.node === LATE) ? undefined : 1 + random.float() * 3
  }
  const made = new World({
    seed,
    members: EVERYONE.slice(0, 4),
    hosts: EVERYONE.map((node) => ({ node })),
    params: { recentEpochsMax: 1_024 },
    route,
  })
  const checker = new Checker(made)
  const [first] = made.hosts
  if (first === undefined) throw new Error('there are six')
  for (let epoch = 1; epoch <= epochsMissed; epoch++) {
    made.submit(first, epoch % 2 === 1 ? 'add:e' : 'del:e')
    if (!made.run(made.now + 5_000, () => first.core.epoch > epoch)) throw new Error(`epoch ${epoch} does not end`)
  }
  heard = true
  const late = made.hosts[5] as (typeof made.hosts)[number]
  return { world: made, first, late, checker }
}

describe('a node that has missed many epochs', () => {
  const missed = [
    CHECKPOINTS_PER_MESSAGE_MAX - 1,
    CHECKPOINTS_PER_MESSAGE_MAX,
    CHECKPOINTS_PER_MESSAGE_MAX + 1,
    2 * CHECKPOINTS_PER_MESSAGE_MAX + 5,
  ]
  it.each(missed)('B-25 follows after %i of them, of which one answer shows a part', (epochs) => {
    const { world: made, first, late, checker } = world(`epochs ${epochs}`, epochs)
    const isThere = () => late.core.height === first.core.height && late.core.epoch === first.core.epoch
    expect(made.run(made.now + 10_000, isThere)).toBe(true)
    expect(late.machine.fingerprint).toBe(first.machine.fingerprint)
    // With decisions going on meanwhile, and as a member itself.
    made.submit(first, 'add:f')
    expect(made.run(made.now + 10_000, () => late.core.members.includes(LATE) && isThere())).toBe(true)
    expect(checker.end()).toEqual([])
  })

  it('B-25 follows while epochs go on passing', () => {
    const { world: made, first, late } = world('passing', 2 * CHECKPOINTS_PER_MESSAGE_MAX)
    let changes = 0
    const pass = (): void => {
      changes += 1
      made.submit(first, changes % 2 === 1 ? 'add:e' : 'del:e')
      if (changes < 12) made.after(40, pass)
    }
    pass()
    const isThere = () => changes === 12 && late.core.height === first.core.height && first.core.epoch > 40
    expect(made.run(made.now + 20_000, isThere)).toBe(true)
    expect(late.machine.fingerprint).toBe(first.machine.fingerprint)
  })
})

describe('a node that becomes a member', () => {
  it('B-12, B-25 may propose itself what it asked for before, though nobody else has heard of it', () => {
    const silenced = EVERYONE[4] as NodeId
    const route: Route = ({ from, message }, { random }) => {
      return from.node === silenced && message.kind === 'request' ? undefined : 1 + random.float() * 3
    }
    const hosts = EVERYONE.slice(0, 5).map((node) => ({ node }))
    const made = new World({ seed: 'asked before', members: EVERYONE.slice(0, 4), hosts, route })
    const [first, , , , late] = made.hosts
    if (first === undefined || late === undefined) throw new Error('there are five')
    const said: NodeId[] = []
    made.watcher.onDecision = (_, { block }) => said.push(...block.requests.map(({ request }) => request.client))
    made.submit(late, 'w:7')
    made.submit(first, 'add:e')
    expect(made.run(made.now + 5_000, () => late.core.members.includes(silenced))).toBe(true)
    expect(said).not.toContain(silenced)
    // Until it is its turn to propose.
    for (let turn = 0; turn < 5; turn++) {
      made.submit(first, `w:${turn}`)
      made.run(made.now + 2_000, () => said.includes(silenced))
    }
    expect(said).toContain(silenced)
  })
})

describe('a member that is alone', () => {
  it.each(['b', 'c', 'd'])('B-24 takes in three of which %s never comes, and goes on', (absent) => {
    const everyone = nodes(4)
    const made = new World({
      seed: 'first four',
      members: everyone.slice(0, 1),
      hosts: everyone.map((node) => ({ node })),
    })
    const checker = new Checker(made)
    const [first, ...others] = made.hosts
    if (first === undefined) throw new Error('there are four')
    for (const host of others) if (host.node === absent) made.crash(host)
    const submissions = ['add:b', 'add:c', 'add:d'].map((each, i) => ({ id: 100 + i, operation: operation(each) }))
    made.step(first, { kind: 'submit', submissions })
    expect(made.run(made.now + 20_000, () => first.core.members.length === 4)).toBe(true)
    const id = made.submit(first, 'w:1')
    expect(made.run(made.now + 20_000, () => made.outcomes.get(id)?.kind === 'applied')).toBe(true)
    expect(checker.end()).toEqual([])
  })
})
