import { readdirSync, readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { CALM, type Host, type SimulationOptions, simNodeId } from '../../src/sim/index.ts'
import { linkedToys, Toy } from './toys.ts'

const n0 = simNodeId(0)
const n1 = simNodeId(1)

describe('chance (SI-3)', () => {
  /** Draws from its own chance, as a protocol does, and more or less of it. */
  class Gambler extends Toy {
    draws = 0

    override onTimer(): void {
      for (let i = 0; i < this.draws; i++) this.host.random.below(6)
      super.onTimer()
    }
  }

  function heardWith(draws: number, seed = 'one') {
    const { sim, toy } = linkedToys(3, { seed, boot: (host) => new Gambler(host) })
    sim.paths.weather = { ...CALM, lossRate: 0.3, duplicateRate: 0.2, reorderRate: 0.3, reorderMs: 20 }
    for (let i = 0; i < 3; i++) {
      const gambler = toy(i) as Gambler
      gambler.draws = draws
      gambler.ping(100)
    }
    sim.run(sim.now + 10_000)
    return [0, 1, 2].map((i) => toy(i).heard.map(({ at, from, text }) => [at, from, text]))
  }

  it('of a program is not the chance of the weather: drawing more changes no message’s fate', () => {
    const calm = heardWith(0)
    expect(heardWith(7)).toEqual(calm)
    expect(heardWith(0, 'two')).not.toEqual(calm)
  })

  it('of one machine is not that of another, nor that of its next start', () => {
    const { sim, toy } = linkedToys(2)
    const drawn = (i: number) => Array.from({ length: 8 }, () => toy(i).host.random.below(1e9))
    const first = drawn(0)
    sim.stop(0, 'kill')
    sim.start(0)
    expect(new Set([first, drawn(1), drawn(0)].map(String)).size).toBe(3)
  })
})

describe('what crosses the network (SI-4)', () => {
  /** Overwrites whatever it is handed. */
  class Scribbler extends Toy {
    override onMessage(...[from, kind, body]: Parameters<Toy['onMessage']>): void {
      super.onMessage(from, kind, body)
      body.fill(0x21)
    }
  }

  const scribblers = (machines: number, options: Partial<SimulationOptions<Toy>> = {}) =>
    linkedToys(machines, { boot: (host: Host) => new Scribbler(host), ...options })

  it('is what the bytes were when they were sent, whatever sender and receiver do with them later', () => {
    const { sim, toy } = scribblers(2)
    sim.paths.weather = { ...CALM, reorderRate: 1, reorderMs: 20 }
    const body = new TextEncoder().encode('hello')
    toy(0).host.network.send(n1, 'membership.ping', body)
    body.fill(0x3f)
    sim.run(sim.now + 100)
    expect(toy(1).heard.map(({ text }) => text)).toEqual(['hello'])
    expect(new TextDecoder().decode(body)).toBe('?????')
  })

  it('is everybody’s own when many hear the same', () => {
    const { sim, toy } = scribblers(6)
    const body = new TextEncoder().encode('news')
    toy(0).guarded(() => toy(0).host.network.publish('directory.digest', body))
    for (let i = 1; i < 6; i++) toy(0).host.network.send(simNodeId(i), 'membership.ping', body)
    sim.run(sim.now + 100)
    for (let i = 1; i < 6; i++)
      expect(toy(i).heard.map(({ from, text }) => [from, text])).toEqual([
        [n0, 'news'],
        [n0, 'news'],
      ])
    expect(new TextDecoder().decode(body)).toBe('news')
  })
})

describe('checkers (SI-11)', () => {
  const folder = new URL('../../src/sim/', import.meta.url)
  const checkers = readdirSync(folder).filter((file) => /checker\.ts$/.test(file))
  /** What a module takes from elsewhere to run: types are gone by then. */
  const IMPORTS_OF_VALUES = /^(?:import|export) (?!type )[^;]*? from '([^']+)'/gm

  it('judge by themselves: no code of the swarm, of a protocol or of the machinery runs in them', () => {
    expect(checkers).toContain('membership-checker.ts')
    for (const file of checkers) {
      const taken = [...readFileSync(new URL(file, folder), 'utf8').matchAll(IMPORTS_OF_VALUES)].map(([, from]) => from)
      expect(
        taken.filter((from) => from !== '../kernel/index.ts' && !/^\.\/[a-z-]*checker\.ts$/.test(String(from))),
      ).toEqual([])
    }
  })
})
