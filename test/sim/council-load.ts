import type { GroupId, Height, Outcome } from '../../src/consensus/index.ts'
import { type Act, decodeOperation, encodeOperation } from '../../src/council/index.ts'
import type { NodeId, Random } from '../../src/kernel/index.ts'
import {
  type Checker,
  type Host,
  type Load,
  type Machine,
  type Scenario,
  SimKeys,
  type Simulation,
  type SwarmProgram,
  simNodeId,
} from '../../src/sim/index.ts'
import { COUNCIL, type CouncilDesk, decodeNodeRecord, FIRST_CELL } from '../../src/swarm/index.ts'
import { CellWork } from './cell-work.ts'
import { CouncilLiar } from './council-liar.ts'
import { CouncilModel } from './council-model.ts'
import { AUTHORITY, type CouncilPlan, FOUNDERS, GENESIS, nodeOfCertificate, planOf, sha256 } from './council-node.ts'
import { GroupChecker, textOf } from './group-checker.ts'
import { faults, GroupProofs } from './group-proofs.ts'

/** Mean gap between two proposals at one machine. */
const PROPOSE_EVERY_MS = 1_500
/** What must be decided once all faults are over. */
const DECISIONS_AFTER = 10
/** All of it: time-outs that had doubled, back-offs of dials, the half minute at which a follower asks unasked (GR-4). */
const SETTLE_BOUND_MS = 150_000
/** GR-3 with a disk that may be stalled and a loop that may be paused: nobody stays linked for longer. */
const CUT_BOUND_MS = 10_000
/** Share of log replacements that the power goes in the middle of. */
const CUT_REPLACEMENT_RATE = 0.3
/** Validators that propose within one such time propose the same, so that motions are carried. */
const MOTION_MS = 8_000

/** Counted over a campaign, so that what it claims to meet is met (SI-12). */
export type CouncilFigures = {
  readonly decisions: number
  readonly epochs: number
  readonly transfers: number
  readonly replacementsCut: number
  readonly replacements: number
  readonly lies: number
  readonly revoked: number
  readonly seated: number
  readonly unseated: number
  readonly motions: number
  readonly refused: number
  readonly cellDecisions: number
  readonly cellEpochs: number
  readonly custodiansCame: number
  readonly custodiansWent: number
  readonly configured: number
  readonly takenOver: number
}

interface Asked {
  readonly group: GroupId
  readonly operation: Uint8Array
  readonly then: (outcome: Outcome) => void
}

interface Parts {
  readonly sim: Simulation<SwarmProgram>
  readonly random: Random
  readonly proofs: GroupProofs
  readonly model: CouncilModel
  readonly checker: GroupChecker<CouncilDesk>
  readonly liar: CouncilLiar
  readonly cell: CellWork
}

/** People that propose at random, validators that vote, a liar among the followers; and the clauses that must hold. */
export class CouncilLoad implements Load<SwarmProgram>, Checker<SwarmProgram> {
  readonly clause = 'B-13'
  readonly boundMs = SETTLE_BOUND_MS
  readonly #scenario: Scenario
  readonly #plan: CouncilPlan
  #parts: Parts | undefined
  readonly #proposed = new Map<number, Asked>()
  readonly #voices = new Set<string>()
  readonly #knownSince = new Map<string, number>()
  #core: readonly number[] | undefined
  #asked = 0
  #after = { decided: 0, waiting: false }
  #revocations = 0
  /** Whom somebody proposed to revoke: they are, or may be at any time. */
  readonly #condemned = new Set<NodeId>()
  /** Whose seat somebody proposed to end, while it is not known what came of it. */
  readonly #leaving = new Set<NodeId>()
  /** Records on their way to a disk that were looked at. */
  readonly #seen = new WeakSet<Uint8Array>()
  #transfers = 0
  #replacements = 0
  #replacementsCut = 0

  constructor(scenario: Scenario) {
    this.#scenario = scenario
    this.#plan = planOf(scenario)
  }

  get figures(): CouncilFigures {
    const { proofs, model, checker, liar, cell } = this.#all
    const { revoked, seated, unseated, motions, refused } = model.counts
    return {
      decisions: checker.decisions,
      epochs: proofs.epoch,
      transfers: this.#transfers,
      replacements: this.#replacements,
      replacementsCut: this.#replacementsCut,
      lies: liar.lies,
      revoked,
      seated,
      unseated,
      motions,
      refused,
      cellDecisions: cell.checker.decisions,
      cellEpochs: cell.proofs.epoch,
      custodiansCame: cell.model.counts.came,
      custodiansWent: cell.model.counts.went,
      configured: cell.model.counts.configured,
      takenOver: cell.model.counts.takenOver,
    }
  }

  begin(sim: Simulation<SwarmProgram>): void {
    const keys = new SimKeys(this.#scenario.seed)
    const proofs = new GroupProofs({ id: COUNCIL, genesis: GENESIS, founders: FOUNDERS }, sha256, keys.verifier())
    const model = new CouncilModel(FOUNDERS, nodeOfCertificate(keys))
    const checker = new GroupChecker<CouncilDesk>({
      sim,
      group: COUNCIL,
      proofs,
      model,
      read: ({ council }) => (council === undefined ? undefined : { host: council.host, view: council }),
      wasProposed: (client, operation) => this.#wasProposed(client, operation),
      isLiar: () => false,
    })
    const random = sim.random.fork('council')
    const liar = new CouncilLiar(sim, this.#plan.liars, random.fork('liar'))
    const cell = new CellWork(sim, this.#scenario.seed, (machine, operation, then) => {
      this.#say(machine, { group: FIRST_CELL, operation, then }, sim.machine(machine).node)
    })
    this.#parts = { sim, random, proofs, model, checker, liar, cell }
    sim.check(checker)
    sim.check(this)
    liar.begin()
  }

  /** What a client hears; called from inside a step. */
  decided(host: Host, id: number, outcome: Outcome): void {
    const asked = this.#proposed.get(id)
    const { sim, checker, cell } = this.#all
    const program = sim.programOf(host.machine)
    if (asked === undefined || program === undefined) return
    this.#proposed.delete(id)
    const judge = asked.group === COUNCIL ? checker : cell.checker
    judge.heard(sim.machine(host.machine), program, asked.operation, outcome)
    asked.then(outcome)
  }

  onBoot(machine: Machine): void {
    this.#countCut(machine)
    for (const key of [...this.#knownSince.keys()]) {
      if (key.startsWith(`${machine.index} `)) this.#knownSince.delete(key)
    }
    const random = this.#all.random.fork(`people ${machine.index} ${this.#asked}`)
    const next = (): void => {
      this.#later(machine.index, random.exponential(PROPOSE_EVERY_MS), (program) => {
        if (this.#core !== undefined) return
        this.#act(machine.index, program, random)
        next()
      })
    }
    next()
  }

  onObserve({ node }: Machine, { kind, ...rest }: { readonly kind: string }): void {
    if (kind !== 'consensus.state-transfer' || !('phase' in rest) || !('height' in rest)) return
    if (rest.phase === 'done') this.#transfers += 1
    else this.#all.liar.interfere(node, rest.height as Height)
  }

  onTurn(machine: Machine, program: SwarmProgram): void {
    this.#cutReplacement(machine)
    this.#checkLinks(machine, program)
  }

  /**
   * Every membership, of the last two epochs and as it was decided since, must bear all who are gone for good. A member that
   * is revoked, or may be when what was proposed is decided, or whose seat may end, is a fault of it already. Where seats
   * are given by themselves, the next may go to anybody that may have one: then all of those count, not the members alone.
   */
  needed(): readonly number[] {
    const { sim, random, model } = this.#all
    const isFaulty = (node: NodeId): boolean =>
      model.revoked.has(node) || this.#condemned.has(node) || this.#leaving.has(node)
    const memberships = this.#memberships()
    const spare = memberships.map((members) => faults(members.length) - members.filter(isFaulty).length)
    const seatable = sim.machines.filter(({ index }) => this.#plan.recruits && !this.#plan.followers.includes(index))
    const counted = new Set([...memberships.flat(), ...seatable.map(({ node }) => node)])
    const able = [...counted].filter((node) => !model.revoked.has(node)).sort()
    const wanted = random.fork('core').sample(able, able.length - Math.max(0, Math.min(...spare)))
    return sim.machines.filter(({ node }) => wanted.includes(node)).map(({ index }) => index)
  }

  /** Of the council and of the cell: the last two, and the one that is to follow. */
  #memberships(): readonly (readonly NodeId[])[] {
    const { proofs, model, cell } = this.#all
    const lastTwo = [proofs, cell.proofs].flatMap((each) => [
      each.membersOf(each.epoch),
      each.membersOf(each.epoch - 1),
    ])
    return [...lastTwo.filter((members) => members !== undefined), [...model.validators], [...cell.model.custodians]]
  }

  healed(core: readonly number[]): void {
    this.#core = core
  }

  /** Ten more decisions; and everyone who may know them does. */
  missing(): string | undefined {
    const { sim, checker, model, cell } = this.#all
    if (this.#after.decided < DECISIONS_AFTER) {
      this.#ask()
      return `${this.#after.decided} of ${DECISIONS_AFTER} decisions`
    }
    for (const machine of this.#core ?? []) {
      const program = sim.programOf(machine)
      const council = program?.council
      if (council === undefined) continue
      if (model.revoked.has(sim.machine(machine).node)) {
        if (!council.isOut) return `machine ${machine} does not find out that it is revoked (GR-5)`
      } else if (council.host.core.height < checker.height) {
        return `machine ${machine} is at height ${council.host.core.height} of ${checker.height} (GR-4)`
      }
    }
    const isOut = (machine: number): boolean => model.revoked.has(sim.machine(machine).node)
    const inCell = cell.missing(
      this.#core ?? [],
      isOut,
      this.#plan.recruits ? this.#plan.followers : (this.#core ?? []),
    )
    return this.#stillLinked() ?? this.#unfilled() ?? inCell
  }

  /** No link between a member and one that is revoked. */
  #stillLinked(): string | undefined {
    const { sim, model } = this.#all
    const isRevoked = (machine: number): boolean => model.revoked.has(sim.machine(machine).node)
    for (const machine of this.#core ?? []) {
      if (isRevoked(machine)) continue
      for (const node of model.revoked) {
        if (sim.network.portOf(machine)?.isLinked(node) === true) return `machine ${machine} is linked to ${node}`
      }
    }
    return undefined
  }

  /** RC-1, RC-3: those who may have a seat and are there have one, while there is room; who is gone has none. */
  #unfilled(): string | undefined {
    const { sim, model } = this.#all
    if (!this.#plan.recruits) return undefined
    const state = sim.programOf(0)?.council?.state
    const room = Number(state?.parameter('council.sizeMax') ?? 0) - model.validators.size
    const core = this.#core ?? []
    const waiting = core.filter((machine) => {
      const { node } = sim.machine(machine)
      const isOut = model.revoked.has(node) || model.barred.has(node) || model.validators.has(node)
      return !isOut && !this.#plan.followers.includes(machine)
    })
    // RC-2: two are worse than one.
    if (room > 0 && waiting.length > 0 && model.validators.size + Math.min(room, waiting.length) !== 2) {
      return `machine ${waiting[0]} has no seat, and there is room for ${room} (RC-1)`
    }
    const gone = [...model.validators].filter((node) => !core.some((machine) => sim.machine(machine).node === node))
    if (gone.length > 0 && model.validators.size > 3) return `${gone[0]} is gone and keeps its seat (RC-3)`
    return undefined
  }

  #ask(): void {
    if (this.#after.waiting) return
    const program = this.#all.sim.programOf(0)
    if (program === undefined) return
    this.#after.waiting = true
    const operation = encodeOperation({ expect: undefined, act: tenant(`after${this.#after.decided}`, this.#asked) })
    this.#proposeBytes(0, operation, AUTHORITY, (outcome) => {
      this.#after.waiting = false
      if (outcome.kind === 'applied') this.#after.decided += 1
    })
  }

  get #all(): Parts {
    if (this.#parts === undefined) throw new Error('the load has not begun')
    return this.#parts
  }

  #act(machine: number, program: SwarmProgram, random: Random): void {
    const { council } = program
    const self = this.#all.sim.machine(machine).node
    if (council === undefined || council.isRevoked(self)) return
    if (random.chance(0.35)) {
      this.#all.cell.act(machine, program, random)
      return
    }
    if (random.chance(0.02)) {
      program.compact()
      return
    }
    if (random.chance(0.06)) {
      this.#proposeBytes(
        machine,
        Uint8Array.from({ length: random.below(40) }, () => random.below(256)),
        self,
      )
      return
    }
    const act = this.#drawAct(machine, random, council)
    if (act.kind === 'revoke') this.#revokeMore(machine, random)
    if (machine === 0 && random.chance(0.85)) this.#propose(machine, act, AUTHORITY, random)
    else if (random.chance(0.2)) this.#propose(machine, act, self, random)
    else this.#propose(machine, this.#motion(), self)
  }

  /** Several at once: together they may be more than their groups can do without (GR-11). */
  #revokeMore(machine: number, random: Random): void {
    while (this.#revocations < this.#revocationsMax && random.chance(0.5)) {
      this.#revocations += 1
      const node = simNodeId(1 + random.below(this.#scenario.nodes - 1))
      this.#propose(machine, { kind: 'revoke', node, org: undefined }, AUTHORITY)
    }
  }

  get #revocationsMax(): number {
    return Math.floor(this.#scenario.nodes / 3)
  }

  /** What all validators that propose now propose. */
  #motion(): Act {
    const number = Math.floor(this.#all.sim.now / MOTION_MS)
    return tenant(`motion${number % 20}`, 1 + number)
  }

  #drawAct(machine: number, random: Random, { state }: CouncilDesk): Act {
    const other = simNodeId(random.below(this.#scenario.nodes))
    const roll = random.float()
    if (roll < 0.5) return tenant(`t${random.below(8)}`, 1 + random.below(9))
    if (roll < 0.62) return { kind: 'parameter', name: 'council.sizeMax', value: `${3 + random.below(8)}` }
    if (roll < 0.7)
      return {
        kind: 'role',
        tenant: random.pick(['*', 't1']),
        subject: other,
        role: 'admin',
        withdraw: random.chance(0.3),
      }
    if (roll < 0.78) return { kind: 'override', subject: other, action: 'drain', ttlMs: random.below(60_000) }
    if (roll < 0.86) {
      const seats = state.validators.rows().map(({ key }) => key)
      return { kind: 'validator', add: [], remove: [random.pick(seats)] }
    }
    const mayRevoke = machine === 0 && this.#revocations < this.#revocationsMax && other !== simNodeId(0)
    if (roll < 0.9 && mayRevoke) {
      this.#revocations += 1
      return { kind: 'revoke', node: other, org: undefined }
    }
    return { kind: 'parameter', name: 'membership.rings', value: `${1 + random.below(20)}` }
  }

  #propose(machine: number, act: Act, as: NodeId, random?: Random): void {
    if (act.kind === 'revoke') this.#condemned.add(act.node)
    const expect = random?.chance(0.1) === true ? random.below(20) : undefined
    const leaving = act.kind === 'validator' ? act.remove : []
    for (const node of leaving) this.#leaving.add(node)
    this.#proposeBytes(machine, encodeOperation({ expect, act }), as, () => {
      for (const node of leaving) this.#leaving.delete(node)
    })
  }

  #proposeBytes(machine: number, operation: Uint8Array, as: NodeId, then: Asked['then'] = () => {}): void {
    this.#voices.add(`${as} ${textOf(operation)}`)
    this.#say(machine, { group: COUNCIL, operation, then }, as)
  }

  #say(machine: number, asked: Asked, as: NodeId): void {
    this.#asked += 1
    const id = this.#asked
    const { group, operation } = asked
    this.#proposed.set(id, asked)
    this.#later(machine, 0, (program) => program.propose(group, { id, operation, as }))
  }

  /** By the load; or by a validator whose recruiter takes somebody in or lets somebody go. */
  #wasProposed(client: NodeId, operation: Uint8Array): boolean {
    if (this.#voices.has(`${client} ${textOf(operation)}`)) return true
    const decoded = decodeOperation(operation)
    return this.#plan.recruits && decoded.ok && decoded.value.act.kind === 'validator' && client !== AUTHORITY
  }

  /** GR-1: the power goes while a log is being replaced. */
  #cutReplacement(machine: Machine): void {
    const { sim, random } = this.#all
    if (!this.#isReplacing(machine)) return
    this.#replacements += 1
    if (this.#core !== undefined) return
    if (!random.chance(CUT_REPLACEMENT_RATE)) return
    sim.queue.call(sim.now, () => {
      sim.stop(machine.index, 'power')
      sim.queue.call(sim.now + random.between(50, 3_000), () => {
        if (this.#core === undefined || this.#core.includes(machine.index)) sim.start(machine.index)
      })
    })
  }

  /** Whether the last word of a replacement has just been given to the disk. */
  #isReplacing({ log }: Machine): boolean {
    const fresh = log.pending.filter((bytes) => !this.#seen.has(bytes))
    for (const bytes of fresh) this.#seen.add(bytes)
    return fresh.some((bytes) => kindOf(bytes) === 'group-rewritten')
  }

  #countCut({ log }: Machine): void {
    let drafts = 0
    for (const bytes of log.records) {
      const kind = kindOf(bytes)
      if (kind === 'group-draft') drafts += 1
      else if (kind === 'group-rewritten') drafts = 0
    }
    if (drafts > 0) this.#replacementsCut += 1
  }

  #checkLinks(machine: Machine, program: SwarmProgram): void {
    const { sim } = this.#all
    const { council } = program
    if (council === undefined || council.isOut) return
    const port = sim.network.portOf(machine.index)
    for (const { key } of council.state.revocations.rows()) {
      const place = `${machine.index} ${key}`
      // GR-11: those whose votes are still needed are not late yet.
      const since = isNeeded(key, program) ? sim.now : (this.#knownSince.get(place) ?? sim.now)
      this.#knownSince.set(place, since)
      if (port?.isLinked(key) === true && sim.now > since + CUT_BOUND_MS) {
        sim.violate(
          'GR-3',
          `is still linked to ${key}, of whose revocation it has known for ${CUT_BOUND_MS} ms`,
          machine.index,
        )
      }
    }
  }

  #later(machine: number, afterMs: number, run: (program: SwarmProgram) => void): void {
    const { sim } = this.#all
    sim.processOf(machine)?.later(() => {
      const program = sim.programOf(machine)
      if (program !== undefined) run(program)
    }, sim.now + afterMs)
  }
}

/** Whether this node's council has less than a quorum without the revoked, this one among them. */
function isNeeded(node: NodeId, { council }: SwarmProgram): boolean {
  const members = council?.host.core.members ?? []
  return council !== undefined && members.includes(node) && members.includes(council.self)
}

function tenant(name: string, weight: number): Act {
  return { kind: 'tenant', name, weight, quotas: {} }
}

function kindOf(bytes: Uint8Array): string | undefined {
  const entry = decodeNodeRecord(bytes)
  return entry.ok ? entry.value.kind : undefined
}
