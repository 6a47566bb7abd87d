import type { Envelope, World } from '../../src/byzantine/index.ts'
import { RULES, type Rules, type Seat } from '../../src/consensus/index.ts'
import type { Random } from '../../src/kernel/index.ts'
import { roundOf } from './scenario.ts'

/** A Twins scenario (Bano et al.): who is primary in each of the first views, and who hears whom. */
export interface Twins {
  /** Role of each host; the first `twins` roles have two hosts each, the second ones at the end. */
  readonly roles: readonly number[]
  readonly members: number
  readonly rounds: readonly { readonly primary: number; readonly groups: readonly number[] }[]
  /** Names the scenario up to renaming of honest members: two with one key are the same. */
  readonly key: string
}

/** Draws a scenario and renames its honest members, so that symmetric ones come out equal. */
export function drawTwins(random: Random, members: number, twins: number): Twins {
  const roles = [...Array(members).keys(), ...Array(twins).keys()]
  const rounds = Array.from({ length: 4 + random.below(4) }, () => ({
    // Twins make the interesting primaries.
    primary: random.chance(0.5) ? random.below(twins) : random.below(members),
    groups: normal(roles.map(() => random.below(random.chance(0.7) ? 2 : 3))),
  }))
  return canonical({ roles, members, rounds }, twins)
}

/** Groups are named in order of appearance: their names mean nothing. */
function normal(groups: readonly number[]): number[] {
  const names = new Map<number, number>()
  return groups.map((group) => {
    const name = names.get(group) ?? names.size
    names.set(group, name)
    return name
  })
}

/** Honest members in the order of what befalls them: whoever fares alike is interchangeable. */
function canonical(drawn: Omit<Twins, 'key'>, twins: number): Twins {
  const fate = (role: number): string =>
    drawn.rounds
      .map(({ primary, groups }) => {
        // Where it is, told by who of the twins' hosts and how many others are with it.
        const at = groups[role]
        const company = groups.map((group, host) =>
          group === at && (host < twins || host >= drawn.members) ? host : '',
        )
        return `${company.join('.')}${primary === role ? '*' : ''}${groups.filter((group) => group === at).length}`
      })
      .join('|')
  const honest = Array.from({ length: drawn.members - twins }, (_, i) => twins + i)
  const fates = new Map(honest.map((role) => [role, fate(role)]))
  honest.sort((a, b) =>
    (fates.get(a) ?? '') < (fates.get(b) ?? '') ? -1 : (fates.get(a) ?? '') > (fates.get(b) ?? '') ? 1 : a - b,
  )
  const renamed = new Map(honest.map((role, i) => [role, twins + i]))
  const to = (role: number): number => renamed.get(role) ?? role
  const rounds = drawn.rounds.map(({ primary, groups }) => {
    const moved = groups.slice()
    for (let host = twins; host < drawn.members; host++) moved[to(host)] = groups[host] ?? 0
    return { primary: to(primary), groups: normal(moved) }
  })
  const key = rounds.map(({ primary, groups }) => `${primary}${groups.join('')}`).join(' ')
  return { ...drawn, rounds, key }
}

/** The scenario's primaries for its views, rotation after them. Twins are what they are: they do not mind their ghosts. */
export function twinsRules(rules: Rules | undefined, { rounds }: Twins): Rules {
  const base = rules ?? RULES
  return {
    ...base,
    mindsOwnGhost: () => false,
    primarySeat: (epoch, view, count) =>
      epoch === 1 && view <= rounds.length
        ? ((rounds[view - 1]?.primary ?? 0) as Seat)
        : base.primarySeat(epoch, view, count),
  }
}

/** Messages of a view reach the hosts of the sender's group in that view. */
export function twinsRoute({ rounds }: Twins): (envelope: Envelope, world: World) => number | undefined {
  return ({ from, to, message }, { random }) => {
    const groups = rounds[roundOf(from, message) - 1]?.groups
    if (groups !== undefined && groups[from.index] !== groups[to.index]) return undefined
    return 1 + random.float() * 3
  }
}
