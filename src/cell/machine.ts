import type { NodeId, WallMillis } from '../kernel/index.ts'
import type { Voices } from '../machine/index.ts'
import { type Applying, encode, type Machine, type MachineRefusal } from '../wire/index.ts'
import { type Judged, judge } from './judging.ts'
import { type CellResult, cellResultShape, decodeCellOperation } from './operations.ts'
import { CellState } from './state.ts'

/** An operation that is valid, with the voices for it if it takes a vote. */
interface Course {
  readonly judged: Judged
  readonly voices: Voices | undefined
}

/** What a cell decides about itself, as a state machine for consensus. Clauses CE-1 to CE-9 in README.md. */
export class CellMachine implements Machine {
  readonly state = new CellState()

  /** `custodians`: the first ones, at least one. */
  constructor(custodians: readonly NodeId[]) {
    for (const node of custodians) this.state.custodians.set(node, { since: 0 as WallMillis })
  }

  /** CE-2. */
  authorised(client: NodeId): boolean {
    return this.state.custodians.has(client)
  }

  check(operation: Uint8Array, client: NodeId): MachineRefusal | undefined {
    const course = this.#course(operation, client, undefined)
    return 'code' in course ? course : undefined
  }

  apply(operation: Uint8Array, { client, at }: Applying): { readonly result: Uint8Array } | MachineRefusal {
    const course = this.#course(operation, client, at)
    if ('code' in course) return course
    const { judged, voices } = course
    const { state } = this
    state.revision += 1
    if (voices !== undefined && voices.votes < voices.needed) {
      state.motions.vote(operation, client, { electorate: this.members(), at, revision: state.revision })
      return resultOf({ kind: 'voted', ...voices })
    }
    const result = judged.commit(at)
    state.motions.close(operation)
    return resultOf(result)
  }

  members(): readonly NodeId[] {
    return this.state.members()
  }

  snapshot(): readonly Uint8Array[] {
    return this.state.snapshot()
  }

  restore(chunks: readonly Uint8Array[]): boolean {
    return this.state.restore(chunks)
  }

  /** Reads and never writes: what is refused leaves no trace (CE-1). */
  #course(operation: Uint8Array, client: NodeId, at: WallMillis | undefined): Course | MachineRefusal {
    if (!this.authorised(client)) return { code: 'UNAUTHORISED', reason: `${client} is no custodian of this cell` }
    const decoded = decodeCellOperation(operation)
    if (!decoded.ok) return { code: 'BAD_REQUEST', reason: `this is no operation of a cell: ${decoded.error}` }
    const judged = judge(decoded.value, client, this.state)
    if (!judged.ok) return judged.error
    if (!judged.value.byVote) return { judged: judged.value, voices: undefined }
    const voices = this.state.motions.judge(operation, client, this.members(), at)
    return 'code' in voices ? voices : { judged: judged.value, voices }
  }
}

function resultOf(result: CellResult): { readonly result: Uint8Array } {
  return { result: encode(cellResultShape, result) }
}
