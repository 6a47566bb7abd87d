import { after, type Millis, NEVER, type NodeId } from '../kernel/index.ts'
import type { Context } from './context.ts'
import { CHUNKS_MAX } from './params.ts'
import type { CheckpointCertificate, Digest, Height, Message } from './types.ts'

/** Pieces asked for at once: enough to fill a link, few enough to change peers without much loss. */
const CHUNKS_IN_FLIGHT = 8

interface Target {
  readonly certificate: CheckpointCertificate
  digests: readonly Digest[] | undefined
  readonly chunks: Map<number, Uint8Array>
  /** Asked of the present source, and not yet come. */
  readonly asked: Set<number>
  source: number
  askedAt: Millis
}

/**
 * Fetching a certified state piece by piece (B-23). The list of pieces must hash to the root that a quorum signed, each piece
 * to its place in the list; a peer that sends anything else is charged and the next one is asked.
 */
export class Transfer {
  readonly #context: Context
  readonly #done: (
    certificate: CheckpointCertificate,
    chunks: readonly Uint8Array[],
    digests: readonly Digest[],
  ) => void
  #target: Target | undefined

  constructor(
    context: Context,
    done: (certificate: CheckpointCertificate, chunks: readonly Uint8Array[], digests: readonly Digest[]) => void,
  ) {
    this.#context = context
    this.#done = done
  }

  get height(): Height | undefined {
    return this.#target?.certificate.vote.height
  }

  /** Aims for a certified state; a higher one replaces a lower. `first` is who told of it. */
  start(certificate: CheckpointCertificate, first: NodeId): void {
    if (this.#target !== undefined && this.#target.certificate.vote.height >= certificate.vote.height) return
    const source = Math.max(0, this.#sources(certificate).indexOf(first))
    const { now } = this.#context
    this.#target = { certificate, digests: undefined, chunks: new Map(), asked: new Set(), source, askedAt: now }
    this.#context.observe({ kind: 'consensus.state-transfer', height: certificate.vote.height, phase: 'started' })
    this.#ask()
  }

  /** We got there by ourselves. */
  stop(height: Height): void {
    if (this.#target !== undefined && this.#target.certificate.vote.height <= height) this.#target = undefined
  }

  receive(from: NodeId, message: Extract<Message, { kind: 'manifest' | 'chunk' }>): void {
    const target = this.#target
    if (target === undefined || message.height !== target.certificate.vote.height) return
    if (message.kind === 'manifest') this.#takeManifest(target, from, message.chunks)
    else this.#takeChunk(target, from, message.index, message.bytes)
  }

  #takeManifest(target: Target, from: NodeId, digests: readonly Digest[]): void {
    if (target.digests !== undefined) return
    const { rules, hashing } = this.#context
    const fits = digests.length > 0 && digests.length <= CHUNKS_MAX
    if (!fits || !rules.believesChunk(target.certificate.vote.root, hashing.root(digests))) {
      this.#context.refuse(from, 50, 'a list of pieces that is not what a quorum signed')
      this.#next(target)
      return
    }
    target.digests = digests
    this.#ask()
  }

  #takeChunk(target: Target, from: NodeId, index: number, bytes: Uint8Array): void {
    const expected = target.digests?.[index]
    if (expected === undefined || target.chunks.has(index)) return
    if (!this.#context.rules.believesChunk(expected, this.#context.hashing.bytes(bytes))) {
      this.#context.refuse(from, 50, 'a piece of state that is not what a quorum signed')
      this.#next(target)
      return
    }
    target.chunks.set(index, bytes)
    target.asked.delete(index)
    target.askedAt = this.#context.now
    if (target.chunks.size < (target.digests?.length ?? 0)) {
      this.#ask()
      return
    }
    this.#finish(target)
  }

  #finish(target: Target): void {
    const digests = target.digests ?? []
    const chunks = digests.flatMap((_, i) => target.chunks.get(i) ?? [])
    this.#target = undefined
    this.#context.observe({ kind: 'consensus.state-transfer', height: target.certificate.vote.height, phase: 'done' })
    this.#done(target.certificate, chunks, digests)
  }

  /** Whoever signed the checkpoint has it; so should all members that it names. */
  #sources(certificate: CheckpointCertificate): readonly NodeId[] {
    const nodes = new Set([...this.#context.group.members, ...certificate.vote.members])
    nodes.delete(this.#context.self)
    return [...nodes].sort()
  }

  #next(target: Target): void {
    target.source += 1
    target.asked.clear()
    this.#ask()
  }

  #ask(): void {
    const target = this.#target
    if (target === undefined) return
    target.askedAt = this.#context.now
    const { height } = target.certificate.vote
    const sources = this.#sources(target.certificate)
    const source = sources[target.source % Math.max(1, sources.length)]
    if (source === undefined) return
    if (target.digests === undefined) {
      this.#context.send(source, { kind: 'fetch', want: { kind: 'manifest', height } })
      return
    }
    for (let index = 0; index < target.digests.length && target.asked.size < CHUNKS_IN_FLIGHT; index++) {
      if (target.chunks.has(index) || target.asked.has(index)) continue
      target.asked.add(index)
      this.#context.send(source, { kind: 'fetch', want: { kind: 'chunk', height, index } })
    }
  }

  deadline(): Millis {
    return this.#target === undefined ? NEVER : after(this.#target.askedAt, this.#context.params.fetchTimeoutMs)
  }

  tick(): void {
    if (this.#target !== undefined && this.#context.now >= this.deadline()) this.#next(this.#target)
  }
}
