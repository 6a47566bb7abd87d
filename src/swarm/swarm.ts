import { type Core, type Millis, type NodeId, unreachable } from '../kernel/index.ts'
import type {
  MembershipCore,
  MembershipEffect,
  MembershipEvent,
  MembershipInput,
  MembershipView,
} from '../membership/index.ts'
import type { SwarmEffect, SwarmInput } from './types.ts'

export interface SwarmCores {
  readonly membership: MembershipCore
}

/**
 * One node's protocols as one core: routes inputs to the core that owns them, and events of one core to the others.
 * Nothing is decided here.
 */
export class Swarm implements Core<SwarmInput, SwarmEffect> {
  readonly #membership: MembershipCore

  constructor(cores: SwarmCores) {
    this.#membership = cores.membership
  }

  get membership(): MembershipView {
    return this.#membership
  }

  /** How busy a member last said it was, 0 (idle) to 1 (full) and beyond; undefined while it has said nothing. */
  loadOf(_node: NodeId): number | undefined {
    return undefined
  }

  deadline(): Millis {
    return this.#membership.deadline()
  }

  step(now: Millis, input: SwarmInput): readonly SwarmEffect[] {
    const effects: SwarmEffect[] = []
    switch (input.kind) {
      case 'tick':
        if (this.#membership.deadline() <= now) this.#stepMembership(now, input, effects)
        break
      case 'message':
        this.#stepMembership(now, { kind: 'message', from: input.from, message: input.message }, effects)
        break
      case 'link-up':
      case 'link-down':
      case 'facts':
      case 'certificate':
      case 'introduce':
      case 'revoke':
      case 'leave':
        this.#stepMembership(now, input, effects)
        break
      case 'load':
        break
      default:
        unreachable(input)
    }
    return effects
  }

  #stepMembership(now: Millis, input: MembershipInput | { kind: 'tick' }, effects: SwarmEffect[]): void {
    for (const effect of this.#membership.step(now, input)) this.#forward(effect, effects)
  }

  #forward(effect: MembershipEffect, effects: SwarmEffect[]): void {
    switch (effect.kind) {
      case 'persist':
        effects.push({ kind: 'persist', record: { kind: 'membership', record: effect.record } })
        return
      case 'event':
        this.#onMembershipEvent(effect.event, effects)
        return
      default:
        effects.push(effect)
    }
  }

  #onMembershipEvent(event: MembershipEvent, effects: SwarmEffect[]): void {
    switch (event.kind) {
      case 'member-up': {
        const { node, region, zone } = event.member
        effects.push({ kind: 'observe', observation: { kind: event.kind, node, region, zone } })
        return
      }
      case 'member-cleared':
      case 'member-suspect':
      case 'member-down':
      case 'member-left':
        effects.push({ kind: 'observe', observation: { kind: event.kind, node: event.node } })
        return
      case 'member-updated':
      case 'member-forgotten':
        return
      default:
        unreachable(event)
    }
  }
}
