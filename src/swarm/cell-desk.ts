import { CellMachine, type CellState } from '../cell/index.ts'
import type { ConsensusParams, GroupId, Outcome } from '../consensus/index.ts'
import type { NodeId } from '../kernel/index.ts'
import type { GroupHost } from './group-host.ts'
import { type GroupTerms, openGroup } from './open-group.ts'

/** The cell that a swarm starts with: it holds all of a small one. Others are founded when it is divided. */
export const FIRST_CELL = 'cell' as GroupId

/** Custodians of a cell that takes them in by itself: a cell holds no more nodes than this either. */
export const CELL_SIZE_MAX = 16

export interface CellOptions extends Omit<GroupTerms, 'clients'> {
  /** Its first custodians: of the first cell, the swarm's founding validators. */
  readonly founders: readonly NodeId[]
}

/** A cell's group on this node, custodian or follower, and its state. */
export class CellDesk {
  readonly host: GroupHost
  readonly self: NodeId
  readonly #machine: CellMachine

  constructor(id: GroupId, { founders, ...terms }: CellOptions) {
    this.self = terms.signer.node
    this.#machine = new CellMachine(founders)
    this.host = openGroup(id, this.#machine, { ...terms, params: { ...CELL_PARAMS, ...terms.params } })
  }

  /** What is decided, as far as this node knows. */
  get state(): CellState {
    return this.#machine.state
  }

  /** Why an operation of this node would be refused now; undefined if it would not. */
  check(operation: Uint8Array): Extract<Outcome, { kind: 'refused' }> | undefined {
    const refused = this.#machine.check(operation, this.self)
    return refused === undefined ? undefined : { kind: 'refused', ...refused }
  }
}

/** As a council: decisions are rare, states small. */
const CELL_PARAMS: Partial<ConsensusParams> = { statusMs: 10_000, segmentBlocksMax: 64 }
