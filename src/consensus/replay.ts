import { SwarmError } from '../kernel/index.ts'
import type { Chain } from './chain.ts'
import type { Checkpointing } from './checkpointing.ts'
import type { Context } from './context.ts'
import type { Execution } from './execution.ts'
import { closes, ledTo } from './handovers.ts'
import type { LogRecord } from './records.ts'
import type { Trust } from './recovery.ts'
import type {
  CastVote,
  Certificate,
  CheckpointCertificate,
  Digest,
  Epoch,
  GroupId,
  SkipCertificate,
  TipCertificate,
} from './types.ts'

interface Desks {
  readonly context: Context
  readonly chain: Chain
  readonly execution: Execution
  readonly checkpointing: Checkpointing
}

/** What the log says about the epoch it ends in. */
export interface Resumed {
  readonly anchor: Digest
  readonly tip: TipCertificate | undefined
  readonly skip: SkipCertificate | undefined
  readonly casts: readonly CastVote[]
  readonly trust: Trust
}

/**
 * Brings the desks to where the log ends. Silent: nothing of it is news to anyone.
 *
 * @throws SwarmError UNSUPPORTED_VERSION (B-33)
 */
export function replay(records: readonly LogRecord[], desks: Desks): Resumed {
  const reader = new Reader(desks)
  for (const record of records) reader.take(record)
  return reader.end()
}

class Reader {
  readonly #desks: Desks
  readonly #casts: CastVote[] = []
  #anchor: Digest
  #tip: TipCertificate | undefined
  #skip: SkipCertificate | undefined
  #trust: Trust = 'trusted'
  #clearedIn: Epoch | undefined
  /** The log is not what was written, whatever it says of itself. */
  #isDamaged = false
  readonly #handovers: CheckpointCertificate[] = []
  #snapshot:
    | { readonly checkpoint: CheckpointCertificate; readonly count: number; readonly chunks: Uint8Array[] }
    | undefined

  constructor(desks: Desks) {
    this.#desks = desks
    this.#anchor = desks.chain.head.digest
  }

  take(record: LogRecord): void {
    const { chain, context } = this.#desks
    switch (record.kind) {
      case 'handover':
        this.#handovers.push(record.checkpoint)
        return
      case 'snapshot':
        this.#snapshot = { checkpoint: record.checkpoint, count: record.chunks, chunks: [] }
        return
      case 'chunk':
        this.#takeChunk(record.bytes)
        return
      case 'block':
        context.logged.add(chain.add(record.block).digest)
        return
      case 'proposal':
        context.logged.add(chain.add(record.proposal.block).digest)
        return
      case 'certificate':
        this.#takeCertificate(record.certificate)
        return
      case 'vote':
        this.#casts.push(record.cast)
        return
      case 'suspect':
        this.#trust = 'suspect'
        return
      case 'cleared':
        this.#trust = record.entirely ? 'trusted' : 'watchful'
        this.#clearedIn = record.epoch
        return
    }
  }

  #takeChunk(bytes: Uint8Array): void {
    const snapshot = this.#snapshot
    if (snapshot === undefined) return
    snapshot.chunks.push(bytes)
    if (snapshot.chunks.length < snapshot.count) return
    this.#snapshot = undefined
    const { execution, chain, checkpointing, context } = this.#desks
    const { checkpoint, chunks } = snapshot
    const digests = chunks.map((chunk) => context.hashing.chunk(chunk))
    const at = execution.restore(chunks)
    if (at === undefined) {
      if (context.hashing.root(digests) === checkpoint.vote.root) throw ofAnotherVersion(context.group.id)
      this.#trust = 'suspect'
      return
    }
    for (const handover of this.#handovers) this.#passOn(handover)
    const { digest, height, epoch } = checkpoint.vote
    // The state is of the epoch that the last handover led to, or the one that it closed.
    if (epoch !== context.group.epoch && epoch + 1 !== context.group.epoch) this.#isDamaged = true
    chain.restart({ digest, header: { height, at, boundary: true }, segmentBlocks: 0, segmentBytes: 0 })
    checkpointing.resume(checkpoint, { vote: checkpoint.vote, chunks, digests })
  }

  /** Epochs passed count with the state they led to only: without it the member would be in an epoch that its state is not. */
  #passOn(handover: CheckpointCertificate): void {
    const { checkpointing, context } = this.#desks
    const { digest, epoch, members } = handover.vote
    if (ledTo(handover, context.group, context.rules) === undefined) this.#isDamaged = true
    checkpointing.handovers.add(handover)
    this.#anchor = digest
    // B-7: never counted, for not every epoch's is kept.
    context.group = context.group.at(epoch).successor(members)
  }

  #takeCertificate(certificate: Certificate): void {
    if (certificate.kind === 'checkpoint' || certificate.epoch !== this.#desks.context.group.epoch) return
    if (certificate.kind === 'skip') {
      this.#skip = certificate
      return
    }
    if (this.#tip === undefined || certificate.view > this.#tip.view) this.#tip = certificate
    if (certificate.kind !== 'commit') return
    const { chain, execution, checkpointing, context } = this.#desks
    const path = chain.path(certificate.digest)
    if (path.kind !== 'known') return
    for (const entry of path.entries) {
      execution.apply(entry.block)
      chain.finalise(entry)
      const { header } = entry.block
      if (header.boundary)
        checkpointing.resumePending(execution.save(context.group, { digest: entry.digest, ...header }))
    }
    chain.setCommit(chain.height, certificate)
  }

  end(): Resumed {
    const { context, checkpointing } = this.#desks
    const { epoch } = context.group
    // A snapshot that is not there with all its pieces: the log is not what was written.
    const lacks = this.#handovers.length > 0 && checkpointing.stable.certificate === undefined
    if (this.#isDamaged || this.#snapshot !== undefined || lacks) this.#trust = 'suspect'
    if (this.#trust === 'watchful' && this.#clearedIn !== epoch) this.#trust = 'suspect'
    const closing = checkpointing.stable.certificate
    if (closing !== undefined && closes(closing, context.group)) this.#trust = 'suspect'
    return {
      anchor: this.#anchor,
      tip: this.#tip?.epoch === epoch ? this.#tip : undefined,
      skip: this.#skip?.epoch === epoch ? this.#skip : undefined,
      casts: this.#casts.filter((cast) => cast.vote.epoch === epoch),
      trust: this.#trust,
    }
  }
}

/** B-33: what a quorum has signed is not damaged. */
function ofAnotherVersion(group: GroupId): SwarmError {
  const message =
    `the store holds a state of the group '${group}' that this version of swarm-node cannot read. ` +
    'Start the version that wrote it again: what was decided is in it, and a node without it could not vote.'
  return new SwarmError('UNSUPPORTED_VERSION', message, { data: { group } })
}
