import type { Certificate } from '../../src/identity/index.ts'
import { type Millis, NEVER, type NodeId, type OrgId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { RENEWAL_PARAMS, Renewal, type RenewalEffect, type RenewalMessage } from '../../src/renewal/index.ts'
import { certificate, HOUR_MS, keys, ORG, verifier, WALL } from '../unit/renewal-fixtures.ts'

export interface Weather {
  readonly seed: number
  readonly loss: number
  readonly duplication: number
  readonly absences: readonly (readonly [at: number, issuer: string])[]
  readonly steps: readonly (readonly [at: number, node: string, hours: number])[]
}

interface Node {
  readonly id: string
  readonly org: OrgId
  readonly core: Renewal
  readonly first: Certificate
  /** The one that it holds. */
  held: Certificate
  /** How far its wall clock is off. */
  offMs: number
  up: boolean
  requestedAt: number[]
}

interface Flight {
  readonly at: number
  readonly from: string
  readonly to: string
  readonly message: RenewalMessage
}

const GLOBEX = 'globex' as OrgId
const TICK_MS = 2000
/** While nothing is under way. */
const IDLE_TICK_MS = 20_000
/** Two and a half lives of a certificate, then time for the longest back-off and another round. */
const STORM_MS = 22 * HOUR_MS
const CALM_MS = 2 * HOUR_MS
/** The longest back-off, and all that one try may take (G-2). */
const TRY_MS_MAX = RENEWAL_PARAMS.backoffMaxMs * 1.25 + RENEWAL_PARAMS.reachTimeoutMs + RENEWAL_PARAMS.answerTimeoutMs
/** From any moment to the answer of an issuer, when nothing is lost: the liar may have its turn twice before. */
const NEXT_ANSWER_MS = 3 * TRY_MS_MAX
const ABSENCE_MS = 2 * HOUR_MS
const LIAR = 'liar'
const REVOKED = 'm3'
const ISSUERS = ['i0', 'i1']

/** Renewal cores, all linked to all, over a network that loses, repeats and delays, with a fair desk at each issuer. */
export class RenewalWorld {
  readonly faults: string[] = []
  /** Whose certificate ended before it could ask again after the weather cleared: no issuer renews it any more. */
  lost: readonly string[] = []
  renewals = 0
  requestsInAnHourMax = 0
  readonly #weather: Weather
  readonly #random: Random
  readonly #nodes = new Map<string, Node>()
  #flights: Flight[] = []
  #now = 0
  #stormy = true
  #revoked = false

  constructor(weather: Weather) {
    this.#weather = weather
    this.#random = new Random(`world ${weather.seed}`)
    for (const id of ['m0', 'm1', 'm2', REVOKED]) this.#add(id, ORG)
    for (const id of ISSUERS) this.#add(id, ORG, ORG)
    this.#add(LIAR, ORG)
    this.#add('stranger', GLOBEX)
    for (const node of this.#nodes.values()) {
      for (const peer of this.#nodes.values()) if (peer !== node) this.#join(node, peer)
    }
  }

  storm(): void {
    const { absences, steps } = this.#weather
    const events = [
      ...absences.flatMap(([at, issuer]) => [
        { at: at * STORM_MS, run: () => this.#setUp(issuer, false) },
        { at: at * STORM_MS + ABSENCE_MS, run: () => this.#setUp(issuer, true) },
      ]),
      ...steps.map(([at, id, hours]) => ({
        at: at * STORM_MS,
        run: () => {
          this.#node(id).offMs += hours * HOUR_MS
        },
      })),
      { at: STORM_MS / 2, run: () => this.#revoke() },
    ].sort((a, b) => a.at - b.at)
    while (this.#now < STORM_MS) {
      while (events[0] !== undefined && events[0].at <= this.#now) events.shift()?.run()
      this.#turn()
    }
  }

  /** The issuers are there, clocks are right, nothing is lost. */
  calm(): void {
    this.#stormy = false
    for (const node of this.#nodes.values()) node.offMs = 0
    for (const id of ISSUERS) this.#setUp(id, true)
    const ended = WALL + this.#now - RENEWAL_PARAMS.clockToleranceMs + NEXT_ANSWER_MS
    const isLost = ({ id, org, core }: Node) =>
      !ISSUERS.includes(id) && org === ORG && core.certificate.notAfter < ended
    this.lost = [...this.#nodes.values()].filter(isLost).map(({ id }) => id)
    while (this.#now < STORM_MS + CALM_MS) this.#turn()
  }

  /** Members that may be renewed and whose certificate is due, or not in force, by the true time. */
  due(): readonly string[] {
    const wall = WALL + this.#now
    return [...this.#nodes.values()].flatMap(({ id, org, core }) => {
      const { notBefore, notAfter } = core.certificate
      const isEarly = notBefore > wall + RENEWAL_PARAMS.clockToleranceMs
      const isDue = isEarly || notAfter - wall < (notAfter - notBefore) / 4
      const may = org === ORG && id !== REVOKED && !this.lost.includes(id)
      return isDue && may ? [`${id} of epoch ${core.certificate.epoch}`] : []
    })
  }

  #add(id: string, org: OrgId, issuer?: OrgId): void {
    const first = certificate(id, { org, roles: id === 'm0' ? ['worker'] : ['worker', 'relay'] })
    const core = new Renewal({
      node: id as NodeId,
      verifier,
      random: new Random(`${this.#weather.seed}/${id}`),
      params: RENEWAL_PARAMS,
      certificate: keys.certificate(first),
      issuer,
    })
    this.#nodes.set(id, { id, org, core, first, held: first, offMs: 0, up: true, requestedAt: [] })
  }

  #join(node: Node, { id, org, core }: Node): void {
    const { epoch, notAfter: certificateExpiresAt } = core.certificate
    // A label is only a claim: the member of the other organisation believes that these issue for it too.
    const issuesFor = [...ISSUERS, LIAR].includes(id) ? node.org : undefined
    this.#perform(
      node,
      node.core.step(this.#now as Millis, {
        kind: 'link-up',
        peer: { node: id as NodeId, org, roles: [], certificateExpiresAt },
      }),
    )
    const member = { node: id as NodeId, epoch, certificateExpiresAt, issuesFor }
    this.#perform(node, node.core.step(this.#now as Millis, { kind: 'member-up', member }))
  }

  #setUp(id: string, up: boolean): void {
    const node = this.#node(id)
    if (node.up === up) return
    node.up = up
    for (const peer of this.#nodes.values()) {
      if (peer === node || !peer.up) continue
      if (up) {
        this.#join(peer, node)
        this.#join(node, peer)
        continue
      }
      for (const [at, gone] of [
        [peer, node],
        [node, peer],
      ] as const) {
        this.#perform(at, at.core.step(this.#now as Millis, { kind: 'link-down', peer: gone.id as NodeId }))
        this.#perform(at, at.core.step(this.#now as Millis, { kind: 'member-down', node: gone.id as NodeId }))
      }
    }
  }

  #revoke(): void {
    this.#revoked = true
    for (const node of this.#nodes.values()) {
      node.core.step(this.#now as Millis, { kind: 'revoke', node: REVOKED as NodeId })
    }
  }

  #turn(): void {
    const isIdle =
      this.#flights.length === 0 && [...this.#nodes.values()].every(({ core }) => core.deadline() === NEVER)
    this.#now += isIdle ? IDLE_TICK_MS : TICK_MS
    const arrived = this.#flights.filter((flight) => flight.at <= this.#now)
    this.#flights = this.#flights.filter((flight) => flight.at > this.#now)
    for (const { from, to, message } of arrived) {
      const node = this.#node(to)
      if (!node.up || !this.#node(from).up) continue
      if (to === LIAR && message.kind === 'renewal.request') this.#lie(from)
      this.#perform(node, node.core.step(this.#now as Millis, { kind: 'message', from: from as NodeId, message }))
    }
    for (const node of this.#nodes.values()) {
      if (!node.up) continue
      if (node.core.deadline() <= this.#now) {
        this.#perform(node, node.core.step(this.#now as Millis, { kind: 'tick' }))
      }
      const wallNow = this.#wall(node) as WallMillis
      this.#perform(node, node.core.step(this.#now as Millis, { kind: 'clock', wallNow }))
    }
  }

  /** What a member without the key can make up: a certificate altered, or that of somebody else. */
  #lie(victim: string): void {
    const forged = keys.certificate({ ...certificate(victim), epoch: 1000, roles: ['worker', 'validator'] })
    forged[40] = (forged[40] ?? 0) ^ 1
    const other = keys.certificate(this.#node('m0').core.certificate)
    const bytes = this.#random.chance(0.5) ? forged : other
    this.#send(LIAR, victim, { kind: 'renewal.granted', body: { certificate: bytes } })
  }

  #perform(node: Node, effects: readonly RenewalEffect[]): void {
    for (const effect of effects) {
      if (effect.kind === 'send') {
        if (effect.message.kind === 'renewal.request') this.#count(node)
        this.#send(node.id, effect.to, effect.message)
      } else if (effect.kind === 'issue') {
        const { id, previous } = effect.request
        const value = keys.certificate(this.#sign(node, previous))
        this.#perform(node, node.core.step(this.#now as Millis, { kind: 'issued', id, outcome: { ok: true, value } }))
      } else if (effect.kind === 'certified') {
        this.#renewals(node)
      }
    }
  }

  /** By the clock of the issuer, wrong as that may be; the epoch as identity makes it. */
  #sign(issuer: Node, previous: Certificate): Certificate {
    if (previous.org !== ORG) this.faults.push(`${issuer.id} was to sign for ${previous.org}`)
    if (this.#revoked && previous.node === REVOKED) this.faults.push(`${issuer.id} was to sign for a revoked node`)
    const wall = this.#wall(issuer)
    const dates = { notBefore: (wall - 60_000) as WallMillis, notAfter: (wall + 9 * HOUR_MS) as WallMillis }
    return { ...previous, ...dates, epoch: Math.max(wall, previous.epoch + 1) }
  }

  /** What must hold of every certificate that a node takes. */
  #renewals(node: Node): void {
    const { id, org, core, first, held: previous, offMs } = node
    const { certificate: held } = core
    this.renewals += 1
    node.held = held
    const right = held.node === id && held.org === org && held.roles.join() === first.roles.join()
    if (!right || held.epoch <= first.epoch) this.faults.push(`${id} took ${JSON.stringify(held)}`)
    if (org !== ORG) this.faults.push(`${id} was renewed by strangers`)
    // G-5: with a clock that is right it never trades a good certificate for one that is not in force.
    const wall = WALL + this.#now
    const isInForce = ({ notBefore, notAfter }: Certificate) =>
      notBefore <= wall + RENEWAL_PARAMS.clockToleranceMs && notAfter > wall
    if (offMs === 0 && isInForce(previous) && !isInForce(held)) this.faults.push(`${id} took one that is not in force`)
  }

  #count(node: Node): void {
    node.requestedAt = [...node.requestedAt.filter((at) => at > this.#now - HOUR_MS), this.#now]
    this.requestsInAnHourMax = Math.max(this.requestsInAnHourMax, node.requestedAt.length)
  }

  #send(from: string, to: string, message: RenewalMessage): void {
    const { loss, duplication } = this.#weather
    if (this.#stormy && this.#random.chance(loss)) return
    const copies = this.#stormy && this.#random.chance(duplication) ? 2 : 1
    for (let i = 0; i < copies; i++) {
      // Now and then so late that its sender has given it up: as good as lost.
      const isLate = this.#stormy && this.#random.chance(0.1)
      const delayMs = this.#random.between(1, isLate ? 20_000 : TICK_MS)
      this.#flights.push({ at: this.#now + delayMs, from, to, message })
    }
  }

  #wall(node: Node): number {
    return WALL + this.#now + node.offMs
  }

  #node(id: string): Node {
    const node = this.#nodes.get(id)
    if (node === undefined) throw new Error(`no ${id}`)
    return node
  }
}
