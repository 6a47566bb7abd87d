import { describe, expect, it } from 'vitest'
import { nodes, operation, Register, type Route, World } from '../../src/byzantine/index.ts'
import { Checker } from '../byzantine/checkers.ts'
import { solo } from './consensus-fixtures.ts'

class Unreadable extends Register {
  override restore(): boolean {
    return false
  }
}

describe('a member that was upgraded', () => {
  it('B-4 says again what it signed of a state, although its new version makes another of it', () => {
    let cuts = true
    let isNew = false
    // Nobody hears of states: the boundary stays where it is.
    const route: Route = ({ message }) => {
      const isState = message.kind === 'votes' && message.votes.some(({ vote }) => vote.kind === 'checkpoint')
      return cuts && isState ? undefined : 1
    }
    /** Whose state is another since the upgrade. */
    class Upgraded extends Register {
      readonly #isNew = isNew

      override snapshot(): readonly Uint8Array[] {
        return this.#isNew ? [...super.snapshot(), operation('new')] : super.snapshot()
      }
    }
    const members = nodes(4)
    const hosts = members.map((node) => ({ node }))
    const world = new World({ seed: 'upgrade', members, hosts, route, machine: (of) => new Upgraded(of) })
    const checker = new Checker(world)
    const [first, second] = world.hosts
    if (first === undefined || second === undefined) throw new Error('there are four')
    for (let i = 0; i < 8; i++) world.submit(first, `w:${i}`)
    world.submit(first, 'add:e')
    expect(
      world.run(world.now + 3_000, () =>
        world.hosts.every(({ core }) => core.height === first.core.height && core.height > 0),
      ),
    ).toBe(true)
    world.run(world.now + 200, () => false)
    expect(first.core.status().checkpoint).toBeUndefined()
    expect(
      second.disk.durable.some(({ kind, ...rest }) => kind === 'vote' && JSON.stringify(rest).includes('checkpoint')),
    ).toBe(true)
    isNew = true
    world.crash(second)
    world.restart(second)
    world.run(world.now + 500, () => false)
    cuts = false
    const isThere = () => world.hosts.every(({ core }) => core.epoch === 2 && core.height === first.core.height)
    expect(world.run(world.now + 10_000, isThere)).toBe(true)
    expect(first.core.status().members.filter(({ convicted }) => convicted)).toEqual([])
    expect(checker.end()).toEqual([])
  })

  it('B-33 refuses the state that its group has signed, if it cannot read it; one that is damaged it leaves to the others', () => {
    const members = nodes(1)
    const world = new World({ seed: 'format', members, hosts: members.map((node) => ({ node })) })
    const [writer] = world.hosts
    if (writer === undefined) throw new Error('there is one')
    for (let i = 0; i < 40; i++) world.submit(writer, `w:${i}`)
    expect(world.run(world.now + 3_000, () => writer.core.status().checkpoint !== undefined)).toBe(true)
    const records = writer.disk.durable
    const upgraded = () => solo('a', 1, { records, session: 2, machine: new Unreadable(members) })
    expect(upgraded).toThrow(expect.objectContaining({ code: 'UNSUPPORTED_VERSION' }))
    expect(upgraded).toThrow("the store holds a state of the group 'council' that this version")
    const damaged = records.map((each) => (each.kind === 'chunk' ? { ...each, bytes: operation('x') } : each))
    expect(() => solo('a', 1, { records: damaged, session: 2, machine: new Unreadable(members) })).not.toThrow()
    expect(solo('a', 1, { records, session: 2 }).core.height).toBe(writer.core.height)
  })
})
