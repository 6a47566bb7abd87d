import { after, earliest, type Millis, NEVER, type NodeId, type Tick } from '../kernel/index.ts'
import { decode, encode, type Statement } from '../wire/index.ts'
import { judgeDigestWith } from './judge.ts'
import { type DirectoryMessage, digestBody } from './messages.ts'
import { checkDirectoryParams, crowdStretch, LOAD_LASTS_SHARE, loadIntervalAmong } from './params.ts'
import { changeOf } from './significance.ts'
import { DigestSync } from './sync.ts'
import { DigestTable, entryOf } from './table.ts'
import type {
  DirectoryCore,
  DirectoryEffect,
  DirectoryEntry,
  DirectoryInput,
  DirectoryOptions,
  JudgeDigest,
  MemberProfile,
  OwnReport,
} from './types.ts'

/** Against a peer over whose link a forged digest came. By gossip the one who passes it on is not to blame. */
const FORGED_POINTS = 20

/** What everyone can do and how busy they are. Clauses D-1 to D-5 and D-10 in ./README.md. */
export class Directory implements DirectoryCore {
  readonly #options: DirectoryOptions
  readonly #self: NodeId
  readonly #judge: JudgeDigest
  readonly #table: DigestTable
  readonly #sync: DigestSync
  readonly #links = new Set<NodeId>()
  /** Links that came up since and were not compared over yet; never more than there are links. */
  readonly #notCompared = new Set<NodeId>()
  #effects: DirectoryEffect[] = []
  #report: OwnReport | undefined
  #published: OwnReport | undefined
  #publishedAt = Number.NEGATIVE_INFINITY as Millis
  /** Since when the load has not been what was told of it. */
  #loadMovedAt: Millis | undefined
  #version = 0
  /** When the last member came, at first this node itself; and when the first digest goes out in any case (D-12). */
  #grewAt: Millis = NEVER
  #firstToldBy: Millis = NEVER
  /** The most members there ever were: after a crowd has gone, what is left of it is not forgotten at once. */
  #membersPeak = 1
  #publishAt: Millis = NEVER
  #heartbeatAt: Millis = NEVER
  #syncAt: Millis = NEVER

  constructor(options: DirectoryOptions) {
    checkDirectoryParams(options.params)
    this.#options = options
    this.#self = options.self.node
    this.#judge = options.judge ?? judgeDigestWith(options.verifier)
    this.#table = new DigestTable(options.params.entriesMax)
    this.#sync = new DigestSync(this.#table, options.random, options.params.syncBytesMax)
    this.#table.admit(options.self)
  }

  get size(): number {
    return this.#table.size
  }

  entry(node: NodeId): DirectoryEntry | undefined {
    const held = this.#table.get(node)
    return held === undefined ? undefined : entryOf(held)
  }

  entries(): IterableIterator<DirectoryEntry> {
    return this.#table.entries()
  }

  deadline(): Millis {
    const oldest = this.#table.oldest()
    const expiresAt = oldest === undefined ? NEVER : after(oldest.heardAt, this.#expiryMs)
    return earliest(earliest(this.#publishAt, this.#syncAt), expiresAt)
  }

  step(now: Millis, input: DirectoryInput | Tick): readonly DirectoryEffect[] {
    this.#handle(now, input)
    if (now >= this.#publishAt) this.#publish(now)
    if (now >= this.#syncAt) this.#compare(now)
    this.#expire(now)
    const effects = this.#effects
    this.#effects = []
    return effects
  }

  #handle(now: Millis, input: DirectoryInput | Tick): void {
    switch (input.kind) {
      case 'tick':
        break
      case 'report':
        this.#take(now, input.report)
        break
      case 'message':
        this.#hear(now, input.from, input.message)
        break
      case 'member-up':
        this.#memberUp(now, input.member)
        break
      case 'member-down':
        this.#memberDown(input.node)
        break
      case 'link-up':
        this.#links.add(input.peer)
        this.#notCompared.add(input.peer)
        // Soon, so that a newcomer hears of all; not at once, because its peers first have to know it for a member.
        this.#syncAt = earliest(this.#syncAt, after(now, this.#options.random.between(0.03, 0.06) * this.#syncMs))
        break
      case 'link-down':
        this.#links.delete(input.peer)
        this.#notCompared.delete(input.peer)
    }
  }

  get #syncMs(): number {
    return this.#options.params.syncIntervalMs
  }

  get #heartbeatMs(): number {
    return this.#options.params.heartbeatMs * crowdStretch(this.#table.memberCount)
  }

  get #expiryMs(): number {
    return this.#options.params.expiryMs * crowdStretch(this.#membersPeak)
  }

  #memberUp(now: Millis, member: MemberProfile): void {
    this.#grewAt = now
    if (this.#hasNothingToTell) this.#publishAt = this.#calmAt
    if (this.#table.admit(member)) this.#membersPeak = Math.max(this.#membersPeak, this.#table.memberCount)
    else this.#emit({ kind: 'observe', observation: { kind: 'directory-full', node: member.node } })
  }

  #memberDown(node: NodeId): void {
    if (node === this.#self) return
    const had = this.#table.dismiss(node)
    if (had) this.#emit({ kind: 'event', event: { kind: 'digest-gone', node, reason: 'member-down' } })
    // Fewer members, a faster heartbeat: one that was set for the crowd may be overdue.
    if (this.#published !== undefined) {
      this.#heartbeatAt = earliest(this.#heartbeatAt, after(this.#publishedAt, this.#heartbeatMs))
      this.#publishAt = earliest(this.#publishAt, this.#heartbeatAt)
    }
  }

  /** D-12: in a swarm that grows, only who can be asked for something is of use to anyone. */
  get #hasNothingToTell(): boolean {
    return this.#published === undefined && this.#report?.skills.length === 0
  }

  get #calmAt(): Millis {
    return earliest(after(this.#grewAt, this.#options.params.growthCalmMs), this.#firstToldBy)
  }

  /** D-4: at once if it matters and the last one is long enough ago; a burst of changes makes one digest. */
  #take(now: Millis, report: OwnReport): void {
    const { intervalMinMs, significantShare } = this.#options.params
    if (this.#report === undefined) {
      this.#grewAt = now
      this.#firstToldBy = after(now, this.#heartbeatMs)
    }
    this.#report = report
    if (this.#hasNothingToTell) {
      this.#publishAt = this.#calmAt
      return
    }
    const change = this.#published === undefined ? 'means' : changeOf(this.#published, report, significantShare)
    this.#publishAt = this.#heartbeatAt
    // What was taken and given back meanwhile is no news.
    if (change !== 'load') this.#loadMovedAt = undefined
    if (change === 'none') return
    const soonest = change === 'means' ? this.#publishedAt + intervalMinMs : this.#loadDue(now)
    this.#publishAt = earliest(this.#heartbeatAt, Math.max(now, soonest) as Millis)
  }

  /** D-4: told while it lasts, or others would go by a moment that was over before they heard of it. */
  #loadDue(now: Millis): number {
    const { params } = this.#options
    this.#loadMovedAt ??= now
    const lastedAt = this.#loadMovedAt + params.loadIntervalMs * LOAD_LASTS_SHARE
    return Math.max(lastedAt, this.#publishedAt + loadIntervalAmong(this.#table.memberCount, params))
  }

  #publish(now: Millis): void {
    const report = this.#report
    this.#heartbeatAt = after(now, this.#heartbeatMs * this.#options.random.between(0.9, 1))
    this.#publishAt = this.#heartbeatAt
    const own = this.#table.get(this.#self)
    if (report === undefined || own === undefined) return
    const reason = report === this.#published ? 'heartbeat' : 'change'
    this.#published = report
    this.#publishedAt = now
    this.#loadMovedAt = undefined
    this.#version += 1
    const digest = { ...report, run: this.#options.run, version: this.#version }
    const statement = this.#options.signer.sign('digest', encode(digestBody, digest))
    this.#table.put(own, { statement, digest }, now)
    this.#emit({ kind: 'publish', message: { kind: 'directory.digest', body: statement } })
    this.#emit({ kind: 'observe', observation: { kind: 'digest-published', version: this.#version, reason } })
  }

  /** Over every new link once, because what was gossiped before it was up has passed this node by; then now and again. */
  #compare(now: Millis): void {
    const { random } = this.#options
    const [fresh] = this.#notCompared
    const peer = fresh ?? (this.#links.size === 0 ? undefined : random.pick([...this.#links]))
    if (peer === undefined) {
      this.#syncAt = NEVER
      return
    }
    this.#notCompared.delete(peer)
    const waitShare = this.#notCompared.size > 0 ? random.between(0.01, 0.02) : random.between(0.8, 1)
    this.#syncAt = after(now, this.#syncMs * waitShare)
    this.#send(peer, this.#sync.question())
  }

  #expire(now: Millis): void {
    for (let oldest = this.#table.oldest(); oldest !== undefined; oldest = this.#table.oldest()) {
      if (after(oldest.heardAt, this.#expiryMs) > now) return
      this.#table.drop(oldest.node)
      this.#emit({ kind: 'event', event: { kind: 'digest-gone', node: oldest.node, reason: 'expired' } })
    }
  }

  #hear(now: Millis, from: NodeId, message: DirectoryMessage): void {
    const send = (answer: DirectoryMessage) => this.#send(from, answer)
    switch (message.kind) {
      case 'directory.digest':
        this.#hearDigest(now, from, message.body, 'gossip')
        break
      case 'directory.sync-reply':
        for (const statement of message.body) this.#hearDigest(now, from, statement, 'link')
        break
      case 'directory.sync-request': {
        const { body } = message
        if (body.kind === 'hashes') this.#sync.onHashes(body.hashes, send)
        else if (body.kind === 'rows') this.#sync.onRows(body.buckets, body.rows, send)
        else this.#sync.onWant(body.nodes, send)
      }
    }
  }

  /** D-1, D-2: the cheap questions first; only news of a member is verified. */
  #hearDigest(now: Millis, from: NodeId, statement: Statement, via: 'link' | 'gossip'): void {
    const held = this.#table.get(statement.signer)
    if (held === undefined || statement.signer === this.#self) return
    const claimed = decode(digestBody, statement.bytes)
    if (claimed.ok && !this.#table.isNews(statement.signer, claimed.value)) return
    const judged = this.#judge(statement)
    if (!judged.ok) {
      const node = statement.signer
      if (via === 'link') {
        const reason = `digest of ${node}: ${judged.error}`
        this.#emit({ kind: 'penalise', peer: from, points: FORGED_POINTS, reason })
      }
      this.#emit({ kind: 'observe', observation: { kind: 'digest-rejected', from, node, reason: judged.error } })
      return
    }
    this.#table.put(held, judged.value, now)
    this.#emit({ kind: 'event', event: { kind: 'digest-updated', node: statement.signer } })
  }

  #send(to: NodeId, message: DirectoryMessage): void {
    this.#emit({ kind: 'send', to, message })
  }

  #emit(effect: DirectoryEffect): void {
    this.#effects.push(effect)
  }
}
