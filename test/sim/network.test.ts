import { describe, expect, it } from 'vitest'
import { type Millis, NEVER } from '../../src/kernel/index.ts'
import { CALM, simAddress, simNodeId } from '../../src/sim/index.ts'
import { linkedToys, toySimulation } from './toys.ts'

const n0 = simNodeId(0)
const n1 = simNodeId(1)

describe('momentary messages (SI-5)', () => {
  it('arrive after the latency, from whoever sent them', () => {
    const { sim, toy } = linkedToys(2)
    expect(toy(0).say(n1, 'hello')).toBe('queued')
    expect(toy(1).heard).toEqual([])
    sim.run(sim.now + 5)
    expect(toy(1).heard.map(({ from, text }) => [from, text])).toEqual([[n0, 'hello']])
  })

  it('are lost, duplicated and reordered at the rates of the weather', () => {
    const { sim, toy } = linkedToys(2)
    sim.paths.weather = { ...CALM, lossRate: 0.2, duplicateRate: 0.1, reorderRate: 0.5, reorderMs: 20 }
    for (let i = 0; i < 4000; i++) {
      toy(0).say(n1, `${i}`)
      sim.run(sim.now + 1)
    }
    sim.run(sim.now + 100)
    const heard = toy(1).heard.map(({ text }) => Number(text))
    const distinct = new Set(heard).size
    expect(distinct / 4000).toBeCloseTo(0.8, 1)
    expect(heard.length / distinct).toBeCloseTo(1.1, 1)
    const overtaken = heard.filter((text, i) => i > 0 && text < (heard[i - 1] as number)).length
    expect(overtaken).toBeGreaterThan(300)
  })

  it('may be corrupted in one bit, and only when the weather says so', () => {
    const { sim, toy } = linkedToys(2)
    sim.paths.weather = { ...CALM, corruptRate: 1 }
    const sent = new TextEncoder().encode('aaaa')
    toy(0).host.network.send(n1, 'membership.ping', sent)
    sim.run(sim.now + 5)
    expect(toy(1).heard[0]?.text).not.toBe('aaaa')
    expect(sent).toEqual(new TextEncoder().encode('aaaa'))
    expect(sim.network.counts.corrupted).toBe(1)
  })

  it('have no way without a link', () => {
    const sim = toySimulation(2)
    sim.start(0)
    expect(sim.programOf(0)?.say(n1, 'x')).toBe('no-link')
  })
})

describe('links (SI-7, SI-10)', () => {
  it('are one per pair even when both sides dial at once', () => {
    const sim = toySimulation(2)
    sim.start(0)
    sim.start(1)
    const [a, b] = [sim.programOf(0), sim.programOf(1)]
    a?.guarded(() => a.host.network.connect(n1, [simAddress(1)]))
    b?.guarded(() => b.host.network.connect(n0, [simAddress(0)]))
    sim.run(1_000)
    expect(a?.ups).toEqual([n1])
    expect(b?.ups).toEqual([n0])
    a?.say(n1, 'there')
    b?.say(n0, 'back')
    sim.run(2_000)
    expect([a?.heard.length, b?.heard.length, a?.downs, b?.downs]).toEqual([1, 1, [], []])
  })

  it('block one direction only', () => {
    const { sim, toy } = linkedToys(2)
    sim.block(0, 1)
    toy(0).say(n1, 'lost')
    toy(1).say(n0, 'through')
    sim.run(sim.now + 5)
    expect(toy(1).heard).toEqual([])
    expect(toy(0).heard.map(({ text }) => text)).toEqual(['through'])
  })

  it('end at both ends, each in its own time, when nothing comes through, and are made again after', () => {
    const { sim, toy } = linkedToys(2)
    sim.block(0, 1)
    sim.run(sim.now + 21_000)
    expect([toy(0).downs, toy(1).downs]).toEqual([
      [{ peer: n1, reason: 'connection-lost' }],
      [{ peer: n0, reason: 'connection-lost' }],
    ])
    expect(toy(0).failures).toContain('TIMEOUT')
    sim.unblock(0, 1)
    sim.run(sim.now + 15_000)
    expect([toy(0).linked.size, toy(1).linked.size]).toEqual([1, 1])
  })

  it('stay half-open for long when the silence is not noticed', () => {
    const { sim, toy } = linkedToys(2, { transport: { halfOpenRate: 1 } })
    sim.stop(1, 'power')
    sim.run(sim.now + 60_000)
    expect(toy(0).downs).toEqual([])
    expect(toy(0).say(n1, 'into the void')).toBe('queued')
  })

  it('are reset at once when a process is killed, and found silent when the power fails', () => {
    const killed = linkedToys(2)
    killed.sim.stop(1, 'kill')
    killed.sim.run(killed.sim.now + 10)
    expect(killed.toy(0).downs).toEqual([{ peer: n1, reason: 'connection-lost' }])
    expect(killed.toy(0).say(n1, 'x')).toBe('no-link')
    const dark = linkedToys(2)
    dark.sim.stop(1, 'power')
    dark.sim.run(dark.sim.now + 7_000)
    expect(dark.toy(0).downs).toEqual([])
    dark.sim.run(dark.sim.now + 14_000)
    expect(dark.toy(0).downs).toEqual([{ peer: n1, reason: 'connection-lost' }])
  })

  it('tell the sender at its next message when the peer has restarted meanwhile', () => {
    const { sim, toy } = linkedToys(2)
    sim.stop(1, 'power')
    sim.start(1)
    expect(toy(0).downs).toEqual([])
    toy(0).say(n1, 'are you there')
    sim.run(sim.now + 2_000)
    expect(toy(0).downs).toEqual([{ peer: n1, reason: 'connection-lost' }])
    expect(toy(0).ups).toEqual([n1, n1])
  })

  it('close politely, and are not dialled again', () => {
    const { sim, toy } = linkedToys(2)
    toy(0).guarded(() => toy(0).host.network.disconnect(n1, 'closed-by-us'))
    expect(toy(0).say(n1, 'x')).toBe('no-link')
    sim.run(sim.now + 20_000)
    expect(toy(0).downs).toEqual([{ peer: n1, reason: 'closed-by-us' }])
    expect(toy(1).downs).toEqual([{ peer: n0, reason: 'closed-by-peer' }])
    expect(toy(1).linked.size).toBe(0)
  })

  it('are told in order: that one was closed before that the next is there, whatever a pause has kept', () => {
    const { sim, toy } = linkedToys(2)
    sim.pause(0, 15_000)
    // What was put off is done in one go at the end of the pause: the closing first, then the link that has come.
    sim.processOf(0)?.later(() => toy(0).guarded(() => toy(0).host.network.disconnect(n1, 'closed-by-us')), sim.now)
    sim.stop(1, 'kill')
    sim.start(1)
    const again = sim.programOf(1)
    again?.guarded(() => again.host.network.connect(n0, [simAddress(0)]))
    sim.run(sim.now + 60_000)
    const links = toy(0).order.filter((what) => /^(?:up|down)/.test(what))
    expect(links.at(-1)).toBe(`up ${n1}`)
    expect(toy(0).linked.has(n1)).toBe(true)
    expect(toy(1).linked.has(n0)).toBe(true)
  })

  it('end for a peer that misbehaves often enough', () => {
    const { sim, toy } = linkedToys(2)
    for (let i = 0; i < 5; i++) toy(0).guarded(() => toy(0).host.network.penalise(n1, 20, 'nonsense'))
    sim.run(sim.now + 10)
    expect(toy(0).downs).toEqual([{ peer: n1, reason: 'protocol-violation' }])
  })

  it('refuse a machine whose key is another', () => {
    const sim = toySimulation(2)
    sim.start(0)
    sim.start(1)
    sim.programOf(0)?.host.network.connect(simNodeId(7), [simAddress(1)])
    sim.run(1_000)
    expect(sim.programOf(0)?.failures[0]).toBe('HANDSHAKE_FAILED')
  })

  it('hold back what is clogged and let it go at once', () => {
    const { sim, toy } = linkedToys(2)
    sim.paths.clog(0, 1, (sim.now + 500) as Millis)
    toy(0).say(n1, 'a')
    toy(0).say(n1, 'b')
    sim.run(sim.now + 499)
    expect(toy(1).heard).toEqual([])
    sim.run(sim.now + 10)
    expect(toy(1).heard.length).toBe(2)
  })
})

describe('gossip', () => {
  it('reaches everyone once, over neighbours', () => {
    const { sim, toy } = linkedToys(12, { transport: { gossipFanout: 8 } })
    toy(0).guarded(() => toy(0).host.network.publish('directory.digest', new TextEncoder().encode('news')))
    sim.run(sim.now + 100)
    for (let i = 1; i < 12; i++) expect(toy(i).heard.map(({ text }) => text)).toEqual(['news'])
    expect(toy(0).heard).toEqual([])
  })
})

describe('processes (SI-8)', () => {
  it('that were paused run the due timer first, then what arrived, in order', () => {
    const { sim, toy } = linkedToys(2)
    toy(0).host.schedule((toy(0).host.now() + 50) as Millis)
    sim.pause(0, 2_000)
    toy(1).say(n0, 'first')
    sim.run(sim.now + 10)
    toy(1).say(n0, 'second')
    sim.run(sim.now + 1_900)
    expect(toy(0).heard).toEqual([])
    const before = toy(0).order.length
    sim.run(sim.now + 200)
    expect(toy(0).order.slice(before)).toEqual(['timer', 'message first', 'message second'])
  })

  it('wake no earlier than asked, by their own clock, whatever its drift', () => {
    const sim = toySimulation(1)
    sim.start(0)
    sim.machine(0).clock.setRate(sim.now, 1.0005)
    const toy = sim.programOf(0)
    toy?.ping(1_000)
    const start = toy?.host.now() ?? 0
    sim.run(100_000)
    expect(toy?.timers.length).toBe(100)
    for (const [i, at] of (toy?.timers ?? []).entries()) expect(at - start).toBeGreaterThanOrEqual((i + 1) * 1_000)
  })

  it('never see their monotonic clock go back, while the wall clock may jump (SI-9)', () => {
    const sim = toySimulation(1)
    sim.start(0)
    const host = sim.programOf(0)?.host
    const { clock } = sim.machine(0)
    let last = host?.now() ?? 0
    for (const rate of [1.0005, 0.9995, 1, 0.9997]) {
      clock.setRate(sim.now, rate)
      const wall = host?.wallNow() ?? 0
      clock.stepWall(-60_000)
      expect((host?.wallNow() ?? 0) - wall).toBeCloseTo(-60_000)
      expect(host?.now()).toBeGreaterThanOrEqual(last)
      sim.run(sim.now + 1_000)
      expect(host?.now()).toBeGreaterThan(last)
      last = host?.now() ?? 0
    }
  })

  it('keep nothing over a crash but what the log had reported durable, or a first part of the rest', () => {
    const sim = toySimulation(1)
    sim.start(0)
    const record = (text: string): Uint8Array => new TextEncoder().encode(text)
    const log = sim.machine(0).log
    log.append(record('a'))
    sim.run(100)
    expect(sim.programOf(0)?.durable).toBe(1)
    log.append(record('b'))
    log.append(record('c'))
    sim.stop(0, 'kill')
    sim.run(200)
    const texts = log.records.map((bytes) => new TextDecoder().decode(bytes))
    expect(['a', 'a,b', 'a,b,c']).toContain(texts.join())
    sim.start(0)
    log.compact([record('all')])
    sim.run(300)
    expect(log.records.map((bytes) => new TextDecoder().decode(bytes))).toEqual(['all'])
  })

  it('ask for no timer with NEVER', () => {
    const sim = toySimulation(1)
    sim.start(0)
    sim.programOf(0)?.host.schedule(NEVER)
    sim.run(1e9)
    expect(sim.programOf(0)?.timers).toEqual([])
  })
})
