import { createHash } from 'node:crypto'
import { CLAIMS_PROFILES } from '../../src/claims/index.ts'
import type { Digest } from '../../src/consensus/index.ts'
import { type Act, encodeOperation } from '../../src/council/index.ts'
import { DIRECTORY_PROFILES } from '../../src/directory/index.ts'
import { type Authorities, faultOfAuthority, type Role, sponsored, type Verifier } from '../../src/identity/index.ts'
import { err, type Millis, type NodeId, ok, Random, type WallMillis } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES } from '../../src/membership/index.ts'
import { SimKeys } from '../../src/sim/index.ts'
import {
  CellDesk,
  COUNCIL,
  CouncilDesk,
  composeSwarm,
  FIRST_CELL,
  GroupLog,
  type GroupRecord,
  type Swarm,
  type SwarmEffect,
  type SwarmInput,
} from '../../src/swarm/index.ts'
import { certificateOf, founding, NOON, node, org, PORTS } from './council.ts'
import { sealerOf } from './sealer.ts'

const KEYS = new SimKeys('governed')
const HASH = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex') as Digest
const GENESIS = '00'.repeat(32) as Digest
/** Passes of the queue until a world counts as never at rest. */
const TURNS_MAX = 100_000

/** One node of a world, with all that it has asked for. */
export interface Governed {
  readonly desk: CouncilDesk
  readonly cell: CellDesk
  readonly swarm: Swarm
  readonly effects: SwarmEffect[]
  readonly log: GroupLog
}

/**
 * Nodes as they ship, with a council, in one process: disks are durable at once, links lose nothing, and everyone is
 * linked to whom `link` says. The founding validator is `a`; it holds the key of its organisation, and others may too.
 */
export class GovernedWorld {
  now = 1_000
  readonly nodes = new Map<string, Governed>()
  readonly outcomes: Extract<SwarmEffect, { kind: 'decided' }>[] = []
  readonly #queue: { readonly to: string; readonly input: SwarmInput }[] = []
  readonly #links = new Set<string>()
  /** Whose gossip reaches nobody. */
  readonly mute = new Set<string>()
  /** Whose authority key lies on those added from now on. */
  readonly keyHolders = new Set(['a'])

  add(
    name: string,
    roles: readonly Role[] = ['worker', 'validator'],
    log = new GroupLog(),
    of = 'acme',
    cellLog = new GroupLog(),
  ): Governed {
    const desk = new CouncilDesk({
      genesis: GENESIS,
      founding: founding(['a']),
      ports: PORTS,
      signer: KEYS.signer(node(name)),
      authority: this.keyHolders.has(name) ? KEYS.signer(node('keyacme')) : undefined,
      hash: HASH,
      session: this.now,
      log,
      trust: 'intact',
    })
    const cell = new CellDesk(FIRST_CELL, {
      genesis: GENESIS,
      founders: [node('a')],
      signer: KEYS.signer(node(name)),
      hash: HASH,
      session: this.now,
      log: cellLog,
      trust: 'intact',
    })
    const swarm = composeSwarm({
      isPayload: () => true,
      seal: sealerOf(name),
      signer: KEYS.signer(node(name)),
      verifier: verifierOf(sponsored(desk.authorities, { key: node(`key${of}`), org: org(of) })),
      random: new Random(name),
      params: {
        membership: MEMBERSHIP_PROFILES.lan,
        directory: DIRECTORY_PROFILES.lan,
        claims: CLAIMS_PROFILES.lan,
        recruiter: { admitAfterMs: 5_000, absentAfterMs: 60_000 },
      },
      certificate: certificateOf(name, { roles, org: of }),
      facts: {
        addresses: [`/memory/${name}`],
        region: '',
        zone: '',
        labels: {},
        version: '0',
        startedAt: NOON as WallMillis,
      },
      issuer: undefined,
      council: desk,
      cell,
    })
    const made = { desk, cell, swarm, effects: [], log }
    this.nodes.set(name, made)
    this.tell(name, { kind: 'clock', wallNow: NOON as WallMillis })
    this.tell(name, { kind: 'tick' })
    return made
  }

  /** Two nodes see each other. */
  link(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      this.#links.add(`${from} ${to}`)
      const peer = { node: node(to), org: 'acme', roles: [], certificateExpiresAt: (NOON + 1e6) as WallMillis }
      this.tell(from, { kind: 'link-up', peer })
    }
  }

  linkAll(): void {
    const names = [...this.nodes.keys()]
    for (const [i, one] of names.entries()) for (const other of names.slice(i + 1)) this.link(one, other)
  }

  linked(one: string, other: string): boolean {
    return this.#links.has(`${one} ${other}`)
  }

  /** A node is gone without a word. */
  stop(name: string): void {
    this.nodes.delete(name)
    for (const link of [...this.#links]) {
      const [one = '', other = ''] = link.split(' ')
      if (other !== name && one !== name) continue
      this.#links.delete(link)
      if (other === name) this.tell(one, { kind: 'link-down', peer: node(name), reason: 'connection-lost' })
    }
  }

  tell(to: string, input: SwarmInput): void {
    this.#queue.push({ to, input })
    this.#run()
  }

  propose(by: string, act: Act, id = 1): void {
    this.proposeAll(by, [act], id)
  }

  /** In one turn, with ids from `firstId` on. */
  proposeAll(by: string, acts: readonly Act[], firstId = 1): void {
    const proposals = acts.map((act, i) => {
      const operation = encodeOperation({ expect: undefined, act })
      const as = this.nodes.get(by)?.desk.voiceFor(operation).as ?? node(by)
      return { id: firstId + i, operation, as }
    })
    this.tell(by, { kind: 'propose', group: COUNCIL, proposals })
  }

  /** Time goes on by so much, in steps of the soonest deadline. */
  pass(ms: number): void {
    const until = this.now + ms
    while (this.now < until) {
      const deadlines = [...this.nodes.values()].map(({ swarm }) => swarm.deadline())
      this.now = Math.min(until, Math.max(this.now + 1, Math.min(...deadlines)))
      for (const name of this.nodes.keys()) this.tell(name, { kind: 'tick' })
    }
  }

  #run(): void {
    for (let turn = 0; ; turn++) {
      const next = this.#queue.shift()
      if (next === undefined) return
      if (turn > TURNS_MAX) throw new Error('the world does not come to rest')
      const at = this.nodes.get(next.to)
      if (at === undefined) continue
      for (const effect of at.swarm.step(this.now as Millis, next.input)) this.#perform(next.to, at, effect)
    }
  }

  #perform(name: string, at: Governed, effect: SwarmEffect): void {
    at.effects.push(effect)
    const self = node(name)
    switch (effect.kind) {
      case 'persist':
        return
      case 'settle':
        this.#queue.push({ to: name, input: { ...effect, kind: 'settled' } })
        return
      case 'verify': {
        const valid = effect.claims.map(({ domain, statement }) => KEYS.verifier().verify(domain, statement))
        this.#queue.push({ to: name, input: { kind: 'verified', group: effect.group, id: effect.id, valid } })
        return
      }
      case 'send':
        if (this.linked(name, effect.to)) this.#deliver(effect.to, self, effect.message)
        return
      case 'publish':
        if (this.mute.has(name)) return
        for (const to of this.nodes.keys()) if (this.linked(name, to)) this.#deliver(to, self, effect.message)
        return
      case 'disconnect':
        this.#cut(name, effect.peer)
        return
      case 'decided':
        this.outcomes.push(effect)
        return
      default:
        return
    }
  }

  #deliver(to: string, from: NodeId, message: Extract<SwarmInput, { kind: 'message' }>['message']): void {
    this.#queue.push({ to, input: { kind: 'message', from, message } })
  }

  #cut(one: string, other: string): void {
    for (const [from, to] of [
      [one, other],
      [other, one],
    ] as const) {
      if (!this.#links.delete(`${from} ${to}`)) continue
      this.#queue.push({ to: from, input: { kind: 'link-down', peer: node(to), reason: 'closed-by-peer' } })
    }
  }
}

/** What a node's log holds of a group after these effects. */
export function groupRecordsOf(effects: readonly SwarmEffect[], group = COUNCIL): readonly GroupRecord[] {
  return effects.flatMap((effect) => {
    if (effect.kind !== 'persist') return []
    const { record } = effect
    return 'group' in record && record.group === group ? [record as GroupRecord] : []
  })
}

function verifierOf(known: Authorities): Verifier {
  return {
    verify: KEYS.verifier().verify,
    certificate: (bytes) => {
      const vouched = PORTS.readCertificate(bytes)
      if (vouched === undefined) return err('CERTIFICATE_INVALID')
      const fault = faultOfAuthority(vouched, known)
      return fault === undefined ? ok(vouched.certificate) : err(fault)
    },
  }
}
