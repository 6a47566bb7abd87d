import { describe, expect, it } from 'vitest'
import { nodes, operation, Register, type Route, World } from '../../src/byzantine/index.ts'
import { Checker } from '../byzantine/checkers.ts'

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
})
