import { describe, expect, it } from 'vitest'
import { BEHAVIOURS, GROUP, type Host, nodes, World } from '../../src/byzantine/index.ts'
import {
  CONSENSUS_BODIES,
  KIND_OF_MESSAGE,
  type LogRecord,
  logRecordShape,
  type Message,
} from '../../src/consensus/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { decode, encode, rulesOf, type Shape } from '../../src/wire/index.ts'
import { BUGS } from './bugs.ts'
import { Checker } from './checkers.ts'
import { paceOf, widePaceOf } from './pace.ts'
import regressions from './regressions.json' with { type: 'json' }
import { KINDS, type Kind, runScenario } from './scenario.ts'

/** With the reason of each; none is ever taken out. */
const KEPT: readonly { readonly kind: string; readonly seed: number; readonly why: string }[] = regressions

/** Few, for every run of the tests; `npm run sim -- consensus --count N` goes on for as long as one likes. */
const SCENARIOS: Readonly<Record<Kind, number>> = {
  twins: 150,
  fuzz: 150,
  behaviour: 60,
  pair: 30,
  crash: 120,
  membership: 60,
  lossy: 60,
  aimed: 60,
  liars: 150,
}

describe('B-1 to B-13 hold, with up to f liars', () => {
  for (const kind of KINDS) {
    it(`in ${kind} scenarios`, { timeout: 120_000 }, () => {
      for (let seed = 0; seed < SCENARIOS[kind]; seed++) {
        const { violations, about } = runScenario(kind, seed)
        expect(violations, `npm run sim -- consensus --replay ${kind}:${seed} (${about})`).toEqual([])
      }
    })
  }

  for (const [name, make] of Object.entries(BEHAVIOURS)) {
    it(`with one member that does this: ${name}`, () => {
      const members = nodes(4)
      const hosts = members.map((node, i) => ({ node, behaviour: i === 1 ? make() : undefined }))
      const world = new World({ seed: name, members, hosts })
      const checker = new Checker(world)
      let submits = 0
      const submit = (): void => {
        world.after(10, () => {
          submits += 1
          const at = world.honest[submits % 3]
          if (submits < 60 && at !== undefined) world.submit(at, `w:${submits}`)
          submit()
        })
      }
      submit()
      expect(world.run(20_000, () => world.honest.every((host) => host.core.height >= 12))).toBe(true)
      expect(checker.end()).toEqual([])
    })
  }
})

describe('the pace of a group', () => {
  it('B-28 skips no view over a wide network once it knows the distances', { timeout: 60_000 }, () => {
    expect(widePaceOf(7, [80, 200])).toMatchObject({ skipped: 0 })
  })

  it('B-26, B-28 stays above half while f members are silent', { timeout: 60_000 }, () => {
    const { blocksPerSecond } = paceOf(undefined, 7)
    expect(paceOf('silent', 7).blocksPerSecond).toBeGreaterThan(blocksPerSecond / 2)
  })
})

describe('seeds that once failed', () => {
  for (const { kind, seed, why } of KEPT) {
    it(`${kind}:${seed}, ${why}`, { timeout: 60_000 }, () => {
      expect(runScenario(kind as Kind, seed).violations).toEqual([])
    })
  }
})

describe('the suites', () => {
  it('BZ-1 run the same from the same seed', () => {
    for (const kind of KINDS) expect(runScenario(kind, 7)).toEqual(runScenario(kind, 7))
  })

  it('BZ-2 run the same whether or not what honest members send becomes bytes', () => {
    for (const kind of KINDS) {
      for (const seed of [1, 2, 3]) {
        expect(runScenario(kind, seed, { carriage: 'objects' })).toEqual(runScenario(kind, seed))
      }
    }
  })

  // The rest of the table takes minutes: `npm run sim -- consensus --bugs`.
  for (const name of [
    'quorum of 2f',
    'commit after skip',
    'skip after commit',
    'prepares twice',
    'votes counted without digest',
  ]) {
    it(`find the planted bug: ${name}`, { timeout: 60_000 }, () => {
      const bug = BUGS[name]
      const found = (bug?.kinds ?? []).some((kind) =>
        [0, 1, 2, 3, 4, 5].some((seed) => runScenario(kind, seed, bug?.wiring ?? {}).violations.length > 0),
      )
      expect(found).toBe(true)
    })
  }
})

describe('the world', () => {
  it('BZ-2 carries bytes: receivers hold nothing of the sender, and noise is refused by the codec', () => {
    const members = nodes(4)
    const sent = new Set<Message>()
    const refused: string[] = []
    const heard: Message[] = []
    const listening = {
      name: 'listens',
      hears: (_host: Host, _from: NodeId, message: Message) => {
        heard.push(message)
        return message
      },
    }
    const hosts = members.map((node, i) => ({ node, behaviour: [BEHAVIOURS.malformed?.(), listening][i] }))
    const world = new World({ seed: 'bytes', members, hosts })
    world.watcher = {
      onSend: (_host, message) => sent.add(message),
      onRefused: (_host, reason) => refused.push(reason),
    }
    world.submit(world.hosts[2] as Host, 'w:1')
    world.run(300, () => false)
    expect(heard.length).toBeGreaterThan(10)
    expect(heard.some((message) => sent.has(message))).toBe(false)
    expect(refused.length).toBeGreaterThan(10)
  })

  it('BZ-3 a power cut takes what was not durable, and what waited for it is never said', () => {
    const members = nodes(4)
    const world = new World({ seed: 'cut', members, hosts: members.map((node) => ({ node })), diskMs: 1000 })
    const host = world.hosts[0] as Host
    const said: Message[] = []
    world.watcher = { onSend: (from, message) => from === host && said.push(message) }
    world.submit(host, 'w:1')
    world.run(100, () => host.disk.held.length > 0)
    const before = said.length
    const written = host.disk.buffered.reduce((sum, { records }) => sum + records.length, 0)
    world.crash(host)
    expect(host.disk.durable.length).toBeLessThanOrEqual(written)
    world.run(5_000, () => false)
    expect(said.length).toBe(before)
  })

  it('BZ-4 what a liar says under another name comes over its own link', () => {
    const members = nodes(4)
    const from = new Set<NodeId>()
    const listening = {
      name: 'listens',
      hears: (_host: Host, node: NodeId, message: Message) => {
        from.add(node)
        return message
      },
    }
    const hosts = members
      .slice(0, 2)
      .map((node, i) => ({ node, behaviour: [BEHAVIOURS.impersonate?.(), listening][i] }))
    const world = new World({ seed: 'names', members, hosts })
    world.run(200, () => false)
    expect([...from]).toEqual(['a'])
  })
})

describe('everything said and written in a run', () => {
  const messages: Message[] = []
  const records: LogRecord[] = []
  const members = nodes(4)
  const hosts = nodes(6).map((node, i) => ({
    node,
    behaviour: i === 2 ? BEHAVIOURS['commit-and-skip']?.() : undefined,
  }))
  const world = new World({
    seed: 'codec',
    members,
    hosts,
    route: (_e, { random }) => (random.chance(0.1) ? undefined : 2),
  })
  world.watcher = {
    onSend: (_host, message) => messages.push(message),
    onDecision: () => undefined,
    onEpoch: () => undefined,
    onConvicted: () => undefined,
    onTransferred: () => undefined,
    onPersist: (_host, item) => records.push(item),
  }
  for (const [i, text] of ['w:1', 'add:e', 'w:2', 'w:3', 'w:4', 'add:f', 'w:5', 'w:6', 'w:7', 'w:8'].entries()) {
    world.after(10 + 60 * i, () => world.submit(world.hosts[0] as (typeof world.hosts)[number], text))
  }
  world.run(4_000, () => false)

  it('comes back from its encoding as it was, within the size of its kind', () => {
    expect(new Set(messages.map(({ kind }) => kind)).size).toBeGreaterThan(7)
    for (const message of messages) {
      const kind = KIND_OF_MESSAGE[message.kind]
      const shape = CONSENSUS_BODIES[kind] as Shape<unknown>
      const bytes = encode(shape, { group: GROUP, message })
      expect(bytes.length).toBeLessThanOrEqual(rulesOf(kind).bytesMax)
      expect(decode(shape, bytes)).toEqual({ ok: true, value: { group: GROUP, message } })
    }
  })

  it('B-19 comes back from the log as it was', () => {
    expect(new Set(records.map(({ kind }) => kind)).size).toBeGreaterThan(5)
    for (const item of records) {
      expect(decode(logRecordShape, encode(logRecordShape, item))).toEqual({ ok: true, value: item })
    }
  })
})
