import { describe, expect, it } from 'vitest'
import type { WallMillis } from '../../src/kernel/index.ts'
import { COUNCIL, GroupLog } from '../../src/swarm/index.ts'
import { act, certificateOf, NOON, node } from '../support/council.ts'
import { GovernedWorld, groupRecordsOf } from '../support/governed.ts'

function founded(...others: readonly string[]): GovernedWorld {
  const world = new GovernedWorld()
  for (const name of ['a', ...others]) world.add(name, name === 'a' ? ['worker', 'validator'] : ['worker'])
  world.linkAll()
  return world
}

describe('the council in a node', () => {
  it('decides alone at once, in the name of the organisation whose key it holds', () => {
    const world = founded()
    world.propose('a', act.tenant('gold'))
    expect(world.outcomes).toMatchObject([{ id: 1, outcome: { kind: 'applied', height: 1 } }])
    const { log } = world.nodes.get('a') ?? {}
    expect(log?.decisions.map(({ block }) => block.requests[0]?.request.client)).toEqual(['keyacme'])
  })

  it('GR-1 goes on from its log, also one cut short in the middle of a rewriting', () => {
    const world = founded()
    const { effects } = world.nodes.get('a') ?? { effects: [] }
    // More than a segment, so that the log is rewritten; each tenant is a decision of its own.
    for (let i = 0; i < 80; i++) world.propose('a', act.tenant(`t${i}`))
    const records = groupRecordsOf(effects)
    const rewritten = records.findIndex(({ kind }) => kind === 'group-rewritten')
    expect(rewritten).toBeGreaterThan(0)

    for (const length of [rewritten, rewritten - 1, rewritten + 1, records.length]) {
      const log = new GroupLog()
      for (const record of records.slice(0, length)) log.take(record)
      // A later rewriting counts its own drafts only.
      const again = new GovernedWorld()
      again.now = 2_000
      const { desk } = again.add('a', ['validator'], log)
      again.propose('a', act.tenant('after'))
      expect(again.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
      expect(desk.state.tenants.size).toBe(1 + tenantsIn(records.slice(0, length)))
      const copy = new GroupLog()
      for (const record of log.snapshot(COUNCIL)) copy.take(record)
      expect(copy.records).toEqual(log.records)
      expect(copy.decisions).toEqual(log.decisions)
    }
  })

  it('GR-12 writes what was decided once, and reads the same decisions back', () => {
    const world = founded()
    for (let i = 0; i < 80; i++) world.propose('a', act.tenant(`t${i}`))
    const { effects, log } = world.nodes.get('a') ?? { effects: [], log: new GroupLog() }
    const records = groupRecordsOf(effects)
    expect(new Set(records.map(({ kind }) => kind))).not.toContain('decided')
    const again = new GroupLog()
    for (const record of records) again.take(record)
    expect(again.decisions).toHaveLength(80)
    expect(again.decisions).toEqual(log.decisions)
    // Most are kept as bytes, and read the same one by one.
    for (const decided of log.decisions) expect(log.decisionAt(decided.block.header.height)).toEqual(decided)
    expect(log.decisionAt(0)).toBeUndefined()
    expect(log.lastDecision).toEqual(log.decisions.at(-1))
    expect(log.decisionsAfter(undefined)).toEqual(log.decisions)
    const last = log.lastDecision
    world.propose('a', act.tenant('later'))
    expect(log.decisionsAfter(last)).toEqual(log.decisions.slice(-1))
    // A log that does not hold the block is given all of it.
    const [first, second] = log.decisions
    if (first === undefined || second === undefined) throw new Error('nothing decided')
    // Of several blocks that became final at once, each decision finds its own.
    const several = new GroupLog()
    for (const { block } of [first, second])
      several.take({ kind: 'group', group: COUNCIL, record: { kind: 'block', block } })
    for (const decided of [first, second]) several.take(several.recordOf(COUNCIL, decided))
    expect(several.decisions).toEqual([first, second])
    expect(new GroupLog().recordOf(COUNCIL, first)).toEqual({ kind: 'decided', group: COUNCIL, decided: first })
  })

  it('GR-9 says from which height on its decisions are complete, over restarts and compactions', () => {
    const world = founded('b')
    for (let i = 0; i < 5; i++) world.propose('a', act.tenant(`t${i}`))
    const { log } = world.nodes.get('a') ?? { log: new GroupLog() }
    expect(log.complete).toBeUndefined()
    // More than a segment ago: the newcomer takes over the state.
    for (let i = 5; i < 140; i++) world.propose('a', act.tenant(`t${i}`))
    const late = world.add('late', ['worker'])
    world.link('late', 'a')
    world.pass(3_000)
    expect(late.desk.state.tenants.size).toBe(140)
    const { complete, decisions } = late.log
    expect(complete?.why).toEqual({ kind: 'snapshot' })
    expect(decisions[0]?.block.header.height).toBeGreaterThanOrEqual(complete?.height ?? 0)
    const written = groupRecordsOf(late.effects)
    for (const records of [written, late.log.snapshot(COUNCIL)]) {
      const copy = new GroupLog()
      for (const record of records) copy.take(record)
      expect(copy.complete).toMatchObject({ height: complete?.height, why: { kind: 'snapshot' } })
    }
    for (let i = 0; i < 500; i++) world.propose('a', act.tenant(`t${i % 7}`, { weight: 2 + (i % 50) }))
    expect(log.decisions).toHaveLength(512)
    expect(log.complete?.why).toEqual({ kind: 'bound' })
    expect(log.complete?.height).toBeGreaterThan(1)
    expect(log.complete?.height).toBeLessThanOrEqual(log.decisions[0]?.block.header.height ?? 0)
  })

  it('GR-4 followers have a decision at once, and one that missed the news finds out', () => {
    const world = founded('b', 'c')
    world.propose('a', act.tenant('gold'))
    for (const name of ['b', 'c']) expect(world.nodes.get(name)?.desk.state.tenants.has('gold')).toBe(true)
    world.add('late', ['worker'])
    world.link('late', 'c')
    world.pass(2_000)
    expect(world.nodes.get('late')?.desk.state.tenants.has('gold')).toBe(true)
  })

  it('GR-4 whoever proposed and misses the news of the decision has it all the same, soon', () => {
    const world = founded()
    world.keyHolders.add('b')
    world.add('b', ['worker'])
    world.linkAll()
    world.mute.add('a').add('b')
    world.pass(60_000)
    world.propose('b', act.tenant('gold'))
    world.pass(3_000)
    expect(world.outcomes).toMatchObject([{ outcome: { kind: 'applied' } }])
  })

  it('GR-6 the first members announce for all, and the next one does it where they are not heard', () => {
    const world = new GovernedWorld()
    for (const name of 'abcd') world.add(name)
    world.add('follower', ['worker'])
    world.linkAll()
    world.pass(60_000)
    const members = world.nodes.get('a')?.desk.host.core.members ?? []
    expect(members).toHaveLength(4)
    const announcers = (): readonly string[] => {
      return [...world.nodes].flatMap(([name, { effects }]) => {
        return effects.some((e) => e.kind === 'publish' && e.message.kind === 'consensus.announce') ? [name] : []
      })
    }
    for (const { effects } of world.nodes.values()) effects.length = 0
    world.propose('a', act.tenant('gold'))
    world.pass(200)
    // The second may not know yet that it is final when the first says so; those after it do.
    expect([['a'], ['a', 'b']]).toContainEqual(announcers())
    world.mute.add('a')
    world.propose('a', act.tenant('silver'))
    world.pass(200)
    expect(world.nodes.get('follower')?.desk.state.tenants.has('silver')).toBe(true)
  })

  it('GR-3 whom it revokes everyone puts out in the step in which they learn of it', () => {
    const world = founded('b', 'c', 'd')
    expect(world.linked('b', 'd')).toBe(true)
    world.propose('a', act.revoke('d'))
    for (const name of ['a', 'b', 'c']) {
      expect(world.linked(name, 'd')).toBe(false)
      const told = world.nodes
        .get(name)
        ?.effects.filter((e) => e.kind === 'observe' && e.observation.kind === 'council-revoked')
      expect(told).toHaveLength(1)
    }
    world.link('b', 'd')
    expect(world.linked('b', 'd')).toBe(false)
  })
})

describe('an organisation that is decided', () => {
  const stateOf = (world: GovernedWorld, at: string, of: string) => {
    return world.nodes.get(at)?.swarm.membership.state(node(of))
  }
  const all = (world: GovernedWorld, name: string) => world.nodes.get(name)?.effects ?? []

  it('GR-7 GR-8 M-21 who does not know it asks, takes nobody in and blames nobody; who learns it does', () => {
    const world = founded('b')
    world.add('guest', ['worker'], undefined, 'beta')
    // Of members a follower asks one; this one has a link to the guest alone, and to whom it can ask.
    world.add('c')
    world.link('c', 'b')
    const before = all(world, 'c').length
    world.link('c', 'guest')
    expect(stateOf(world, 'c', 'guest')).toBeUndefined()
    expect(all(world, 'c').filter(({ kind }) => kind === 'penalise')).toEqual([])
    const asked = all(world, 'c').slice(before)
    expect(asked.some((e) => e.kind === 'send' && e.message.kind.startsWith('consensus.'))).toBe(true)

    world.propose('a', act.org('beta'))
    // B-29: who did not ask for it hears of it a little later.
    world.pass(100)
    for (const name of ['b', 'c']) {
      expect(world.nodes.get(name)?.desk.authorities.organisationOf(node('keybeta'))).toBe('beta')
    }
    expect(stateOf(world, 'c', 'guest')).toBe('alive')
    world.pass(5_000)
    expect(stateOf(world, 'a', 'guest')).toBe('alive')
    for (const name of world.nodes.keys()) {
      expect([name, all(world, name).filter(({ kind }) => kind === 'penalise')]).toEqual([name, []])
    }
  })

  it('GR-7 asks at most once a second, however many it meets', () => {
    const world = founded('b')
    world.add('c')
    world.link('c', 'b')
    world.pass(3_000)
    const before = all(world, 'c').length
    for (let i = 0; i < 50; i++) {
      world.tell('c', { kind: 'authority-unknown' })
      world.pass(15)
    }
    const fetches = all(world, 'c').slice(before)
    expect(fetches.filter((e) => e.kind === 'send' && e.message.kind.startsWith('consensus.')).length).toBeLessThan(5)
  })

  it('GR-8 M-21 whom a withdrawn key has certified is put out in the step in which that is learnt', () => {
    const world = founded('b', 'c')
    world.propose('a', act.org('beta'))
    world.add('guest', ['worker'], undefined, 'beta')
    for (const name of ['a', 'b', 'c']) world.link(name, 'guest')
    world.pass(3_000)
    expect(stateOf(world, 'c', 'guest')).toBe('alive')
    world.propose('a', act.org('beta', { authorities: [], seatsMax: 0 }))
    for (const name of ['a', 'b', 'c']) {
      expect([world.linked(name, 'guest'), stateOf(world, name, 'guest')]).toEqual([false, 'dead'])
      expect(all(world, name)).toContainEqual({ kind: 'authorities-changed' })
    }
    // It has heard nothing of that: it is told by whoever it dials.
    const told = () =>
      all(world, 'guest').filter((e) => e.kind === 'observe' && e.observation.kind === 'council-unvouched-here')
    world.tell('guest', { kind: 'shut-out', by: node('b'), why: 'unvouched' })
    expect(told()).toHaveLength(0)
    world.tell('guest', { kind: 'shut-out', by: node('a'), why: 'unvouched' })
    expect(told()).toHaveLength(1)
    expect(world.nodes.get('guest')?.desk.shutOutAs).toBe('unvouched')
  })

  it('GR-8 A-17 whom it has expelled is put out in the step in which that is learnt, and others of it are not', () => {
    const world = founded('b', 'c')
    world.propose('a', act.org('beta'))
    for (const name of ['guest', 'other']) {
      world.add(name, ['worker'], undefined, 'beta')
      for (const member of ['a', 'b', 'c']) world.link(member, name)
    }
    world.pass(3_000)
    // Another organisation's word about a node of acme's is nothing to it.
    for (const name of ['guest', 'b']) world.propose('a', act.revoke(name, 'beta'))
    for (const name of ['a', 'c']) {
      expect([world.linked(name, 'guest'), stateOf(world, name, 'guest')]).toEqual([false, 'dead'])
      expect([world.linked(name, 'other'), world.linked(name, 'b')]).toEqual([true, true])
      expect(all(world, name)).toContainEqual({
        kind: 'observe',
        observation: { kind: 'council-expelled', node: 'guest', org: 'beta' },
      })
    }
    world.pass(3_000)
    expect(stateOf(world, 'c', 'guest')).toBe('dead')
  })

  it('GR-11 a validator of it that is expelled is linked to the council until the epoch that does without it', () => {
    const world = founded('b')
    world.propose('a', act.org('beta'))
    world.add('guest', ['worker', 'validator'], undefined, 'beta')
    for (const name of ['a', 'b']) world.link(name, 'guest')
    world.pass(1_000)
    world.propose('a', act.add(certificateOf('guest', { org: 'beta' })))
    world.pass(100)
    const { core } = world.nodes.get('a')?.desk.host ?? {}
    expect(core?.members).toEqual(['a', 'guest'])
    // Of two both are needed, also for the epoch that leaves one out.
    world.propose('a', act.revoke('guest', 'beta'))
    world.pass(100)
    expect(core?.members).toEqual(['a'])
    for (const name of ['a', 'b']) expect([name, world.linked(name, 'guest')]).toEqual([name, false])
  })

  it('GR-8 M-21 a node of it that reads the decision itself says so, and does not break', () => {
    const world = founded('b')
    world.propose('a', act.org('beta'))
    world.add('guest', ['worker'], undefined, 'beta')
    world.link('a', 'guest')
    world.pass(3_000)
    // Its own view of the council changes while nobody listens to it.
    const guest = world.nodes.get('guest')
    world.propose('a', act.org('beta', { authorities: [node('knew')] }))
    world.add('relay', ['worker'])
    world.link('a', 'relay')
    world.link('relay', 'guest')
    world.pass(40_000)
    expect(guest?.desk.authorities.withdrawnFrom(node('keybeta'))).toBe('beta')
    expect(all(world, 'guest')).toContainEqual({
      kind: 'observe',
      observation: { kind: 'council-unvouched-here', node: 'guest' },
    })
    world.tell('guest', { kind: 'leave' })
  })
})

describe('a node that was put back from an older copy of itself', () => {
  const abstains = (world: GovernedWorld, name: string) =>
    world.nodes
      .get(name)
      ?.effects.filter((e) => e.kind === 'observe' && e.observation.kind === 'consensus.abstaining') ?? []

  it('GR-10 M-17 abstains from when it meets what it does not remember to have said, until it is safe', () => {
    const world = new GovernedWorld()
    for (const name of ['a', 'b', 'c', 'd']) world.add(name)
    world.linkAll()
    world.pass(12_000)
    expect(world.nodes.get('b')?.desk.host.isMember).toBe(true)
    const old = world.nodes.get('b')?.log ?? new GroupLog()
    const facts = { addresses: ['/memory/b'], region: '', zone: '', labels: {}, startedAt: NOON as WallMillis }
    for (const version of ['1', '2', '3']) world.tell('b', { kind: 'facts', facts: { ...facts, version } })
    world.pass(3_000)
    world.stop('b')
    world.add('b', ['worker', 'validator'], old)
    expect(abstains(world, 'b')).toEqual([])
    for (const name of ['a', 'c', 'd']) world.link(name, 'b')
    // In the council and in the cell.
    expect(abstains(world, 'b')).toHaveLength(2)
    world.propose('a', act.tenant('gold'))
    for (let i = 0; i < 12; i++) {
      world.propose('a', act.tenant(`t${i}`))
      world.pass(1_000)
    }
    expect(world.nodes.get('b')?.desk.host.core.status().abstaining).toBe(false)
    expect(world.nodes.get('b')?.desk.state.tenants.size).toBe(13)
  })
})

describe('a node that is revoked', () => {
  it('GR-5 finds out by the decision, or from more validators than can lie', () => {
    const world = founded('b', 'c')
    const told = (name: string) =>
      world.nodes
        .get(name)
        ?.effects.filter((e) => e.kind === 'observe' && e.observation.kind === 'council-revoked-here')
    world.tell('b', { kind: 'shut-out', by: node('c'), why: 'revoked' })
    expect([world.nodes.get('b')?.desk.shutOutAs, told('b')?.length]).toEqual([undefined, 0])
    world.tell('b', { kind: 'shut-out', by: node('a'), why: 'revoked' })
    world.tell('b', { kind: 'shut-out', by: node('a'), why: 'revoked' })
    expect([world.nodes.get('b')?.desk.shutOutAs, told('b')?.length]).toEqual(['revoked', 1])
  })
})

function tenantsIn(records: readonly { readonly kind: string }[]): number {
  return records.filter(({ kind }) => kind === 'decided' || kind === 'decided-logged').length
}
