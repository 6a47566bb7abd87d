import type { NodeId, WallMillis } from '../kernel/index.ts'
import { MOTION_BYTES_MAX, type Voices } from '../machine/index.ts'
import { type Applying, type ClientAccount, encode, type Machine, type MachineRefusal } from '../wire/index.ts'
import type { Bench, Judged } from './judgement.ts'
import { judge } from './judging.ts'
import { type CouncilResult, councilResultShape, decodeOperation } from './operations.ts'
import { EVERY_TENANT, hasVoice, mayDo, type Standing, standingOf } from './rights.ts'
import { CouncilState } from './state.ts'
import type { CouncilFounding, CouncilPorts } from './types.ts'

interface Proposal {
  readonly operation: Uint8Array
  readonly client: NodeId
  /** The block's time; undefined ahead of any block. */
  readonly at: WallMillis | undefined
}

/** What an operation would do: all at once, or one voice towards it. */
type Course = {
  readonly judged: Judged
  readonly voice: Voices | undefined
}

/** What the council governs, as a state machine for consensus. Clauses GV-1 to GV-15 in README.md. */
export class CouncilMachine implements Machine {
  readonly state = new CouncilState()
  readonly #ports: CouncilPorts
  readonly #founding: CouncilFounding

  constructor(founding: CouncilFounding, ports: CouncilPorts) {
    this.#founding = founding
    this.#ports = ports
    const { state } = this
    const revision = 0
    for (const { name, authorities, seatsMax } of founding.organisations) {
      state.organisations.set(name, { authorities, seatsMax, revision })
    }
    for (const [name, value] of Object.entries(founding.parameters)) state.parameters.set(name, { value, revision })
    for (const { node, org } of founding.validators)
      state.validators.set(node, { org, since: 0 as WallMillis, revision })
  }

  /** GV-2. */
  authorised(client: NodeId): boolean {
    return hasVoice(this.#standing(client))
  }

  /** GV-2: who can make any number of keys speak, a tenant's admin or an organisation, wears out nobody but itself. */
  account(client: NodeId): ClientAccount | undefined {
    const { org, adminAt } = this.#standing(client)
    const organisation = org ?? this.state.validators.get(client)?.org
    if (organisation !== undefined) return { name: `org ${organisation}`, reserved: true }
    const [tenant] = adminAt
    return tenant === undefined ? undefined : { name: `tenant ${tenant}`, reserved: tenant === EVERY_TENANT }
  }

  check(operation: Uint8Array, client: NodeId): MachineRefusal | undefined {
    const course = this.#course({ operation, client, at: undefined })
    return 'code' in course ? course : undefined
  }

  apply(operation: Uint8Array, { client, at }: Applying): { readonly result: Uint8Array } | MachineRefusal {
    const course = this.#course({ operation, client, at })
    if ('code' in course) return course
    const { judged, voice } = course
    const { state } = this
    state.revision += 1
    const { revision } = state
    if (voice !== undefined && voice.votes < voice.needed) {
      const motion = state.motions.vote(operation, client, { electorate: this.members(), at, revision })
      return resultOf({ kind: 'voted', motion, ...voice })
    }
    judged.commit({ at, by: client, carried: voice !== undefined })
    state.motions.close(operation)
    return resultOf({ kind: 'applied', revision })
  }

  /** GV-15: a seat ends with a conviction, and the key gets no other. */
  convict(node: NodeId, at: WallMillis): void {
    const { state } = this
    state.revision += 1
    if (state.convicted.full) {
      const oldest = state.convicted.rows().reduce((a, b) => (b.value.revision < a.value.revision ? b : a))
      state.convicted.delete(oldest.key)
    }
    state.convicted.set(node, { at, revision: state.revision })
    const seating = new Map(state.seating())
    // Without any seat there is no council: a lone liar is its organisation's affair.
    if (seating.size > 1 && seating.delete(node)) state.seat(seating, at)
  }

  members(): readonly NodeId[] {
    return this.state.validators.rows().map(({ key }) => key)
  }

  snapshot(): readonly Uint8Array[] {
    return this.state.snapshot()
  }

  restore(chunks: readonly Uint8Array[]): boolean {
    return this.state.restore(chunks)
  }

  #bench(at: WallMillis | undefined): Bench {
    return { state: this.state, founder: this.#founding.founder, ports: this.#ports, at }
  }

  #standing(client: NodeId): Standing {
    return standingOf(client, this.state, this.#founding.founder)
  }

  /** Reads and never writes: what is refused leaves no trace (GV-1). */
  #course({ operation, client, at }: Proposal): Course | MachineRefusal {
    const standing = this.#standing(client)
    if (!hasVoice(standing)) return UNAUTHORISED
    if (operation.length > MOTION_BYTES_MAX) return OVERSIZED
    const decoded = decodeOperation(operation)
    if (!decoded.ok) return { code: 'BAD_REQUEST', reason: `this is no operation of a council: ${decoded.error}` }
    const judged = judge(decoded.value, this.#bench(at))
    if (!judged.ok) return judged.error
    if (mayDo(decoded.value.act, standing, judged.value, this.state)) return { judged: judged.value, voice: undefined }
    if (!standing.validator) return UNAUTHORISED
    // GV-7: a validator's word counts for one.
    const voice = this.state.motions.judge(operation, client, this.members(), at)
    return 'code' in voice ? voice : { judged: judged.value, voice }
  }
}

const OVERSIZED: MachineRefusal = {
  code: 'TOO_LARGE',
  reason: `an operation of the council has ${MOTION_BYTES_MAX} bytes at most: propose less at a time`,
}

const UNAUTHORISED: MachineRefusal = {
  code: 'UNAUTHORISED',
  reason:
    'this node may not decide that: propose it where the authority key of the organisation is, ask for a role, or let the validators vote',
}

function resultOf(result: CouncilResult): { readonly result: Uint8Array } {
  return { result: encode(councilResultShape, result) }
}
