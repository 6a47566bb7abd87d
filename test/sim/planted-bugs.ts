import { PLANTED_CLAIMS } from './planted-claims.ts'
import { PLANTED_COUNCIL } from './planted-council.ts'

/** A bug to be found: one place of the shipped source, replaced. SI-13. */
export interface PlantedBug {
  readonly name: string
  readonly what: string
  /** Below `src`. */
  readonly file: string
  /** Must occur exactly once. */
  readonly find: string
  readonly replace: string
  readonly campaign: string
  readonly firstSeed?: number
  /** It must be found within this many seeds. */
  readonly seeds: number
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  {
    name: 'lower-incarnation',
    what: 'an older word of a member replaces a newer one',
    file: 'membership/roster.ts',
    find: '      presence.incarnation > held ||\n',
    replace: '      presence.incarnation !== held ||\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'equal-incarnation',
    what: 'an equal incarnation brings back the dead',
    file: 'membership/roster.ts',
    find: '      presence.incarnation > held ||\n',
    replace: '      presence.incarnation >= held ||\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-refutation',
    what: 'a suspect says nothing in its defence',
    file: 'membership/core.ts',
    find: '    if (!this.#refutations.take(ground.now)) {\n',
    replace: '    if (ground.now >= 0) return\n    if (!this.#refutations.take(ground.now)) {\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-lag-shift',
    what: 'time in which this node slept counts against others (M-13)',
    file: 'membership/core.ts',
    find: '    if (lagMs <= ground.params.lagToleranceMs) return\n',
    replace: '    if (lagMs <= Number.MAX_VALUE) return\n',
    campaign: 'pauses',
    seeds: 8,
  },
  {
    name: 'no-indirect-probes',
    what: 'nobody else is asked about a silent neighbour',
    file: 'membership/detector.ts',
    find: '    for (const helper of helpers) {\n',
    replace: '    for (const helper of helpers.splice(0)) {\n      if (ground.now >= 0) break\n',
    campaign: 'cuts',
    seeds: 20,
  },
  {
    name: 'short-suspicion',
    what: 'a suspicion ends after 300 ms',
    file: 'membership/suspicion.ts',
    find: '    const minMs = this.allLost ? params.suspicionLostMinMs : params.suspicionMinMs\n',
    replace: '    const minMs = 300\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'tombstone-dropped',
    what: 'the dead are forgotten at the next sweep',
    file: 'membership/core.ts',
    find: 'expired(ground.now - ground.params.tombstoneMs)',
    replace: 'expired(ground.now)',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-persist',
    what: 'an incarnation is published without being reserved in the log',
    file: 'membership/self.ts',
    find: "    return { kind: 'incarnation', ceiling: this.#ceiling as Incarnation }\n",
    replace: '    return undefined\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-recontact',
    what: 'the dead are never dialled again',
    file: 'membership/recontact.ts',
    find: '    if (dead !== undefined) this.#dial',
    replace: '    if (dead !== undefined && awake < 0) this.#dial',
    campaign: 'membership',
    firstSeed: 15,
    seeds: 20,
  },
  {
    name: 'deaf-to-return',
    what: 'a member that came back is believed only at its second word',
    file: 'membership/roster.ts',
    find: '      presence.incarnation > held ||\n',
    replace: '      presence.incarnation > held + 1 ||\n',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-suspicion',
    what: 'a failed probe has no consequence',
    file: 'membership/detector.ts',
    find: '    this.suspect(watch.entry, ground.self.node, watch.lost)\n',
    replace: '',
    campaign: 'membership',
    seeds: 20,
  },
  {
    name: 'no-host-barrier',
    what: 'later steps do not wait for a reserved incarnation (R-1b)',
    file: 'swarm/swarm.ts',
    find: "barrier: effect.record.kind === 'incarnation'",
    replace: 'barrier: false',
    campaign: 'membership',
    firstSeed: 60,
    seeds: 5,
  },
  {
    name: 'death-believed',
    what: 'a claim of death is believed at once (M-10)',
    file: 'membership/suspicion.ts',
    find: '    if (this.#isDeathClaimed) return this.startedAt + minMs\n',
    replace: '    if (this.#isDeathClaimed) return this.startedAt\n',
    campaign: 'membership',
    seeds: 40,
  },
  ...PLANTED_CLAIMS,
  ...PLANTED_COUNCIL,
]
