import { describe, expect, it } from 'vitest'
import { type Incarnation, type Millis, NEVER, type NodeId, type WallMillis } from '../../src/kernel/index.ts'
import {
  decodeNodeRecord,
  encodeBody,
  encodeNodeRecord,
  type HostObservation,
  type Message,
  OBSERVATIONS,
  rowOf,
  Swarm,
  type SwarmCores,
  type SwarmEffect,
  SwarmHost,
  type SwarmInput,
} from '../../src/swarm/index.ts'
import type { NetworkPort } from '../../src/wire/index.ts'
import { collectGarbage } from '../support/garbage.ts'
import { certificate } from './renewal-fixtures.ts'

const NOW = 5
const A = 'nodeA' as NodeId
const B = 'nodeB' as NodeId
const ping = (sequence: number): Message => ({
  kind: 'membership.ping',
  body: {
    sequence,
    mine: 1 as Incarnation,
    yours: 0 as Incarnation,
    suspected: false,
    coordinate: { x: 0, y: 0, z: 0, height: 1, errorThousandths: 1500 },
    rumours: [],
  },
})
const send = (to: NodeId, sequence: number): SwarmEffect => ({ kind: 'send', to, message: ping(sequence) })
const persist = (ceiling: number): SwarmEffect => ({
  kind: 'persist',
  record: { kind: 'membership', record: { kind: 'incarnation', ceiling: ceiling as Incarnation } },
})

/** A host around a scripted core: each input pops the next list of effects. */
function scripted(...script: (readonly SwarmEffect[])[]) {
  const calls: string[] = []
  const inputs: SwarmInput[] = []
  const observed: HostObservation[] = []
  const scheduled: number[] = []
  let deadline: Millis = NEVER
  let appended = 0
  let fatal: unknown
  const swarm = {
    step: (_now: Millis, input: SwarmInput) => {
      if (input.kind === 'clock') return []
      inputs.push(input)
      return script.shift() ?? []
    },
    deadline: () => deadline,
  } as unknown as Swarm
  const network: NetworkPort = {
    send: (to, kind) => {
      calls.push(`send ${kind} to ${to}`)
      return to === B ? 'no-link' : 'queued'
    },
    publish: (kind) => void calls.push(`publish ${kind}`),
    connect: (peer) => void calls.push(`connect ${peer}`),
    disconnect: (peer, reason) => void calls.push(`disconnect ${peer} ${reason}`),
    renewed: (peer, until) => void calls.push(`renewed ${peer} ${until}`),
    penalise: (peer, points) => void calls.push(`penalise ${peer} ${points}`),
  }
  const log = {
    append: (record: Uint8Array, mayWait = false) => {
      const decoded = decodeNodeRecord(record)
      expect(decoded.ok).toBe(true)
      appended += 1
      calls.push(`append ${appended}${mayWait ? ' at leisure' : ''}`)
      return appended
    },
    hurry: () => void calls.push('hurry'),
    refusal: () => undefined,
    compact: () => {},
    bytesSinceCompaction: 0,
  }
  const host = new SwarmHost({
    swarm,
    network,
    log,
    now: () => NOW as Millis,
    wallNow: () => 0 as WallMillis,
    schedule: (at) => void scheduled.push(at),
    observe: (observation) => void observed.push(observation),
    verify: (claims) => void calls.push(`verify ${claims.length}`),
    issue: ({ id }) => void calls.push(`issue ${id}`),
    certified: (certificate) => void calls.push(`certified ${certificate}`),
    fatal: (cause) => {
      fatal = cause
    },
  })
  return {
    host,
    calls,
    inputs,
    observed,
    scheduled,
    log,
    setDeadline: (at: number) => {
      deadline = at as Millis
    },
    fatal: () => fatal,
  }
}

describe('the durability barrier', () => {
  it('R-3 lets go of what has left, also while something always waits', async () => {
    const t = scripted()
    const record = { kind: 'membership', record: { kind: 'incarnation', ceiling: 1 as Incarnation } } as const
    const left = (() => {
      const then = () => {}
      t.host.persist(record, then)
      t.host.persist(record, () => {})
      t.host.onDurable(1)
      return new WeakRef(then)
    })()
    expect(t.host.heldCount).toBe(1)
    await collectGarbage()
    expect(left.deref()).toBeUndefined()
  })

  it('R-1 holds what follows a persist until the record is durable', () => {
    const t = scripted([send(A, 1), persist(1), send(A, 2), { kind: 'connect', peer: A, addresses: [] }])
    t.host.tick()
    expect(t.calls).toEqual(['send membership.ping to nodeA', 'append 1'])
    expect(t.host.heldCount).toBe(2)
    t.host.onDurable(0)
    expect(t.calls).toHaveLength(2)
    t.host.onDurable(1)
    expect(t.calls.slice(2)).toEqual(['send membership.ping to nodeA', 'connect nodeA'])
    expect(t.host.heldCount).toBe(0)
  })

  it('R-8 tells the core what did not leave, after the effects of the step that sent it', () => {
    const t = scripted([send(B, 1), send(A, 2)], [send(A, 3)])
    t.host.tick()
    expect(t.calls).toHaveLength(3)
    expect(t.inputs.slice(1)).toEqual([{ kind: 'refused', peer: B, message: ping(1) }])
  })

  it('R-8 also when it was held for the disk', () => {
    const t = scripted([persist(1), send(B, 1)])
    t.host.tick()
    expect(t.inputs).toHaveLength(1)
    t.host.onDurable(1)
    expect(t.inputs.map(({ kind }) => kind)).toEqual(['tick', 'refused'])
  })

  it('R-1 appends all records of a list at once, and lets what stands behind each wait for it', () => {
    const t = scripted([persist(1), send(A, 1), persist(2), { kind: 'connect', peer: A, addresses: [] }])
    t.host.tick()
    expect(t.calls).toEqual(['append 1', 'append 2'])
    t.host.onDurable(1)
    expect(t.calls.slice(2)).toEqual(['send membership.ping to nodeA'])
    t.host.onDurable(2)
    expect(t.calls.slice(3)).toEqual(['connect nodeA'])
  })

  it('R-7 a barrier waits for what earlier steps persisted, and for nothing when all of it is durable', () => {
    const barred: readonly SwarmEffect[] = [{ kind: 'barrier' }, send(A, 1)]
    const t = scripted([persist(1)], barred, barred)
    t.host.tick()
    t.host.tick()
    expect(t.calls).toEqual(['append 1'])
    t.host.onDurable(1)
    expect(t.calls).toEqual(['append 1', 'send membership.ping to nodeA'])
    t.host.tick()
    expect(t.calls).toHaveLength(3)
  })

  it('R-1c behind a persist that may wait nothing waits, and a barrier hurries it', () => {
    const resting: readonly SwarmEffect[] = [{ ...persist(1), mayWait: true } as SwarmEffect, send(A, 1)]
    const barred: readonly SwarmEffect[] = [{ kind: 'barrier' }, send(A, 2)]
    const t = scripted(resting, barred, barred)
    t.host.tick()
    expect(t.calls).toEqual(['append 1 at leisure', 'send membership.ping to nodeA'])
    t.host.tick()
    t.host.tick()
    expect(t.calls.slice(2)).toEqual(['hurry'])
    t.host.onDurable(1)
    expect(t.calls.slice(3)).toEqual(['send membership.ping to nodeA', 'send membership.ping to nodeA'])
  })

  it('R-9 what one step did to very many tasks takes several records of the log', () => {
    const records = Array.from({ length: 600 }, (_, i) => ({ kind: 'executor', node: `n${i}` as NodeId }) as const)
    const claims = { step: () => [{ kind: 'persist', records }], deadline: () => NEVER }
    const swarm = new Swarm({ claims } as unknown as SwarmCores)
    const input = { kind: 'drain' } as const
    const effects = swarm.step(1 as Millis, { kind: 'claims', input })
    const written = effects.map((effect) => {
      const bytes = effect.kind === 'persist' ? encodeNodeRecord(effect.record) : new Uint8Array()
      const read = decodeNodeRecord(bytes)
      return read.ok && read.value.kind === 'claims' ? read.value.records : []
    })
    expect(written).toHaveLength(3)
    expect(written.flat()).toEqual(records)
  })

  it('R-2 steps on while a commit is in flight, and holds only what depends on it', () => {
    const t = scripted([persist(1), send(A, 1)], [{ kind: 'connect', peer: A, addresses: [] }])
    t.host.tick()
    t.host.tick()
    expect(t.calls).toEqual(['append 1', 'connect nodeA'])
  })

  it('R-1b holds back what later steps ask for, in order, behind a barrier', () => {
    const barrier = { ...persist(1), barrier: true } as SwarmEffect
    const again = { ...persist(2), barrier: true } as SwarmEffect
    const t = scripted([barrier, send(A, 1)], [{ kind: 'connect', peer: A, addresses: [] }, again], [send(A, 2)])
    for (let i = 0; i < 3; i++) t.host.tick()
    expect(t.calls).toEqual(['append 1', 'append 2'])
    t.host.onDurable(1)
    expect(t.calls).toEqual(['append 1', 'append 2', 'send membership.ping to nodeA', 'connect nodeA'])
    t.host.onDurable(2)
    expect(t.calls.at(-1)).toBe('send membership.ping to nodeA')
  })

  it('R-6 a certificate is shown only once it is durable; what is to be signed is handed on', () => {
    const bytes = new Uint8Array([7])
    const t = scripted([
      { kind: 'issue', request: { id: 1, previous: certificate('me') } },
      { kind: 'persist', record: { kind: 'certificate', bytes }, barrier: true },
      { kind: 'certified', certificate: bytes },
      { kind: 'peer-renewed', peer: A, certificateExpiresAt: 9 as WallMillis },
    ])
    t.host.tick()
    expect(t.calls).toEqual(['issue 1', 'append 1'])
    t.host.onDurable(1)
    expect(t.calls.slice(2)).toEqual(['certified 7', 'renewed nodeA 9'])
  })

  it('R-3 releases in the order asked for, and one commit may release many', () => {
    const order: number[] = []
    const t = scripted()
    for (const n of [1, 2, 3]) {
      t.host.persist({ kind: 'certificate', bytes: new Uint8Array(1) }, () => order.push(n))
    }
    t.host.onDurable(2)
    expect(order).toEqual([1, 2])
    t.host.onDurable(3)
    expect(order).toEqual([1, 2, 3])
  })

  it('ends with a failed log, and performs nothing that depended on it', () => {
    const t = scripted([persist(1), send(A, 1)])
    t.log.append = () => {
      throw new Error('disk gone')
    }
    t.host.tick()
    expect(t.fatal()).toMatchObject({ message: 'disk gone' })
    expect(t.calls).toEqual([])
    t.host.onFailed('later')
    expect(t.fatal()).toBe('later')
  })
})

describe('messages', () => {
  it('reach the core decoded', () => {
    const t = scripted()
    t.host.onMessage(A, 'membership.ping', encodeBody(ping(7)))
    expect(t.inputs).toEqual([{ kind: 'message', from: A, message: ping(7) }])
  })

  it('R-4 that do not decode reach nobody and cost their sender', () => {
    const t = scripted()
    t.host.onMessage(A, 'membership.ping', new Uint8Array([1, 2, 3]))
    expect(t.inputs).toEqual([])
    expect(t.calls).toEqual(['penalise nodeA 20'])
    expect(t.observed).toMatchObject([{ kind: 'message-malformed', peer: A, message: 'membership.ping' }])
  })

  it('that the network refuses are observed', () => {
    const t = scripted([send(B, 1)])
    t.host.tick()
    expect(t.observed).toEqual([{ kind: 'send-refused', peer: B, message: 'membership.ping', outcome: 'no-link' }])
  })
})

describe('the deadline', () => {
  it('is asked for once, and again when it comes earlier or has passed', () => {
    const t = scripted()
    t.setDeadline(100)
    t.host.onLinkDown(A, 'closed-by-peer')
    t.host.onLinkDown(A, 'closed-by-peer')
    expect(t.scheduled).toEqual([100])
    t.setDeadline(50)
    t.host.onLinkDown(A, 'closed-by-peer')
    expect(t.scheduled).toEqual([100, 50])
    t.setDeadline(200)
    t.host.tick()
    expect(t.scheduled).toEqual([100, 50, 200])
  })

  it('steps nothing when it rings too early, and is asked for anew', () => {
    const t = scripted()
    t.setDeadline(NOW + 100)
    t.host.tick()
    const stepped = t.inputs.length
    t.setDeadline(NOW + 300)
    t.host.ring()
    expect([t.inputs.length, t.scheduled]).toEqual([stepped, [NOW + 100, NOW + 300]])
    t.setDeadline(NOW)
    t.host.ring()
    expect(t.inputs.slice(stepped)).toEqual([{ kind: 'tick' }])
  })

  it('a port that calls back from inside a call into it is a bug', () => {
    const t = scripted([{ kind: 'connect', peer: A, addresses: [] }])
    const { host } = t
    const network = (host as unknown as { swarm: Swarm }).swarm
    network.step = () => {
      host.onLinkDown(A, 'closed-by-us')
      return []
    }
    expect(() => host.tick()).toThrow('called back')
  })
})

describe('the table of observations (R-5)', () => {
  it('has a readable line and a help text for every kind', () => {
    for (const [kind, row] of Object.entries(OBSERVATIONS)) {
      expect(row.help, kind).toMatch(/\.$/)
      expect(kind).toMatch(/^[a-z.-]+$/)
    }
    const observation: HostObservation = { kind: 'member-up', node: A, region: 'eu', zone: '' }
    expect(rowOf(observation).message(observation)).toBe('nodeA is up in eu')
  })
})
