import { wellFormed } from './certificates.ts'
import type { Group } from './group.ts'
import type { Rules } from './rules.ts'
import type { CheckpointCertificate, Epoch } from './types.ts'

/**
 * The checkpoints that lead from the genesis membership to the present one (B-32): of the latest epochs each, and of those
 * before them only such as lead to a membership that has not come back since. What was between a membership and its return is
 * left out, for the same members sign on both sides of it. So what is kept grows with the memberships that never return.
 */
export class Handovers {
  readonly genesis: Group
  readonly #recentMax: number
  readonly #chain: CheckpointCertificate[] = []
  /** How many of them are older than the latest. */
  #settled = 0
  /** The memberships that those lead to, and how many of them lead there. */
  readonly #leads = new Map<string, number>()

  /** @param recentMax how many are kept whatever they lead to; at least 1, for an epoch stands on the block of the last */
  constructor(genesis: Group, recentMax: number) {
    this.genesis = genesis
    this.#recentMax = recentMax
    this.#leads.set(genesis.members.join(), 0)
  }

  /** In order, from the genesis on. */
  get chain(): readonly CheckpointCertificate[] {
    return this.#chain
  }

  add(checkpoint: CheckpointCertificate): void {
    const last = this.#chain.at(-1)
    if (last !== undefined && last.vote.epoch >= checkpoint.vote.epoch) return
    this.#chain.push(checkpoint)
    while (this.#chain.length - this.#settled > this.#recentMax) this.#settle()
  }

  #settle(): void {
    const members = membersAfter(this.#chain, this.#settled)
    const before = this.#leads.get(members)
    if (before === undefined) {
      this.#settled += 1
      this.#leads.set(members, this.#settled)
      return
    }
    for (let i = before; i < this.#settled; i++) this.#leads.delete(membersAfter(this.#chain, i))
    this.#chain.splice(before, this.#settled + 1 - before)
    this.#settled = before
  }

  /** Those that lead on from an epoch, at most so many, behind the one that leads to the first of them: it tells whose that is. */
  from(epoch: Epoch, countMax: number): readonly CheckpointCertificate[] {
    const first = this.#chain.findIndex(({ vote }) => vote.epoch >= epoch)
    return first < 0 ? [] : this.#chain.slice(Math.max(0, first - 1), Math.max(0, first - 1) + countMax)
  }

  /** Other ones from the genesis on take their place. */
  clear(): void {
    this.#chain.length = 0
    this.#settled = 0
    this.#leads.clear()
    this.#leads.set(this.genesis.members.join(), 0)
  }
}

function membersAfter(chain: readonly CheckpointCertificate[], at: number): string {
  return chain[at]?.vote.members.join() ?? ''
}

/** Whether a checkpoint of this epoch ends it. */
export function closes(checkpoint: CheckpointCertificate, group: Group): boolean {
  return checkpoint.vote.epoch === group.epoch && !group.sameMembers(checkpoint.vote.members)
}

/** The shortest of these that lead to an epoch, as a proof shows them; undefined if they do not lead to just that epoch. */
export function leadingTo(
  epoch: Epoch,
  chain: readonly CheckpointCertificate[],
): readonly CheckpointCertificate[] | undefined {
  if (epoch === 1) return []
  const at = chain.findIndex(({ vote }) => vote.epoch === epoch - 1)
  const last = chain[at]
  if (last === undefined) return undefined
  const way: CheckpointCertificate[] = []
  const leads = new Map<string, number>()
  for (let i = 0; i < at; i++) {
    const members = membersAfter(chain, i)
    const before = leads.get(members)
    if (before === undefined) {
      leads.set(members, way.push(chain[i] as CheckpointCertificate))
      continue
    }
    for (const passed of way.splice(before)) leads.delete(passed.vote.members.join())
  }
  return [...way, last]
}

/**
 * The membership that a checkpoint leads to from another, if it has the form of one that does: closing that membership's
 * epoch, or a later one of the same members (B-32).
 */
export function ledTo(checkpoint: CheckpointCertificate, from: Group, rules: Rules): Group | undefined {
  const { epoch, members } = checkpoint.vote
  if (epoch < from.epoch) return undefined
  const signers = from.at(epoch)
  return wellFormed(checkpoint, signers, rules) && closes(checkpoint, signers) ? signers.successor(members) : undefined
}
