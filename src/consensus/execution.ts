import type { NodeId, WallMillis } from '../kernel/index.ts'
import { CHUNK_BYTES_MAX, count, decode, encode, list, type Machine, nodeId, record, u32 } from '../wire/index.ts'
import type { Group } from './group.ts'
import type { Hashing } from './hashing.ts'
import { CHUNKS_MAX, type ConsensusParams } from './params.ts'
import type { Rules } from './rules.ts'
import type { Block, CheckpointVote, Digest, Epoch, Height, Outcome, Request, RequestResult } from './types.ts'
import { ClientWindows, clientsShape, type Replay } from './windows.ts'

/** Convicted members remembered: two full memberships, so that of more there is one that neither sits nor is to sit. */
const CONVICTED_MAX = 128

/** The core's own part of the state, the first piece of every snapshot. */
const frameShape = record({
  epoch: count<Epoch>(),
  height: count<Height>(),
  at: count<WallMillis & number>(),
  convicted: list(nodeId, CONVICTED_MAX),
  windows: u32,
  forgottenTo: count<Height>(),
})

/** A state at a boundary, ready to be signed and served. */
export interface SavedState {
  readonly vote: CheckpointVote
  readonly chunks: readonly Uint8Array[]
  readonly digests: readonly Digest[]
}

/** The replicated state: the machine, who was convicted, and which requests were applied (B-2, B-6, B-21). */
export class Execution {
  readonly #machine: Machine
  readonly #hashing: Hashing
  readonly #windows: ClientWindows
  /** In the order of their convictions. */
  readonly #convicted = new Set<NodeId>()
  /** Changes of that set. */
  #verdicts = 0
  /** Asked for at every step, changed by blocks only. */
  #next:
    | {
        readonly group: Group
        readonly wanted: readonly NodeId[]
        readonly verdicts: number
        readonly members: readonly NodeId[]
        readonly differs: boolean
      }
    | undefined
  #stale = true

  constructor(machine: Machine, hashing: Hashing, params: ConsensusParams, rules: Rules) {
    this.#machine = machine
    this.#hashing = hashing
    this.#windows = new ClientWindows(params, rules, machine)
  }

  get convicted(): ReadonlySet<NodeId> {
    return this.#convicted
  }

  get machine(): Machine {
    return this.#machine
  }

  /** Whether a request would count at this height, as far as the final state tells. */
  judge(request: Request, height: Height): Replay | undefined {
    return this.#windows.judge(request, height)
  }

  /** The latest session of a client that spoke (B-21). */
  sessionOf(client: NodeId): number | undefined {
    return this.#windows.sessionOf(client)
  }

  /** Applies a final block. What does not count or is refused changes nothing. */
  apply(block: Block): readonly RequestResult[] {
    const { height, at } = block.header
    this.#stale = true
    for (const { signer } of block.evidence) {
      if (this.#convicted.has(signer)) continue
      this.#convicted.add(signer)
      this.#verdicts += 1
      this.#machine.convict?.(signer, at)
    }
    return block.requests.map(({ request }) => this.#applyRequest(request, height, at))
  }

  #applyRequest(request: Request, height: Height, at: WallMillis): RequestResult {
    const { client } = request
    const replay = this.#windows.judge(request, height)
    if (replay !== undefined) return { request, outcomes: [], refused: replay }
    if (!this.#machine.authorised(client)) return { request, outcomes: [], refused: 'unauthorised' }
    this.#windows.take(request, height)
    const outcomes = request.operations.map((operation): Outcome => {
      const applied = this.#machine.apply(operation, { client, height, at })
      if ('result' in applied) return { kind: 'applied', height, result: applied.result }
      return { kind: 'refused', code: applied.code, reason: applied.reason }
    })
    return { request, outcomes, refused: undefined }
  }

  /** The membership after the next checkpoint, as the state is now (B-24). */
  nextMembers(group: Group): readonly NodeId[] {
    const next = this.#next
    if (next?.group === group && !this.#stale) return next.members
    this.#stale = false
    const wanted = this.#machine.members()
    const verdicts = this.#verdicts
    if (next?.group === group && next.wanted === wanted && next.verdicts === verdicts) return next.members
    const members = group.towards(wanted, this.#convicted)
    this.#next = { group, wanted, verdicts, members, differs: !group.sameMembers(members) }
    return members
  }

  /** Whether a change of membership is due. */
  membersChange(group: Group): boolean {
    this.nextMembers(group)
    return this.#next?.differs === true
  }

  /** The state after a boundary block, with what a member signs about it. */
  save(
    group: Group,
    boundary: { readonly digest: Digest; readonly height: Height; readonly at: WallMillis },
  ): SavedState {
    const { digest, height, at } = boundary
    this.#windows.forgetIdle(height)
    this.#forgetConvicted(group)
    const windows = this.#windows.save()
    const convicted = [...this.#convicted]
    const { forgottenTo } = this.#windows
    const frame = encode(frameShape, {
      epoch: group.epoch,
      height,
      at,
      convicted,
      windows: windows.length,
      forgottenTo,
    })
    const own = [frame, ...windows.map((piece) => encode(clientsShape, piece))]
    const chunks = [...own, ...this.#machine.snapshot()]
    // Only the machine may hand out pieces again.
    const digests = chunks.map((chunk, i) => (i < own.length ? this.#hashing.bytes(chunk) : this.#hashing.chunk(chunk)))
    const members = this.nextMembers(group)
    const root = this.#hashing.root(digests)
    return { vote: { kind: 'checkpoint', epoch: group.epoch, height, digest, root, members }, chunks, digests }
  }

  /** The oldest first. Not a member, whose evidence would come up again, nor whom the machine wants: it would sit again. */
  #forgetConvicted(group: Group): void {
    if (this.#convicted.size <= CONVICTED_MAX) return
    const wanted = this.#machine.members()
    for (const node of this.#convicted) {
      if (this.#convicted.size <= CONVICTED_MAX) return
      if (group.seatOf(node) !== undefined || wanted.includes(node)) continue
      this.#convicted.delete(node)
      this.#verdicts += 1
      this.#stale = true
    }
  }

  /** Replaces the state by a certified one; the block time it ends at, or undefined if it is not a state of this version. */
  restore(chunks: readonly Uint8Array[]): WallMillis | undefined {
    if (chunks.length > CHUNKS_MAX || chunks.some((chunk) => chunk.length > CHUNK_BYTES_MAX)) return undefined
    this.#next = undefined
    this.#stale = true
    const frame = decode(frameShape, chunks[0] ?? new Uint8Array(0))
    if (!frame.ok) return undefined
    const windows = chunks.slice(1, 1 + frame.value.windows).map((chunk) => decode(clientsShape, chunk))
    if (windows.some((piece) => !piece.ok)) return undefined
    if (!this.#machine.restore(chunks.slice(1 + frame.value.windows))) return undefined
    const clients = windows.map((piece) => (piece.ok ? piece.value : []))
    this.#windows.restore(clients, frame.value.forgottenTo)
    this.#convicted.clear()
    for (const node of frame.value.convicted) this.#convicted.add(node)
    this.#verdicts += 1
    return frame.value.at
  }
}
