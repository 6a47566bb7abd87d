import type { DirectoryCore, DirectoryInput, DirectoryMessage, DirectoryView, OwnReport } from '../directory/index.ts'
import { type Core, earliest, type Millis, type NodeId, TICK, type Tick, unreachable } from '../kernel/index.ts'
import type {
  Member,
  MembershipCore,
  MembershipEffect,
  MembershipEvent,
  MembershipInput,
  MembershipMessage,
  MembershipView,
} from '../membership/index.ts'
import type { Message } from './codec.ts'
import type { LoadSample, SwarmEffect, SwarmInput } from './types.ts'

export interface SwarmCores {
  readonly membership: MembershipCore
  readonly directory: DirectoryCore
}

/**
 * One node's protocols as one core: routes inputs to the core that owns them, and the events of one core to the others.
 * Nothing is decided here.
 */
export class Swarm implements Core<SwarmInput, SwarmEffect> {
  readonly #membership: MembershipCore
  readonly #directory: DirectoryCore

  constructor(cores: SwarmCores) {
    this.#membership = cores.membership
    this.#directory = cores.directory
  }

  get membership(): MembershipView {
    return this.#membership
  }

  get directory(): DirectoryView {
    return this.#directory
  }

  deadline(): Millis {
    return earliest(this.#membership.deadline(), this.#directory.deadline())
  }

  step(now: Millis, input: SwarmInput): readonly SwarmEffect[] {
    const effects: SwarmEffect[] = []
    switch (input.kind) {
      case 'tick':
        if (this.#membership.deadline() <= now) this.#stepMembership(now, TICK, effects)
        if (this.#directory.deadline() <= now) this.#stepDirectory(now, TICK, effects)
        break
      case 'message':
        this.#onMessage(now, input.from, input.message, effects)
        break
      case 'link-up':
        this.#stepMembership(now, input, effects)
        this.#stepDirectory(now, { kind: 'link-up', peer: input.peer.node }, effects)
        break
      case 'link-down':
        this.#stepMembership(now, input, effects)
        this.#stepDirectory(now, { kind: 'link-down', peer: input.peer }, effects)
        break
      case 'facts':
      case 'certificate':
      case 'introduce':
      case 'revoke':
      case 'leave':
        this.#stepMembership(now, input, effects)
        break
      case 'load':
        this.#stepDirectory(now, { kind: 'report', report: this.#report(input.sample) }, effects)
        break
      default:
        unreachable(input)
    }
    return effects
  }

  #onMessage(now: Millis, from: NodeId, message: Message, effects: SwarmEffect[]): void {
    if (isDirectoryMessage(message)) this.#stepDirectory(now, { kind: 'message', from, message }, effects)
    else if (isMembershipMessage(message)) this.#stepMembership(now, { kind: 'message', from, message }, effects)
    // What is left is for groups (consensus), and this node has no part in any.
  }

  #stepMembership(now: Millis, input: MembershipInput | Tick, effects: SwarmEffect[]): void {
    for (const effect of this.#membership.step(now, input)) this.#forward(now, effect, effects)
  }

  #stepDirectory(now: Millis, input: DirectoryInput | Tick, effects: SwarmEffect[]): void {
    // Its events are for cores that choose among candidates.
    for (const effect of this.#directory.step(now, input)) if (effect.kind !== 'event') effects.push(effect)
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
        this.#stepDirectory(now, profileOf(event.member), effects)
        return
      }
      case 'member-updated':
        this.#stepDirectory(now, profileOf(event.member), effects)
        return
      case 'member-down':
      case 'member-left':
        effects.push({ kind: 'observe', observation: { kind: event.kind, node: event.node } })
        this.#stepDirectory(now, { kind: 'member-down', node: event.node }, effects)
        return
      case 'member-forgotten':
        this.#stepDirectory(now, { kind: 'member-down', node: event.node }, effects)
        return
      case 'member-cleared':
      case 'member-suspect':
        effects.push({ kind: 'observe', observation: { kind: event.kind, node: event.node } })
        return
      default:
        unreachable(event)
    }
  }

  #report(load: LoadSample): OwnReport {
    return {
      skills: [],
      resources: {},
      labels: {},
      coordinate: this.#membership.coordinate,
      cpuThousandths: Math.min(1000, Math.round(load.cpuShare * 1000)),
      eventLoopLagMs: Math.min(1_000_000, Math.round(load.eventLoopLagMs)),
      rssMiB: Math.round(load.rssBytes / (1024 * 1024)),
      agents: 0,
      accepting: true,
    }
  }
}

function isMembershipMessage(message: Message): message is MembershipMessage {
  return message.kind.startsWith('membership.')
}

function isDirectoryMessage(message: Message): message is DirectoryMessage {
  return message.kind.startsWith('directory.')
}

function profileOf(member: Member): DirectoryInput {
  const { node, org, region, zone, labels } = member
  return { kind: 'member-up', member: { node, org, region, zone, labels } }
}
