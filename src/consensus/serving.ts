import { BoundedMap, type NodeId, TokenBucket } from '../kernel/index.ts'
import type { Chain } from './chain.ts'
import type { Checkpointing } from './checkpointing.ts'
import type { Context } from './context.ts'
import { BLOCKS_BYTES_MAX, BLOCKS_PER_MESSAGE_MAX, CHECKPOINTS_PER_MESSAGE_MAX } from './params.ts'
import type { Block, CheckpointCertificate, Digest, Epoch, Height, Message, Want } from './types.ts'
import type { Voting } from './voting.ts'

/** Peers whose rates are remembered; more than any group with its followers nearby. */
const PEERS_MAX = 512
const ANSWERS_PER_SECOND = 100
const ANSWERS_BURST = 200

/** Answering what others ask: from what is at hand, to anyone, at a bounded rate (B-9). Everything sent proves itself. */
export class Serving {
  readonly #context: Context
  readonly #chain: Chain
  readonly #checkpointing: Checkpointing
  readonly #rates = new BoundedMap<NodeId, TokenBucket>(PEERS_MAX)

  constructor(context: Context, chain: Chain, checkpointing: Checkpointing) {
    this.#context = context
    this.#chain = chain
    this.#checkpointing = checkpointing
  }

  answer(from: NodeId, want: Want, voting: Voting, proposed: (digest: Digest) => Block | undefined): void {
    if (!this.#allows(from)) return
    const message = this.#find(want, voting, proposed)
    if (message !== undefined) this.#context.send(from, message)
  }

  #allows(from: NodeId): boolean {
    let rate = this.#rates.get(from)
    if (rate === undefined) {
      rate = new TokenBucket(ANSWERS_PER_SECOND, ANSWERS_BURST, this.#context.now)
      this.#rates.set(from, rate)
    }
    return rate.take(this.#context.now)
  }

  #find(want: Want, voting: Voting, proposed: (digest: Digest) => Block | undefined): Message | undefined {
    switch (want.kind) {
      case 'block': {
        const block = this.#chain.get(want.digest)?.block ?? proposed(want.digest)
        return block === undefined ? undefined : { kind: 'block', block }
      }
      case 'blocks':
        return this.#blocks(want.epoch, want.after, voting)
      case 'standing':
        return {
          kind: 'standing',
          epoch: this.#context.group.epoch,
          view: voting.view,
          certificates: [...voting.standing, ...(voting.committed === undefined ? [] : [voting.committed])],
        }
      case 'manifest': {
        const { height, digests } = this.#checkpointing.stable
        return want.height === height ? { kind: 'manifest', height, chunks: digests } : undefined
      }
      case 'chunk': {
        const { height, chunks } = this.#checkpointing.stable
        const bytes = chunks[want.index]
        return want.height !== height || bytes === undefined
          ? undefined
          : { kind: 'chunk', height, index: want.index, bytes }
      }
    }
  }

  /** Final blocks above a height of one epoch up to one with a commit certificate; or checkpoints if they were cut. */
  #blocks(epoch: Epoch, after: Height, voting: Voting): Message | undefined {
    if (after > this.#chain.height || (after === this.#chain.height && epoch === this.#context.group.epoch)) {
      return undefined
    }
    const entries = this.#chain.finalAbove(after).filter(({ block }) => block.header.epoch === epoch)
    const closed = this.#checkpointing.handovers.from(epoch, CHECKPOINTS_PER_MESSAGE_MAX)
    const first = entries[0]?.block.header.height
    if (first !== after + 1) {
      const { certificate } = this.#checkpointing.stable
      // Read back from a log, the checkpoint that closed the last epoch is there twice; shown twice it would be none.
      const isNew = certificate !== undefined && closed.every(({ vote }) => vote.height < certificate.vote.height)
      const checkpoints = isNew && closed.length < CHECKPOINTS_PER_MESSAGE_MAX ? [...closed, certificate] : closed
      if (checkpoints.length === 0) return undefined
      return { kind: 'blocks', blocks: [], commit: undefined, checkpoints }
    }
    const count = this.#provable(entries)
    const blocks = entries.slice(0, count).map((entry) => entry.block)
    const last = entries[Math.max(count, 1) - 1]?.block.header
    // Without a certificate within reach the one further up leads down to these blocks one by one.
    const commit = last === undefined ? undefined : (this.#chain.commitAt(last.height) ?? voting.committed)
    const checkpoints = [...this.#checkpointAt(last?.height, closed)]
    return { kind: 'blocks', blocks, commit, checkpoints }
  }

  /** How many of these fit an answer and end with a block that has a certificate of its own. */
  #provable(entries: ReturnType<Chain['finalAbove']>): number {
    let bytes = 0
    let count = 0
    for (const [i, entry] of entries.entries()) {
      bytes += entry.bytes
      if (i > 0 && (bytes > BLOCKS_BYTES_MAX || i >= BLOCKS_PER_MESSAGE_MAX)) break
      const { height, boundary } = entry.block.header
      if (this.#chain.commitAt(height) !== undefined) count = i + 1
      if (boundary) break
    }
    return count
  }

  *#checkpointAt(
    height: Height | undefined,
    closed: readonly CheckpointCertificate[],
  ): Iterable<CheckpointCertificate> {
    const { certificate } = this.#checkpointing.stable
    const found = [...closed, certificate].find((checkpoint) => checkpoint?.vote.height === height)
    if (found !== undefined) yield found
  }
}
