import { describe, expect, it } from 'vitest'
import { fakeHash, fakeSignature, fakeSigner, GENESIS, GROUP, verifies } from '../../src/byzantine/index.ts'
import { ConsensusCore, type Height, type Input, type Outcome, type SignedRequest } from '../../src/consensus/index.ts'
import { requestBytes } from '../../src/consensus/statements.ts'
import { type Act, CouncilMachine, encodeOperation } from '../../src/council/index.ts'
import { type Millis, TICK, type Tick, type WallMillis } from '../../src/kernel/index.ts'
import { act, founding, NOON, node, org, PORTS } from '../support/council.ts'

const operationOf = (each: Act): Uint8Array => encodeOperation({ expect: undefined, act: each })

/** A council of one, with two keys of its founder, and whoever else speaks to it. */
class Alone {
  readonly machine: CouncilMachine
  readonly core: ConsensusCore
  readonly #outcomes = new Map<number, Outcome>()
  readonly #nonces = new Map<string, number>()
  #now = 0
  #lastId = 0

  constructor() {
    const organisations = [
      { name: org('acme'), authorities: [node('keyacme'), node('keyreserve')], seatsMax: 8 },
      { name: org('evil'), authorities: [node('keyevil')], seatsMax: 8 },
    ]
    this.machine = new CouncilMachine(founding(['a'], { organisations }), PORTS)
    this.core = new ConsensusCore({
      group: GROUP,
      genesis: GENESIS,
      genesisMembers: [node('a')],
      machine: this.machine,
      signer: fakeSigner(node('a')),
      clients: [fakeSigner(node('keyacme')), fakeSigner(node('keyreserve'))],
      hash: fakeHash,
      session: 1,
      params: { segmentBlocksMax: 64 },
    })
    this.#step({ kind: 'clock', wall: NOON as WallMillis })
  }

  #step(input: Input | Tick): void {
    const inputs = [input]
    for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
      let mark = 0
      for (const effect of this.core.step(this.#now as Millis, next)) {
        if (effect.kind === 'verify')
          inputs.push({ kind: 'verified', id: effect.id, valid: effect.claims.map(verifies) })
        if (effect.kind === 'persist' || effect.kind === 'compact') mark = effect.mark
        if (effect.kind === 'outcome') this.#outcomes.set(effect.id, effect.outcome)
      }
      if (mark > 0) inputs.push({ kind: 'durable', mark })
    }
  }

  #pass(ms: number): void {
    const until = this.#now + ms
    while (this.#now < until) {
      this.#now = Math.min(until, Math.max(this.#now + 1, this.core.deadline()))
      this.#step(TICK)
    }
  }

  /** What becomes of an act that this node proposes in a name. */
  submit(as: string, each: Act): string {
    this.#lastId += 1
    this.#step({ kind: 'submit', submissions: [{ id: this.#lastId, operation: operationOf(each), as: node(as) }] })
    this.#pass(100)
    return this.#outcomes.get(this.#lastId)?.kind ?? 'nothing'
  }

  requestOf(client: string, acts: readonly Act[]): SignedRequest {
    const nonce = (this.#nonces.get(client) ?? 0) + 1
    this.#nonces.set(client, nonce)
    const floor = Math.max(0, this.core.height - 64) as Height
    const request = { client: node(client), session: 1, nonce, floor, operations: acts.map(operationOf) }
    return { request, signature: fakeSignature(node(client), 'consensus-request', requestBytes(GROUP, request)) }
  }

  /** Requests that somebody else sends. */
  hear(...requests: readonly SignedRequest[]): void {
    this.#step({ kind: 'message', from: node('m'), message: { kind: 'request', requests } })
    this.#pass(5)
  }
}

const REFUSED = act.parameter('no.such', '1')

describe('who can make keys speak', () => {
  it("B-9 GV-2 an admin of one tenant takes its tenant's places and nobody else's, and is forgotten with all its keys", () => {
    const alone = new Alone()
    alone.submit('keyacme', act.tenant('t1'))
    alone.submit('keyacme', act.tenant('t2'))
    alone.submit('keyacme', act.role('t1', 'mallory', 'admin'))
    alone.submit('keyacme', act.role('t2', 'bea', 'admin'))
    for (let batch = 0; batch < 45; batch++) {
      const keys = Array.from({ length: 100 }, (_, i) => `z${batch}x${i}`)
      alone.hear(
        alone.requestOf(
          'mallory',
          keys.map((key) => act.role('t1', key, 'admin')),
        ),
      )
      alone.hear(...keys.map((key) => alone.requestOf(key, [REFUSED])))
      alone.hear(
        alone.requestOf(
          'mallory',
          keys.map((key) => act.role('t1', key, 'admin', true)),
        ),
      )
    }
    expect(alone.submit('keyreserve', act.tenant('t3'))).toBe('applied')
    expect(alone.submit('a', act.tenant('t3'))).toBe('refused')
    alone.hear(alone.requestOf('bea', [act.role('t2', 'cleo', 'reader')]))
    expect(alone.machine.state.roles.has('cleo')).toBe(true)

    // Another admin of the tenant finds no place until those who may not speak any more are forgotten.
    alone.submit('keyacme', act.role('t1', 'mallory', 'admin', true))
    alone.submit('keyacme', act.role('t1', 'ada', 'admin'))
    alone.hear(alone.requestOf('ada', [act.role('t1', 'cleo', 'reader')]))
    expect(alone.machine.state.roles.get('cleo')?.grants).toHaveLength(1)
    for (let i = 0; i < 400; i++) alone.submit('keyacme', act.tenant('t1', { weight: 2 + i }))
    alone.hear(alone.requestOf('ada', [act.role('t1', 'cleo', 'reader')]))
    expect(alone.machine.state.roles.get('cleo')?.grants).toHaveLength(2)
  })

  it('B-9 GV-2 an organisation that exchanges its keys over and over takes its own places only', () => {
    const alone = new Alone()
    for (let i = 0, last = 'keyevil'; i < 300; i++) {
      const next = `keyevil${i}`
      alone.hear(alone.requestOf(last, [act.org('evil', { authorities: [node(next)] })]))
      if (!alone.machine.authorised(node(next))) break
      last = next
    }
    expect(alone.core.height).toBe(128)
    expect(alone.submit('keyreserve', act.tenant('t1'))).toBe('applied')
  })

  it('GV-2 an admin of all has a place that no tenant takes, whatever else it is', () => {
    const alone = new Alone()
    alone.submit('keyacme', act.tenant('t1'))
    for (const tenant of ['t1', '*']) alone.submit('keyacme', act.role(tenant, 'ada', 'admin'))
    alone.submit('keyacme', act.role('t1', 'bea', 'admin'))
    expect(['ada', 'bea', 'a', 'keyevil'].map((client) => alone.machine.account(node(client)))).toEqual([
      { name: 'tenant *', reserved: true },
      { name: 'tenant t1', reserved: false },
      { name: 'org acme', reserved: true },
      { name: 'org evil', reserved: true },
    ])
  })

  it('B-21 GV-2 what one said who was silenced and forgotten does not count again when it may speak again', () => {
    const alone = new Alone()
    alone.submit('keyacme', act.tenant('t1'))
    alone.submit('keyacme', act.role('t1', 'ada', 'admin'))
    const said = alone.requestOf('ada', [act.role('t1', 'cleo', 'reader')])
    alone.hear(said)
    alone.submit('keyacme', act.role('t1', 'cleo', 'reader', true))
    const keys = Array.from({ length: 70 }, (_, i) => `z${i}`)
    alone.hear(
      alone.requestOf(
        'ada',
        keys.map((key) => act.role('t1', key, 'admin')),
      ),
    )
    alone.hear(...keys.map((key) => alone.requestOf(key, [REFUSED])))
    alone.submit('keyacme', act.role('t1', 'ada', 'admin', true))
    for (let i = 0; i < 400; i++) alone.submit('keyacme', act.tenant('t1', { weight: 2 + i }))
    alone.submit('keyacme', act.role('t1', 'ada', 'admin'))
    alone.hear(said)
    expect(alone.machine.state.roles.has('cleo')).toBe(false)
    alone.hear(alone.requestOf('ada', [act.role('t1', 'cleo', 'reader')]))
    expect(alone.machine.state.roles.has('cleo')).toBe(true)
  })
})
