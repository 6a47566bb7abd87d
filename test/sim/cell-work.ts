import { type CellOperation, decodeCellOperation, encodeCellOperation, type JournalName } from '../../src/cell/index.ts'
import type { Outcome } from '../../src/consensus/index.ts'
import type { NodeId, Random } from '../../src/kernel/index.ts'
import { SimKeys, type Simulation, type SwarmProgram } from '../../src/sim/index.ts'
import { CELL_SIZE_MAX, type CellDesk, FIRST_CELL } from '../../src/swarm/index.ts'
import { CellModel } from './cell-model.ts'
import { FOUNDERS, GENESIS, sha256 } from './council-node.ts'
import { GroupChecker } from './group-checker.ts'
import { GroupProofs, needed } from './group-proofs.ts'

/** What must be decided once all faults are over. */
const DECISIONS_AFTER = 10

/** Whoever says something to a group at a machine. */
export type Say = (machine: number, operation: Uint8Array, then: (outcome: Outcome) => void) => void

/** Custodians that open, change, take over and close journals at random; and the clauses that must hold of their cell. */
export class CellWork {
  readonly #sim: Simulation<SwarmProgram>
  readonly #say: Say
  readonly proofs: GroupProofs
  readonly model = new CellModel(FOUNDERS)
  readonly checker: GroupChecker<CellDesk>
  readonly #said = new Set<string>()
  #after = 0
  #waiting = false
  #turn = 0

  constructor(sim: Simulation<SwarmProgram>, seed: string, say: Say) {
    this.#sim = sim
    this.#say = say
    const verifier = new SimKeys(seed).verifier()
    this.proofs = new GroupProofs({ id: FIRST_CELL, genesis: GENESIS, founders: FOUNDERS }, sha256, verifier)
    this.checker = new GroupChecker<CellDesk>({
      sim,
      group: FIRST_CELL,
      proofs: this.proofs,
      model: this.model,
      read: ({ cell }) => (cell === undefined ? undefined : { host: cell.host, view: cell }),
      wasProposed: (client, operation) => this.#wasProposed(client, operation),
      isLiar: () => false,
    })
    sim.check(this.checker)
  }

  act(machine: number, { cell }: SwarmProgram, random: Random): void {
    if (cell === undefined) return
    if (random.chance(0.1)) {
      const bytes = Uint8Array.from({ length: random.below(30) }, () => random.below(256))
      this.#propose(machine, cell.self, bytes)
    } else this.#propose(machine, cell.self, encodeCellOperation(draw(cell, random)))
  }

  /** Ten more decisions, everyone that may know them does, and who may be a custodian is one. */
  missing(
    core: readonly number[],
    isOut: (machine: number) => boolean,
    follows: readonly number[],
  ): string | undefined {
    // More revoked at once than it can do without: the council is to form it anew.
    const members = this.proofs.membersOf(this.proofs.epoch) ?? []
    if (this.#machinesOf(members).filter((machine) => !isOut(machine)).length < needed(members.length)) return undefined
    if (this.#after < DECISIONS_AFTER) {
      this.#ask(core.filter((machine) => !isOut(machine)))
      return `${this.#after} of ${DECISIONS_AFTER} decisions of the cell`
    }
    for (const machine of core) {
      const height = this.#sim.programOf(machine)?.cell?.host.core.height ?? 0
      if (!isOut(machine) && height < this.checker.height) {
        return `machine ${machine} is at height ${height} of ${this.checker.height} in the cell (GR-4)`
      }
    }
    return this.#unfilled(core, isOut, follows)
  }

  #machinesOf(nodes: readonly NodeId[]): readonly number[] {
    return this.#sim.machines.filter(({ node }) => nodes.includes(node)).map(({ index }) => index)
  }

  /** CU-1, CU-2. */
  #unfilled(
    core: readonly number[],
    isOut: (machine: number) => boolean,
    follows: readonly number[],
  ): string | undefined {
    const room = CELL_SIZE_MAX - this.model.custodians.size
    const waiting = core.filter((machine) => {
      return (
        !isOut(machine) && !follows.includes(machine) && !this.model.custodians.has(this.#sim.machine(machine).node)
      )
    })
    if (room <= 0 || waiting.length === 0) return undefined
    if (this.model.custodians.size + waiting.length === 2) return undefined
    return `machine ${waiting[0]} is no custodian, and there is room for ${room} (CU-1)`
  }

  #ask(core: readonly number[]): void {
    if (this.#waiting) return
    const able = core.filter((machine) => this.model.custodians.has(this.#sim.machine(machine).node))
    const machine = able[this.#turn++ % Math.max(1, able.length)]
    if (machine === undefined) return
    const cell = this.#sim.programOf(machine)?.cell
    if (cell === undefined) return
    this.#waiting = true
    this.#propose(machine, cell.self, encodeCellOperation(drawAfter(cell, this.#turn)), (outcome) => {
      this.#waiting = false
      if (outcome.kind === 'applied') this.#after += 1
    })
  }

  #propose(machine: number, as: NodeId, operation: Uint8Array, then: (outcome: Outcome) => void = () => {}): void {
    this.#said.add(keyOf(as, operation))
    this.#say(machine, operation, then)
  }

  /** By the load; or by a custodian that speaks for somebody's coming or going. */
  #wasProposed(client: NodeId, operation: Uint8Array): boolean {
    if (this.#said.has(keyOf(client, operation))) return true
    const decoded = decodeCellOperation(operation)
    return decoded.ok && decoded.value.kind === 'custodians'
  }
}

function keyOf(client: NodeId, operation: Uint8Array): string {
  return `${client} ${Buffer.from(operation).toString('latin1')}`
}

/** Mostly what is valid as far as the node knows; sometimes what is stale or not its own. */
function draw({ state, self }: CellDesk, random: Random): CellOperation {
  const custodians = state.custodians.rows().map(({ key }) => key)
  const inSync = [...new Set([self, ...random.sample(custodians, Math.min(custodians.length, random.below(3)))])]
  const journals = state.journals.rows()
  if (journals.length === 0 || random.chance(0.25)) {
    return { kind: 'open', journal: `${self}/j${random.below(4)}` as JournalName, inSync }
  }
  const { key: journal, value } = random.pick(journals)
  const expect = (random.chance(0.9) ? value.epoch : value.epoch - 1) as typeof value.epoch
  if (random.chance(0.15)) return { kind: 'close', journal, expect }
  if (value.primary === self) return { kind: 'configure', journal, expect, primary: self, inSync }
  const kept = value.inSync.filter((node) => node !== value.primary)
  return { kind: 'configure', journal, expect, primary: self, inSync: kept }
}

/** Opens a journal that is always free, or closes it again. */
function drawAfter({ state, self }: CellDesk, turn: number): CellOperation {
  const journal = `${self}/after${turn % 2}` as JournalName
  const known = state.journals.get(journal)
  if (known !== undefined) return { kind: 'close', journal, expect: known.epoch }
  return { kind: 'open', journal, inSync: [self] }
}
