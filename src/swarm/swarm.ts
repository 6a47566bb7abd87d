import type { ClaimsCore, ClaimsEffect, ClaimsInput, ClaimsMessage, ClaimsRecord, ClaimsView } from '../claims/index.ts'
import type { DirectoryCore, DirectoryInput, DirectoryMessage, DirectoryView, OwnReport } from '../directory/index.ts'
import {
  type Core,
  earliest,
  type Millis,
  NEVER,
  type NodeId,
  type Random,
  TICK,
  type Tick,
  unreachable,
} from '../kernel/index.ts'
import type {
  Member,
  MembershipCore,
  MembershipEffect,
  MembershipEvent,
  MembershipInput,
  MembershipMessage,
  MembershipView,
} from '../membership/index.ts'
import {
  ISSUER_LABEL,
  type RenewalCore,
  type RenewalEffect,
  type RenewalInput,
  type RenewalMessage,
  type RenewalView,
} from '../renewal/index.ts'
import type { CellDesk } from './cell-desk.ts'
import type { Message } from './codec.ts'
import { COUNCIL, type CouncilDesk } from './council-desk.ts'
import type { Custodians } from './custodians.ts'
import { Groups } from './groups.ts'
import { CLAIMS_RECORDS_MAX, type NodeRecord } from './records.ts'
import type { Recruiter } from './recruiter.ts'
import type { LoadSample, SwarmEffect, SwarmInput } from './types.ts'

export interface SwarmCores {
  readonly membership: MembershipCore
  readonly directory: DirectoryCore
  readonly claims: ClaimsCore
  readonly renewal: RenewalCore
  /** The council on this node; absent where nothing is governed, in tests of other things. */
  readonly council?: CouncilDesk | undefined
  /** Proposes who comes into the council and who goes. */
  readonly recruiter?: Recruiter | undefined
  /** The cell that this node is in; absent where there is no custody, in tests of other things. */
  readonly cell?: CellDesk | undefined
  /** Proposes who comes into the cell and who goes. */
  readonly custodians?: Custodians | undefined
  readonly random: Random
}

/**
 * One node's protocols as one core: routes inputs to the core that owns them, and the events of one core to the others.
 * Nothing is decided here.
 */
export class Swarm implements Core<SwarmInput, SwarmEffect> {
  readonly #membership: MembershipCore
  readonly #directory: DirectoryCore
  readonly #renewal: RenewalCore
  readonly #claims: ClaimsCore
  #renewalHolds: readonly NodeId[] = []
  #claimsHolds: readonly NodeId[] = []
  #groupsHold: readonly NodeId[] = []
  readonly #groups: Groups
  readonly council: CouncilDesk | undefined
  readonly #recruiter: Recruiter | undefined
  readonly cell: CellDesk | undefined
  readonly #custodians: Custodians | undefined
  /** Revoked, and still needed (GR-11). */
  readonly #condemned = new Set<NodeId>()
  #load: LoadSample = { cpuShare: 0, rssBytes: 0, eventLoopLagMs: 0 }

  constructor(cores: SwarmCores) {
    this.#membership = cores.membership
    this.#directory = cores.directory
    this.#claims = cores.claims
    this.#renewal = cores.renewal
    this.council = cores.council
    this.#recruiter = cores.recruiter
    this.cell = cores.cell
    this.#custodians = cores.custodians
    this.#groups = new Groups({
      random: cores.random,
      onNews: (now, _group, news, effects) => {
        // What the recruiter proposed shows in the state, if it came to anything.
        for (const outcome of news.outcomes) if (outcome.id > 0) effects.push({ ...outcome, kind: 'decided' })
        if (news.events.some(({ kind }) => kind === 'epoch-started')) this.#onEpoch(now, effects)
        this.#onCouncil(now, effects)
      },
    })
    for (const desk of [this.council, this.cell]) if (desk !== undefined) this.#groups.add(desk.host)
  }

  get membership(): MembershipView {
    return this.#membership
  }

  get directory(): DirectoryView {
    return this.#directory
  }

  get claims(): ClaimsView {
    return this.#claims
  }

  get renewal(): RenewalView {
    return this.#renewal
  }

  deadline(): Millis {
    const soonest = earliest(this.#membership.deadline(), this.#directory.deadline())
    const latest = earliest(this.#renewal.deadline(), this.#claims.deadline())
    const seats = earliest(this.#recruiter?.deadline() ?? NEVER, this.#custodians?.deadline() ?? NEVER)
    return earliest(earliest(soonest, latest), earliest(this.#groups.deadline(), seats))
  }

  step(now: Millis, input: SwarmInput): readonly SwarmEffect[] {
    const effects: SwarmEffect[] = []
    switch (input.kind) {
      case 'tick':
        this.#tick(now, effects)
        break
      case 'message':
        this.#onMessage(now, input.from, input.message, effects)
        break
      case 'link-up':
      case 'link-down':
        this.#onLink(now, input, effects)
        break
      case 'facts':
      case 'introduce':
      case 'leave':
        this.#stepMembership(now, input, effects)
        break
      case 'revoke':
        this.#stepMembership(now, input, effects)
        this.#stepRenewal(now, input, effects)
        break
      case 'issued':
        this.#stepRenewal(now, input, effects)
        break
      case 'clock':
        this.#stepRenewal(now, input, effects)
        this.#stepClaims(now, input, effects)
        this.#groups.clock(now, input.wallNow, effects)
        break
      case 'settled':
      case 'verified':
      case 'propose':
        this.#groups.tell(now, input, effects)
        break
      case 'shut-out':
      case 'authority-unknown':
        this.#onRefused(now, input, effects)
        break
      case 'load':
        this.#load = input.sample
        this.#stepDirectory(now, { kind: 'report', report: this.#report() }, effects)
        break
      case 'gap':
        this.#stepClaims(now, input, effects)
        break
      case 'refused':
        // The others repeat what matters to them, whatever becomes of it.
        if (isClaimsMessage(input.message))
          this.#stepClaims(now, { kind: 'refused', peer: input.peer, message: input.message }, effects)
        break
      case 'claims':
        this.#stepClaims(now, input.input, effects)
        break
      default:
        unreachable(input)
    }
    return effects
  }

  #tick(now: Millis, effects: SwarmEffect[]): void {
    if (this.#membership.deadline() <= now) this.#stepMembership(now, TICK, effects)
    if (this.#directory.deadline() <= now) this.#stepDirectory(now, TICK, effects)
    if (this.#claims.deadline() <= now) this.#stepClaims(now, TICK, effects)
    if (this.#renewal.deadline() <= now) this.#stepRenewal(now, TICK, effects)
    this.#tickGroups(now, effects)
  }

  #onLink(
    now: Millis,
    input: Extract<SwarmInput, { readonly kind: 'link-up' | 'link-down' }>,
    effects: SwarmEffect[],
  ): void {
    const peer = input.kind === 'link-up' ? input.peer.node : input.peer
    this.#stepMembership(now, input, effects)
    this.#stepDirectory(now, { kind: input.kind, peer }, effects)
    this.#stepClaims(now, { kind: input.kind, peer }, effects)
    this.#stepRenewal(now, input.kind === 'link-up' ? input : { kind: input.kind, peer }, effects)
    if (input.kind === 'link-up') this.#groups.linkUp(now, peer, effects)
    else this.#groups.linkDown(peer)
    this.#holdForGroups(now, effects)
  }

  #onMessage(now: Millis, from: NodeId, message: Message, effects: SwarmEffect[]): void {
    if (isClaimsMessage(message)) this.#stepClaims(now, { kind: 'message', from, message }, effects)
    else if (isDirectoryMessage(message)) this.#stepDirectory(now, { kind: 'message', from, message }, effects)
    else if (isRenewalMessage(message)) this.#stepRenewal(now, { kind: 'message', from, message }, effects)
    else if (isMembershipMessage(message)) this.#stepMembership(now, { kind: 'message', from, message }, effects)
    else this.#groups.onMessage(now, from, message, effects)
  }

  #stepMembership(now: Millis, input: MembershipInput | Tick, effects: SwarmEffect[]): void {
    for (const effect of this.#membership.step(now, input)) this.#forward(now, effect, effects)
  }

  #stepDirectory(now: Millis, input: DirectoryInput | Tick, effects: SwarmEffect[]): void {
    for (const effect of this.#directory.step(now, input)) {
      if (effect.kind !== 'event') effects.push(effect)
      else if (effect.event.kind === 'digest-updated') {
        this.#stepClaims(now, { kind: 'candidate-changed', node: effect.event.node }, effects)
      }
    }
  }

  #stepClaims(now: Millis, input: ClaimsInput | Tick, effects: SwarmEffect[]): void {
    for (const effect of this.#claims.step(now, input)) this.#forwardClaims(now, effect, effects)
  }

  #forwardClaims(now: Millis, effect: ClaimsEffect, effects: SwarmEffect[]): void {
    switch (effect.kind) {
      case 'send':
      case 'barrier':
      case 'observe':
        effects.push(effect)
        return
      case 'persist':
        // Each record is of one task and stands for itself: a crash between two of them leaves a step that did less.
        for (let from = 0; from < effect.records.length; from += CLAIMS_RECORDS_MAX) {
          const records = effect.records.slice(from, from + CLAIMS_RECORDS_MAX)
          effects.push({ kind: 'persist', record: { kind: 'claims', records }, mayWait: effect.mayWait })
        }
        return
      case 'event':
        if (effect.event.kind === 'links-wanted') {
          this.#claimsHolds = effect.event.peers
          this.#hold(now, effects)
        } else this.#stepDirectory(now, { kind: 'report', report: this.#report() }, effects)
        return
      default:
        effects.push({ kind: 'claims', effect })
    }
  }

  /** Membership gets the union of what the cores ask for. */
  #hold(now: Millis, effects: SwarmEffect[]): void {
    const peers = [...new Set([...this.#groupsHold, ...this.#renewalHolds, ...this.#claimsHolds])]
    this.#stepMembership(now, { kind: 'hold', peers }, effects)
  }

  /** Members and links come and go, and with them the links that groups need. */
  #holdForGroups(now: Millis, effects: SwarmEffect[]): void {
    const wanted = this.#groups.wanted()
    if (wanted.join() === this.#groupsHold.join()) return
    this.#groupsHold = wanted
    this.#hold(now, effects)
  }

  #onEpoch(now: Millis, effects: SwarmEffect[]): void {
    this.#holdForGroups(now, effects)
    for (const node of [...this.#condemned]) {
      if (!this.isShut(node)) continue
      this.#condemned.delete(node)
      this.#stepMembership(now, { kind: 'revoke', node }, effects)
    }
    // GR-11: an expelled one was needed until now.
    if ((this.council?.state.expelled.size ?? 0) > 0) this.#onOrganisations(now, effects)
  }

  /** Whether a peer is to be turned away: it is revoked, and the council does not wait for its last votes (GR-11). */
  isShut(node: NodeId): boolean {
    const { council } = this
    if (council?.isRevoked(node) !== true) return false
    return !council.host.needs(node)
  }

  /** A handshake failed over what the council has decided: this node is out, or knows less than others. */
  #onRefused(
    now: Millis,
    input: Extract<SwarmInput, { kind: 'shut-out' | 'authority-unknown' }>,
    effects: SwarmEffect[],
  ): void {
    if (input.kind === 'authority-unknown') {
      this.#groups.doubt(now, COUNCIL)
      return
    }
    const { by, why } = input
    if (this.council?.shutOut(by, why) !== true) return
    effects.push({ kind: 'observe', observation: { kind: `council-${why}-here`, node: this.council.self } })
  }

  #tickGroups(now: Millis, effects: SwarmEffect[]): void {
    if (this.#groups.deadline() <= now) this.#groups.tick(now, effects)
    for (const [desk, clerk] of [
      [this.council, this.#recruiter],
      [this.cell, this.#custodians],
    ] as const) {
      if (desk === undefined || clerk === undefined) continue
      const proposals = clerk.proposals(now).map((operation) => ({ id: 0, operation, as: desk.self }))
      if (proposals.length > 0) this.#groups.tell(now, { kind: 'propose', group: desk.host.id, proposals }, effects)
    }
  }

  /** What the council decided takes effect in the same step, whether it was decided here or read from others. */
  #onCouncil(now: Millis, effects: SwarmEffect[]): void {
    const news = this.council?.news()
    if (news === undefined) return
    for (const node of news.revoked) {
      const isSelf = node === this.council?.self
      const kind = isSelf ? 'council-revoked-here' : 'council-revoked'
      effects.push({ kind: 'observe', observation: { kind, node } })
      this.#stepRenewal(now, { kind: 'revoke', node }, effects)
      if (this.isShut(node)) this.#stepMembership(now, { kind: 'revoke', node }, effects)
      else this.#condemned.add(node)
    }
    for (const { node, org } of news.expelled) {
      effects.push({ kind: 'observe', observation: { kind: 'council-expelled', node, org } })
    }
    if (news.organisations) this.#onOrganisations(now, effects)
    if (news.weights !== undefined) this.#stepClaims(now, { kind: 'weights', weights: news.weights }, effects)
    for (const { name, value } of news.parameters) {
      effects.push({ kind: 'observe', observation: { kind: 'council-parameter', name, value } })
    }
  }

  /** Other certificates count than before. */
  #onOrganisations(now: Millis, effects: SwarmEffect[]): void {
    this.#stepMembership(now, { kind: 'authorities' }, effects)
    this.#stepRenewal(now, { kind: 'issues-for', org: this.council?.issuesFor }, effects)
    effects.push({ kind: 'authorities-changed' })
  }

  #stepRenewal(now: Millis, input: RenewalInput | Tick, effects: SwarmEffect[]): void {
    for (const effect of this.#renewal.step(now, input)) this.#forwardRenewal(now, effect, effects)
  }

  #forwardRenewal(now: Millis, effect: RenewalEffect, effects: SwarmEffect[]): void {
    switch (effect.kind) {
      case 'hold':
        this.#renewalHolds = effect.peers
        this.#hold(now, effects)
        return
      case 'certified': {
        const { certificate } = effect
        // G-6: a barrier, because any message of membership may carry the certificate from its next step on.
        effects.push({ kind: 'persist', record: { kind: 'certificate', bytes: certificate }, barrier: true })
        this.#stepMembership(now, { kind: 'certificate', certificate }, effects)
        effects.push(effect)
        return
      }
      default:
        effects.push(effect)
    }
  }

  #forward(now: Millis, effect: MembershipEffect, effects: SwarmEffect[]): void {
    switch (effect.kind) {
      case 'persist':
        effects.push({
          kind: 'persist',
          record: { kind: 'membership', record: effect.record },
          // M-8: from here on any message may tell of an incarnation that this reserves. Rare: one in 64 is reserved.
          barrier: effect.record.kind === 'incarnation',
        })
        return
      case 'event':
        this.#onMembershipEvent(now, effect.event, effects)
        return
      default:
        effects.push(effect)
    }
  }

  #onMembershipEvent(now: Millis, event: MembershipEvent, effects: SwarmEffect[]): void {
    switch (event.kind) {
      case 'member-up': {
        const { node, region, zone } = event.member
        effects.push({ kind: 'observe', observation: { kind: event.kind, node, region, zone } })
        this.#introduce(now, event.member, effects)
        return
      }
      case 'member-updated':
        this.#introduce(now, event.member, effects)
        return
      case 'member-down':
      case 'member-left':
        effects.push({ kind: 'observe', observation: { kind: event.kind, node: event.node } })
        this.#dismiss(now, event.node, effects)
        return
      case 'member-forgotten':
        this.#dismiss(now, event.node, effects)
        return
      case 'authority-unknown':
        this.#groups.doubt(now, COUNCIL)
        return
      case 'twin':
        this.#groups.mistrust(now, 'others know words of this node that it does not remember', effects)
        return
      case 'unvouched':
        effects.push({
          kind: 'observe',
          observation: { kind: 'council-unvouched-here', node: this.#membership.self().node },
        })
        return
      case 'member-cleared':
      case 'member-suspect':
        effects.push({ kind: 'observe', observation: { kind: event.kind, node: event.node } })
        return
      default:
        unreachable(event)
    }
  }

  #introduce(now: Millis, member: Member, effects: SwarmEffect[]): void {
    this.#stepDirectory(now, profileOf(member), effects)
    const { node, certificateEpoch: epoch, certificateExpiresAt } = member
    const issuesFor = member.labels[ISSUER_LABEL]
    const shown = { node, epoch, certificateExpiresAt, issuesFor }
    this.#stepRenewal(now, { kind: 'member-up', member: shown }, effects)
  }

  #dismiss(now: Millis, node: NodeId, effects: SwarmEffect[]): void {
    this.#stepDirectory(now, { kind: 'member-down', node }, effects)
    this.#stepRenewal(now, { kind: 'member-down', node }, effects)
  }

  #report(): OwnReport {
    const { cpuShare, eventLoopLagMs, rssBytes } = this.#load
    return {
      ...this.#claims.report(),
      coordinate: this.#membership.coordinate,
      cpuThousandths: Math.min(1000, Math.round(cpuShare * 1000)),
      eventLoopLagMs: Math.min(1_000_000, Math.round(eventLoopLagMs)),
      rssMiB: Math.round(rssBytes / (1024 * 1024)),
    }
  }
}

/** What only the cores know how to say to a new log, in records of a size that a log likes. */
export function coreRecords(swarm: Swarm): readonly NodeRecord[] {
  const claims = swarm.claims.snapshot().map((record: ClaimsRecord): NodeRecord => {
    return { kind: 'claims', records: [record] }
  })
  const desks = [swarm.council, swarm.cell].flatMap((desk) => desk ?? [])
  return [...claims, ...desks.flatMap(({ host }) => host.log.snapshot(host.id))]
}

function isClaimsMessage(message: Message): message is ClaimsMessage {
  return message.kind.startsWith('claims.')
}

function isMembershipMessage(message: Message): message is MembershipMessage {
  return message.kind.startsWith('membership.')
}

function isDirectoryMessage(message: Message): message is DirectoryMessage {
  return message.kind.startsWith('directory.')
}

function isRenewalMessage(message: Message): message is RenewalMessage {
  return message.kind.startsWith('renewal.')
}

function profileOf(member: Member): DirectoryInput {
  const { node, org, region, zone, labels } = member
  return { kind: 'member-up', member: { node, org, region, zone, labels } }
}
