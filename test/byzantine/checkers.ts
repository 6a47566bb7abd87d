import { fakeHash, GENESIS, GROUP, type Host, verifies, type Watcher, type World } from '../../src/byzantine/index.ts'
import type {
  CastVote,
  Certificate,
  Decision,
  Digest,
  Evidence,
  Header,
  LogRecord,
  Message,
  SignedRequest,
  Vote,
} from '../../src/consensus/index.ts'
import { headerShape, requestShape } from '../../src/consensus/messages.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { encodeForCopy, record, text } from '../../src/wire/index.ts'
import { isSignedBy, votesIn } from './signatures.ts'
import { covers, type Place, placeOf, Signed, type Skipped, voteKey } from './signed.ts'

/** A broken clause, and how it showed. */
export interface Violation {
  readonly clause: string
  readonly what: string
}

// The checkers share the wire shapes with the core, so that they see the same bytes, and nothing else: thresholds,
// conflicts and descent are worked out here anew.
const requestBytes = record({ group: text(64), request: requestShape })

/** As the world sets it. */
const SEGMENT_HEIGHTS = 5

const thirds = (n: number): number => Math.floor((n - 1) / 3)
const needed = (n: number): number => Math.floor((n + thirds(n)) / 2) + 1

/** Watches everything ever sent and decided, and says which clauses were broken. */
export class Checker implements Watcher {
  readonly violations: Violation[] = []
  readonly #world: World
  /** Valid signed votes, whoever sent them, by signer. */
  readonly #signed = new Map<NodeId, Signed>()
  /** What each honest host signed, by its index. */
  readonly #own: Signed[]
  /** Votes written down, by the host's index. */
  readonly #persisted: Signed[]
  readonly #finals = new Map<number, Map<number, Decision>>()
  /** What was finalised first at each height, and by whom: all others are held against it. */
  readonly #first = new Map<number, { readonly digest: Digest; readonly host: number }>()
  readonly #prints = new Map<number, { readonly print: string; readonly host: NodeId }>()
  readonly #applied = new Map<number, Map<string, number>>()
  readonly #members = new Map<number, readonly NodeId[]>()
  /** Epochs of which honest hosts hold different memberships: more than f are faulty, and seats name nobody any more. */
  readonly #disputed = new Set<number>()
  readonly #blocks = new Map<Digest, Proposed>()
  readonly #seen = new Set<object>()
  readonly #believed = new Set<object>()
  readonly #digests = new Map<Header, Digest>()
  /** Requests whose signature was looked at, with their names. */
  readonly #requests = new Map<SignedRequest, string>()
  readonly #decided = new Set<Place>()
  /** Views with a decision of their own, when an honest host first knew (B-11). */
  readonly decisions: { readonly at: number; readonly epoch: number; readonly view: number }[] = []
  readonly #tooMany: boolean
  height = 0

  /** `tooMany`: more than f are faulty, so only B-8 and B-10 are promised. */
  constructor(world: World, tooMany = false) {
    this.#world = world
    this.#tooMany = tooMany
    this.#own = world.hosts.map(() => new Signed())
    this.#persisted = world.hosts.map(() => new Signed())
    this.#members.set(1, [...world.members].sort())
    world.watcher = this
  }

  #break(clause: string, what: string): void {
    if (this.violations.length < 20) this.violations.push({ clause, what })
  }

  onPersist(host: Host, item: LogRecord): void {
    if (item.kind === 'vote') this.#persisted[host.index]?.note(item.cast.vote)
  }

  onSend(host: Host, message: Message): void {
    switch (message.kind) {
      case 'votes':
        for (const cast of message.votes) this.#onCast(host, host.node, cast, true)
        return
      case 'proposal': {
        const { header } = message.block
        if (!this.#seen.has(message)) {
          this.#seen.add(message)
          const digest = this.#digestOf(header)
          this.#blocks.set(digest, { parent: header.parent, height: header.height, below: undefined })
          const vote: Vote = { kind: 'prepare', epoch: message.epoch, view: message.view, digest }
          this.#onCast(host, host.node, { vote, signature: message.signature }, true)
        }
        if (host.honest)
          for (const c of [message.tip, message.skip, message.checkpoint])
            if (c !== undefined) this.#onCertificate(host, c)
        return
      }
      case 'certificates':
      case 'standing':
        for (const certificate of message.certificates) this.#onCertificate(host, certificate)
        return
      case 'blocks':
        if (message.commit !== undefined) this.#onCertificate(host, message.commit)
        for (const checkpoint of message.checkpoints) this.#onCertificate(host, checkpoint)
        return
      default:
        return
    }
  }

  /** Objects are never changed after they were made, so each is looked at once. */
  #digestOf(header: Header): Digest {
    let digest = this.#digests.get(header)
    if (digest === undefined) {
      digest = fakeHash(encodeForCopy(headerShape, header))
      this.#digests.set(header, digest)
    }
    return digest
  }

  #onCast(host: Host, signer: NodeId, cast: CastVote, direct: boolean): void {
    if (this.#seen.has(cast)) return
    this.#seen.add(cast)
    const { vote, signature } = cast
    if (!isSignedBy(signer, vote, signature)) {
      if (host.honest && direct) this.#break('B-3', `${host.node} sent a vote with a bad signature`)
      return
    }
    this.#of(signer).note(vote)
    if (!host.honest || !direct) return
    this.#own[host.index]?.note(vote)
    // B-19 in the small: what an honest member says was written down before.
    if (this.#persisted[host.index]?.has(vote) !== true)
      this.#break('B-4', `${host.node} sent an unlogged ${vote.kind}`)
  }

  #of(signer: NodeId): Signed {
    let entry = this.#signed.get(signer)
    if (entry === undefined) {
      entry = new Signed()
      this.#signed.set(signer, entry)
    }
    return entry
  }

  /** B-3: what an honest member passes on as a certificate is one. */
  #onCertificate(host: Host, certificate: Certificate): void {
    if (this.#believed.has(certificate)) return
    this.#believed.add(certificate)
    if (certificate.kind === 'skip' && certificate.tip !== undefined) this.#onCertificate(host, certificate.tip)
    const epoch = certificate.kind === 'checkpoint' ? certificate.vote.epoch : certificate.epoch
    const members = this.#members.get(epoch)
    if (members === undefined || this.#disputed.has(epoch)) return
    const seats = new Set<number>()
    for (const { seat, vote, signature } of votesIn(certificate)) {
      const signer = members[seat]
      if (signer === undefined || !isSignedBy(signer, vote, signature)) continue
      seats.add(seat)
      this.#of(signer).note(vote)
    }
    if (host.honest && seats.size < needed(members.length)) {
      this.#break('B-3', `${host.node} passed on a ${certificate.kind} certificate with ${seats.size} good signatures`)
    }
  }

  onEpoch(host: Host, epoch: number, members: readonly NodeId[]): void {
    const known = this.#members.get(epoch)
    if (known === undefined) this.#members.set(epoch, members)
    else if (known.join() !== members.join()) {
      this.#disputed.add(epoch)
      if (!this.#tooMany) this.#break('B-7', `two memberships of epoch ${epoch}, at ${host.node}`)
    }
    const before = this.#members.get(epoch - 1)
    if (before === undefined) return
    const come = members.filter((node) => !before.includes(node)).length
    const differ = come + before.filter((node) => !members.includes(node)).length
    // Who is alone may take in two, and nothing else beside.
    const differMax = before.length === 1 && come === 2 ? 2 : Math.max(1, thirds(before.length))
    if (differ > differMax && !this.#tooMany) this.#break('B-7', `epoch ${epoch} differs by ${differ} members`)
  }

  onDecision(host: Host, decision: Decision): void {
    const { header, requests } = decision.block
    const { height } = header
    this.height = Math.max(this.height, height)
    const digest = this.#digestOf(header)
    let finals = this.#finals.get(host.index)
    if (finals === undefined) {
      finals = new Map()
      this.#finals.set(host.index, finals)
    }
    const again = finals.get(height)
    if (again !== undefined && again.digest !== digest)
      this.#break('B-1', `${host.node} finalised height ${height} twice`)
    finals.set(height, decision)
    const below = finals.get(height - 1)
    if (below !== undefined && below.digest !== header.parent && !this.#tooMany)
      this.#break('B-1', `${host.node} finalised a block off its parent`)
    if (height === 1 && header.parent !== GENESIS) this.#break('B-1', `${host.node} started elsewhere`)
    // B-18: a segment has five blocks here.
    let open = 0
    for (let at = height; finals.get(at)?.block.header.boundary === false; at--) open += 1
    if (open >= SEGMENT_HEIGHTS && !this.#tooMany)
      this.#break('B-18', `${host.node} finalised ${open} blocks without a boundary`)
    const first = this.#first.get(height)
    if (first === undefined) this.#first.set(height, { digest, host: host.index })
    else if (first.digest !== digest) {
      this.disagreement = true
      if (!this.#tooMany) this.#break('B-1', `hosts ${host.index} and ${first.host} differ at height ${height}`)
    }
    this.#fingerprint(host, height)
    const { epoch, view } = decision.certificate
    const place = placeOf(epoch, view)
    if (decision.certificate.digest === digest && !this.#decided.has(place)) {
      this.#decided.add(place)
      this.decisions.push({ at: this.#world.now, epoch, view })
    }
    requests.forEach((signed, i) => {
      this.#onApplied(host, signed, decision, i)
    })
  }

  /** Whether two honest members finalised different blocks. */
  disagreement = false

  /** B-6: states at one height are one, however a member got there. */
  #fingerprint(host: Host, height: number): void {
    // Several blocks may become final in one step; the state is then that of the last.
    if (this.#tooMany || host.core.height !== height) return
    const print = host.machine.fingerprint
    const known = this.#prints.get(height)
    if (known === undefined) this.#prints.set(height, { print, host: host.node })
    else if (known.print !== print)
      this.#break('B-6', `${host.node} and ${known.host} hold different states at ${height}`)
  }

  onTransferred(host: Host, height: number): void {
    this.#fingerprint(host, height)
  }

  /** B-2: authorised, valid, once. */
  #onApplied(host: Host, signed: SignedRequest, decision: Decision, index: number): void {
    const { request } = signed
    const name = this.#nameOf(signed)
    const applied = decision.results[index]?.outcomes.some((outcome) => outcome.kind === 'applied') === true
    if (applied && request.client.startsWith('z')) this.#break('B-2', `an operation of ${request.client} was applied`)
    let counts = this.#applied.get(host.index)
    if (counts === undefined) {
      counts = new Map()
      this.#applied.set(host.index, counts)
    }
    const before = counts.get(name)
    if (before !== undefined && before !== decision.block.header.height && applied && !this.#tooMany) {
      this.#break('B-2', `a request of ${request.client} was applied at ${before} and ${decision.block.header.height}`)
    }
    for (let i = 0; i < index; i++) {
      const other = decision.block.requests[i]?.request
      if (other?.nonce === request.nonce && other.client === request.client && other.session === request.session) {
        this.#break('B-2', 'a request stands twice in a block')
      }
    }
    counts.set(name, decision.block.header.height)
  }

  /** The name of a request, once its signature was found good. */
  #nameOf(signed: SignedRequest): string {
    const known = this.#requests.get(signed)
    if (known !== undefined) return known
    const { request, signature } = signed
    const { client, session, nonce } = request
    const bytes = encodeForCopy(requestBytes, { group: GROUP, request })
    if (!verifies({ domain: 'consensus-request', statement: { signer: client, bytes, signature } })) {
      this.#break('B-2', `a forged request of ${client} was finalised`)
    }
    const name = `${client} ${session} ${nonce}`
    this.#requests.set(signed, name)
    return name
  }

  /** B-8: checked by hand, and never against an honest member. */
  onConvicted(_host: Host, evidence: Evidence): void {
    if (this.#world.honest.some((host) => host.node === evidence.signer)) {
      this.#break(
        'B-8',
        `${evidence.signer} is honest and was convicted: ${voteKey(evidence.first.vote)}, ${voteKey(evidence.second.vote)}`,
      )
    }
  }

  /** B-30, B-22: what honest members send costs them nothing. */
  onPenalised(host: Host, peer: NodeId, reason: string): void {
    if (!this.#tooMany && this.#world.honest.some((other) => other.node === peer))
      this.#break('B-30', `${host.node} charged ${peer}, which is honest: ${reason}`)
  }

  /** What can only be judged at the end: B-4, B-5, B-7, B-9, B-10. */
  end(): readonly Violation[] {
    this.#checkOwnVotes()
    this.#checkEpochs()
    this.#checkLoads()
    if (this.#tooMany) this.#checkAccountability()
    else this.#checkCertificates()
    return this.violations
  }

  #checkOwnVotes(): void {
    for (const [index, signed] of this.#own.entries()) {
      for (const contradiction of signed.contradictions()) {
        this.#break('B-4', `${this.#world.hosts[index]?.node} signed ${contradiction}`)
      }
    }
  }

  /** B-5, over all messages ever sent. */
  #checkCertificates(): void {
    const committed = this.#certified('commits')
    const prepared = this.#certified('prepares')
    const skipped = this.#skipped()
    for (const block of this.#blocks.values()) block.below = this.#blocks.get(block.parent)
    const blocks = prepared.map(({ digest }) => this.#blocks.get(digest))
    for (const { epoch, view, digest } of committed) {
      for (const skips of skipped) {
        if (skips.filter((skip) => covers(skip, epoch, view)).length >= this.#quorum(epoch))
          this.#break('B-5', `epoch ${epoch}: committed in view ${view}, skipped up to ${skips[0]?.view}`)
      }
      const block = this.#blocks.get(digest)
      if (block === undefined) continue
      for (const [i, later] of prepared.entries()) {
        if (later.epoch !== epoch || later.view <= view || later.digest === digest) continue
        if (standsOn(blocks[i], block) !== false) continue
        this.#break('B-5', `epoch ${epoch}: certified in view ${later.view} beside what was committed in view ${view}`)
      }
    }
  }

  #quorum(epoch: number): number {
    return needed(this.#members.get(epoch)?.length ?? 1)
  }

  #isMember(signer: NodeId, epoch: number): boolean {
    return this.#members.get(epoch)?.includes(signer) === true
  }

  /** What a quorum has signed votes for. */
  #certified(kind: 'prepares' | 'commits'): readonly Certified[] {
    const certified: Certified[] = []
    const found = new Map<Place, Certified[]>()
    for (const [signer, signed] of this.#signed) {
      for (const [place, { epoch, view, digests }] of signed[kind]) {
        if (!this.#isMember(signer, epoch)) continue
        let here = found.get(place)
        if (here === undefined) {
          here = []
          found.set(place, here)
        }
        for (const digest of digests) {
          let one = here.find((other) => other.digest === digest)
          if (one === undefined) {
            one = { epoch, view, digest, signers: 0 }
            here.push(one)
          }
          one.signers += 1
          if (one.signers === this.#quorum(epoch)) certified.push(one)
        }
      }
    }
    return certified
  }

  /** The views that a quorum has skipped: what each of the members signed. */
  #skipped(): readonly (readonly Skipped[])[] {
    const skipped = new Map<Place, Skipped[]>()
    for (const [signer, signed] of this.#signed) {
      for (const [place, skip] of signed.skips) {
        if (!this.#isMember(signer, skip.epoch)) continue
        const others = skipped.get(place)
        if (others === undefined) skipped.set(place, [skip])
        else others.push(skip)
      }
    }
    return [...skipped.values()].filter((skips) => skips.length >= this.#quorum(skips[0]?.epoch ?? 0))
  }

  /** B-7: nothing above the block that closed an epoch belongs to it. */
  #checkEpochs(): void {
    const epochAt = new Map<number, number>()
    for (const [index, finals] of this.#finals) {
      let before = 0
      for (const height of [...finals.keys()].sort((a, b) => a - b)) {
        const epoch = finals.get(height)?.block.header.epoch ?? 0
        if (epoch < before) this.#break('B-7', `host ${index} finalised in a closed epoch`)
        before = epoch
        const known = epochAt.get(height)
        if (known !== undefined && known !== epoch && !this.#tooMany)
          this.#break('B-7', `height ${height} belongs to epochs ${known} and ${epoch}`)
        epochAt.set(height, epoch)
      }
    }
  }

  /** B-9, for what was sent in this run. */
  #checkLoads(): void {
    for (const host of this.#world.honest) {
      const load = host.core.load()
      if (load.views > 140) this.#break('B-9', `${host.node} keeps votes of ${load.views} views`)
      if (load.requests > 8192 || load.inspections > 16_384) this.#break('B-9', `${host.node} holds too much`)
    }
  }

  /** B-10: a disagreement convicts more than f, by votes that somebody sent. */
  #checkAccountability(): void {
    if (!this.disagreement) return
    const guilty = [...this.#signed]
      .filter(([, signed]) => signed.contradictions().length > 0)
      .map(([signer]) => signer)
    const f = thirds(this.#world.members.length)
    if (guilty.length < f + 1)
      this.#break('B-10', `a disagreement, and only ${guilty.length} convicted: ${guilty.join(' ')}`)
    const honest = new Set(this.#world.honest.map((host) => host.node))
    for (const signer of guilty)
      if (honest.has(signer)) this.#break('B-8', `${signer} is honest and signed a contradiction`)
  }
}

/** A block that somebody proposed, and the one it names as its parent, if that was proposed too. */
interface Proposed {
  readonly parent: Digest
  readonly height: number
  below: Proposed | undefined
}

/** Whether a block is or descends from another; undefined if the way is not known. */
function standsOn(from: Proposed | undefined, to: Proposed): boolean | undefined {
  let at = from
  while (at !== undefined && at.height > to.height) at = at.below
  return at === undefined ? undefined : at === to
}

interface Certified {
  readonly epoch: number
  readonly view: number
  readonly digest: Digest
  signers: number
}
