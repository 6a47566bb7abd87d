import { assert, type NodeId, quorum, type WallMillis } from '../kernel/index.ts'
import { bytes, count, list, type MachineRefusal, nodeId, record, type Shape, text } from '../wire/index.ts'
import { MOTION_BYTES_MAX, MOTION_TTL_MS, MOTIONS_MAX, MOTIONS_PER_VOTER_MAX, VOTERS_MAX } from './params.ts'
import { Table } from './table.ts'

/** An operation that takes several voices, and who has spoken for it. */
export interface Motion {
  readonly operation: Uint8Array
  /** Sorted. */
  readonly voters: readonly NodeId[]
  readonly opener: NodeId
  /** By the time of blocks. */
  readonly until: WallMillis
}

/** Voices with one more, and how many carry a motion. */
export interface Voices {
  readonly votes: number
  readonly needed: number
}

type Judgement = Voices | MachineRefusal

const motionShape = record({
  operation: bytes(MOTION_BYTES_MAX),
  voters: list(nodeId, VOTERS_MAX),
  opener: nodeId,
  until: count<WallMillis>(),
}) as Shape<Motion>

const NAME_BYTES = 12

/** What a voice is added to. */
interface Voting {
  /** Sorted; the voter is among them. */
  readonly electorate: readonly NodeId[]
  readonly at: WallMillis
  readonly revision: number
}

/**
 * SM-4: operations that pass once q of the present voters have proposed the very same bytes: as many as make a certificate,
 * so that neither f liars nor anybody alone can pass one, and f silent ones cannot stop one.
 */
export class Motions {
  readonly table = new Table<string, Motion>({
    key: text(NAME_BYTES),
    value: motionShape,
    rowsMax: MOTIONS_MAX,
    rowsPerPieceMax: 8,
  })

  /** The motion with these very bytes, if it is open at this time. */
  find(
    operation: Uint8Array,
    at: WallMillis | undefined,
  ): { readonly name: string; readonly motion: Motion } | undefined {
    for (const { key, value } of this.table.rows()) {
      const open = at === undefined || value.until > at
      if (open && sameBytes(value.operation, operation)) return { name: key, motion: value }
    }
    return undefined
  }

  #mayOpen(voter: NodeId, at: WallMillis): boolean {
    const open = this.table.rows().filter(({ value }) => value.until > at)
    return (
      open.length < MOTIONS_MAX && open.filter(({ value }) => value.opener === voter).length < MOTIONS_PER_VOTER_MAX
    )
  }

  /**
   * How a motion would stand with one more voice, counting those alone who may vote now; refused to who has spoken for it,
   * and to who has opened too many. Ahead of any block nobody is refused for what time may end.
   */
  judge(operation: Uint8Array, voter: NodeId, electorate: readonly NodeId[], at: WallMillis | undefined): Judgement {
    const open = this.find(operation, at)?.motion
    const voters = new Set([...(open?.voters ?? []), voter])
    const votes = electorate.filter((node) => voters.has(node)).length
    const needed = voicesNeeded(electorate)
    // With fewer who may vote, the voices there are may suffice: then saying it again carries it. And what is open now may
    // have ended by the time of the block.
    if (votes >= needed || at === undefined) return { votes, needed }
    if (open?.voters.includes(voter) === true) {
      return { code: 'ALREADY_SO', reason: `this node has spoken for it: ${votes} of ${needed} voices so far` }
    }
    if (open !== undefined || this.#mayOpen(voter, at)) return { votes, needed }
    return {
      code: 'QUOTA_EXCEEDED',
      reason: 'this node has opened too many motions: wait until they are carried or end',
    }
  }

  /**
   * Adds a voice, forgets those of who may vote no more and all whose time has ended; the motion's name. `judge` has
   * said that it fits.
   */
  vote(operation: Uint8Array, voter: NodeId, about: Voting): string {
    this.forget(about.at)
    const found = this.find(operation, about.at)
    const name = found?.name ?? nameOf(about.revision)
    const spoke = new Set([...(found?.motion.voters ?? []), voter])
    const voters = about.electorate.filter((node) => spoke.has(node))
    const opened = { operation, opener: voter, until: (about.at + MOTION_TTL_MS) as WallMillis }
    this.table.set(name, { ...(found?.motion ?? opened), voters })
    return name
  }

  /** A motion that was carried, or need not be any more. */
  close(operation: Uint8Array): void {
    const found = this.find(operation, undefined)
    if (found !== undefined) this.table.delete(found.name)
  }

  forget(at: WallMillis): void {
    for (const { key, value } of this.table.rows()) if (value.until <= at) this.table.delete(key)
  }
}

/** How many voices carry a motion: q of the electorate. */
export function voicesNeeded(electorate: readonly NodeId[]): number {
  return quorum(electorate.length)
}

/** Names sort as their revisions do. */
function nameOf(revision: number): string {
  const name = revision.toString(36).padStart(NAME_BYTES, '0')
  assert(name.length === NAME_BYTES, 'a revision has a name', { revision })
  return name
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i])
}
