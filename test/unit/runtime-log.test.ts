import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { GroupId } from '../../src/consensus/index.ts'
import { TicketLedger } from '../../src/identity/index.ts'
import { type Incarnation, type Millis, NEVER, type NodeId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { NodeRuntime } from '../../src/runtime/node-runtime.ts'
import { NodeState } from '../../src/runtime/node-state.ts'
import { type DiskWeather, FAIR_DISK, SimDisk } from '../../src/sim/disk.ts'
import { EventQueue } from '../../src/sim/event-queue.ts'
import { openLog, type SegmentedLog } from '../../src/storage/index.ts'
import type { Swarm, SwarmEffect, SwarmInput } from '../../src/swarm/index.ts'
import type { NetworkPort } from '../../src/wire/index.ts'

const PARAMS = {
  firstSegmentBytes: 4096,
  segmentBytesMax: 4096,
  blockBytesMax: 1024,
  besideBytesMax: 256,
  recordBytesMax: 512,
  queuedBytesMax: 4096,
}
const PEER = 'peer' as NodeId

/** Writes something down, and then asks for what depends on it. */
const EFFECTS: readonly SwarmEffect[] = [
  { kind: 'persist', record: { kind: 'membership', record: { kind: 'incarnation', ceiling: 64 as Incarnation } } },
  { kind: 'connect', peer: PEER, addresses: [] },
]

describe('a node whose log fails (U-5)', () => {
  let queue: EventQueue
  let disk: SimDisk
  let runtime: NodeRuntime | undefined
  let asked: string[]
  let inputs: SwarmInput[]
  let causes: unknown[]

  beforeEach(() => {
    queue = new EventQueue()
    disk = new SimDisk(queue, new Random('runtime'))
    asked = []
    inputs = []
    causes = []
  })
  afterEach(() => runtime?.stop())

  const pass = (): void => queue.run((queue.now + 100) as Millis)

  function opened(): SegmentedLog {
    let log: SegmentedLog | undefined
    openLog({ disk, params: PARAMS, newStoreId: () => new Uint8Array(16) }, (result) => {
      if (result.ok) log = result.value.log
    })
    pass()
    if (log === undefined) throw new Error('did not open')
    return log
  }

  function node(): NodeRuntime {
    const log = opened()
    const swarm = {
      step: (_now: Millis, input: SwarmInput) => {
        if (input.kind === 'clock') return []
        inputs.push(input)
        return EFFECTS
      },
      deadline: () => NEVER,
    } as unknown as Swarm
    const network: NetworkPort = {
      send: () => 'queued',
      publish: () => {},
      connect: (peer) => void asked.push(`connect ${peer}`),
      disconnect: () => {},
      renewed: () => {},
      penalise: () => {},
    }
    runtime = new NodeRuntime({
      swarm,
      verify: () => {},
      decided: () => {},
      perform: () => {},
      network,
      log,
      clock: { now: () => queue.now, wallNow: () => 0 as WallMillis },
      state: NodeState.read([]),
      ledger: new TicketLedger(),
      compactAfterBytes: 1024,
      observe: () => {},
      issue: () => ({ ok: false, error: 'no key' }),
      authoritiesChanged: () => {},
      certified: () => {},
      fatal: (cause) => causes.push(cause),
    })
    log.attach(runtime.host)
    return runtime
  }

  it('does what it wrote down first, as long as the disk works', () => {
    node().start()
    expect(asked).toEqual([])
    pass()
    expect({ asked, causes }).toEqual({ asked: ['connect peer'], causes: [] })
  })

  it.each<[string, Partial<DiskWeather>]>([
    ['a write', { writeErrorChance: 1 }],
    ['a sync', { syncErrorChance: 1 }],
  ])('ends when %s fails: once, with its code, and nothing that was to follow happens', (_, weather) => {
    const failing = node()
    disk.weather = { ...FAIR_DISK, ...weather }
    failing.start()
    failing.host.persist({ kind: 'certificate', bytes: new Uint8Array(1) }, () => asked.push('acknowledge'))
    pass()
    expect(causes).toMatchObject([{ code: 'STORE_FAILED' }])
    expect(asked).toEqual([])
    // Nothing is stepped on what is only believed to be on the disk.
    failing.leave()
    pass()
    expect({ asked, causes: causes.length, inputs: inputs.length }).toEqual({ asked: [], causes: 1, inputs: 1 })
  })

  it('U-11 what is proposed in one turn of the loop is handed to its group together', async () => {
    const proposing = node()
    for (const [id, group] of ['g', 'g', 'h'].entries()) {
      proposing.propose(group as GroupId, { id, operation: new Uint8Array(1), as: 'self' as NodeId })
    }
    expect(inputs).toEqual([])
    await new Promise(setImmediate)
    const handed = inputs.map((input) => input.kind === 'propose' && input.proposals.map(({ id }) => id))
    expect(handed).toEqual([[0, 1], [2]])
  })
})
