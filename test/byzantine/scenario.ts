import { BEHAVIOURS, type Envelope, type Host, nodes, World, type WorldOptions } from '../../src/byzantine/index.ts'
import type { LogRecord, Rules } from '../../src/consensus/index.ts'
import { faultsTolerated, type NodeId, Random } from '../../src/kernel/index.ts'
import { Checker, type Violation } from './checkers.ts'
import { fuzzBehaviour } from './fuzz.ts'
import { drawTwins, twinsRoute, twinsRules } from './twins.ts'

/** What is replaced to plant a bug, or to be quick. */
export interface Wiring {
  readonly carriage?: WorldOptions['carriage']
  readonly rules?: Rules
  /** False: sends do not wait for the disk. */
  readonly barrier?: boolean
  readonly countsOwn?: boolean
  readonly cutsEarly?: boolean
  /** False: a restarted member is not told that its log may be damaged. */
  readonly tellsSuspect?: boolean
}

export interface Result {
  readonly violations: readonly Violation[]
  readonly about: string
  /** What was explored: messages handed to the network, what liars did to them, and heights decided. */
  readonly messages: number
  readonly lies: number
  readonly decisions: number
}

export const KINDS = ['twins', 'fuzz', 'behaviour', 'pair', 'crash', 'membership', 'lossy', 'aimed', 'liars'] as const
export type Kind = (typeof KINDS)[number]

/** Decisions demanded once everything is healed. */
const DECISIONS_AFTER = 10
/** Virtual time they may take: many times the longest time-out. */
const HEALING_MS = 30_000

interface Play {
  readonly world: World
  readonly about: string
  /** Bends things until it is over; the run goes on until then. */
  readonly chaosMs: number
  /** Ends the bending. */
  heal(): void
  readonly tooMany?: boolean
  /** Whether liveness is demanded; not where more than f are faulty. */
  readonly live?: boolean
}

export function runScenario(kind: Kind, seed: number, wiring: Wiring = {}): Result {
  const name = `${kind}:${seed}`
  const random = new Random(name)
  const play = PLAYS[kind](random, name, wiring)
  const { world } = play
  const checker = new Checker(world, play.tooMany === true)
  const load = new Load(world, random.fork('load'))
  load.start()
  world.run(play.chaosMs, () => false, 60_000)
  play.heal()
  const from = checker.height
  const healedAt = world.now
  const goal = from + DECISIONS_AFTER
  if (play.live !== false) {
    load.busy = true
    const done = allThere(world.honest, goal)
    if (!world.run(healedAt + HEALING_MS, done, world.events + 150_000)) {
      const where = world.hosts.map((host) => `${host.node}${host.honest ? '' : '!'}${where1(host)}`).join(' ')
      checker.violations.push({
        clause: 'B-13',
        what: `from ${from}, after ${Math.round(world.now - healedAt)} ms: ${where}`,
      })
    } else checkPace(checker, healedAt, world)
    if (load.lost() > 0 && play.live === undefined) {
      checker.violations.push({ clause: 'B-12', what: `${load.lost()} requests were not decided` })
    }
  }
  const { messages, lies } = world
  return { violations: checker.end(), about: play.about, messages, lies, decisions: checker.height }
}

/** Whether every member is up and at this height: asked after every event, so whoever was behind is looked at first. */
function allThere(hosts: readonly Host[], height: number): () => boolean {
  const isThere = (host: Host | undefined): boolean => host?.alive === true && host.core.height >= height
  let behind = 0
  return () => {
    if (hosts.length > 0 && !isThere(hosts[behind])) return false
    behind = Math.max(
      0,
      hosts.findIndex((host) => !isThere(host)),
    )
    return hosts.length === 0 || isThere(hosts[behind])
  }
}

function where1(host: Host): string {
  const { epoch, view, height, abstaining } = host.core.status()
  return `=${epoch}/${view}/${height}${abstaining ? '~' : ''}${host.alive ? '' : 'x'}`
}

/** B-11: views in a row without a decision, once the first two decisions after healing have set the pace. */
function checkPace(checker: Checker, healedAt: number, world: World): void {
  // A certificate of a view long gone may turn up late: the pace is that of those that were the furthest when first known.
  const furthest = checker.decisions.filter(({ epoch, view }, i) => {
    const earlier = checker.decisions.slice(0, i)
    return earlier.every((other) => other.epoch < epoch || (other.epoch === epoch && other.view < view))
  })
  const after = furthest.filter(({ at }) => at > healedAt).slice(2)
  const { members, quorum } = world.honest[0]?.core.status() ?? { members: [], quorum: 0 }
  const out = members.length - quorum
  for (const [i, decision] of after.entries()) {
    const before = after[i - 1]
    if (before === undefined || before.epoch !== decision.epoch) continue
    // One between them may become known only after the one above it, by which it was final.
    const decided = checker.decisions.filter(({ epoch, view }) => epoch === decision.epoch && view < decision.view)
    const last = Math.max(...decided.map(({ view }) => view))
    // Faulty primaries, primaries that all sit out, primaries that only some sit out while memories of the disturbance
    // differ (each up to n - q), and the view whose commits are on their way.
    if (decision.view - last > 3 * out + 2) {
      checker.violations.push({ clause: 'B-11', what: `no decision from view ${last} to ${decision.view}` })
    }
  }
}

/** Clients at random honest members, a few operations at a time. */
class Load {
  readonly #world: World
  readonly #random: Random
  readonly #open = new Map<number, number>()
  #count = 0
  busy = false

  constructor(world: World, random: Random) {
    this.#world = world
    this.#random = random
  }

  start(): void {
    this.#world.after(this.#random.float() * 12, () => {
      for (const id of this.#open.keys()) if (this.#world.outcomes.has(id)) this.#open.delete(id)
      if (this.#open.size < (this.busy ? 3 : 2)) this.#submit()
      this.start()
    })
  }

  #submit(): void {
    const hosts = this.#world.honest.filter((host) => host.alive && host.core.members.includes(host.node))
    if (hosts.length === 0) return
    this.#count += 1
    const text = this.#random.chance(0.05) ? 'no' : `w:${this.#count}`
    this.#open.set(this.#world.submit(this.#random.pick(hosts), text), this.#world.now)
  }

  /** Operations still open although they were submitted long ago, at members that have been up since. */
  lost(): number {
    let lost = 0
    for (const [id, at] of this.#open) {
      if (!this.#world.outcomes.has(id) && this.#world.now - at > 5_000) lost += 1
    }
    return lost
  }
}

function delayOf(random: Random): number {
  return 1 + random.float() * 3
}

type Maker = (random: Random, seed: string, wiring: Wiring) => Play

function optionsOf(seed: string, wiring: Wiring, rest: Omit<WorldOptions, 'seed'>): WorldOptions {
  return {
    seed,
    ...(wiring.rules === undefined ? {} : { rules: wiring.rules }),
    ...(wiring.barrier === undefined ? {} : { barrier: wiring.barrier }),
    ...(wiring.countsOwn === undefined ? {} : { countsOwn: wiring.countsOwn }),
    ...(wiring.cutsEarly === undefined ? {} : { cutsEarly: wiring.cutsEarly }),
    ...(wiring.carriage === undefined ? {} : { carriage: wiring.carriage }),
    ...rest,
  }
}

/** Twins: members with two bodies and one key, under drawn partitions and primaries. */
const twins =
  (tooMany: boolean): Maker =>
  (random, seed, wiring) => {
    const n = random.pick(tooMany ? [4, 4, 5, 7] : [4, 4, 5, 7])
    const f = faultsTolerated(n)
    const twinCount = tooMany ? f + 1 : random.below(f) + 1
    const drawn = drawTwins(random, n, twinCount)
    const members = nodes(n)
    const hosts = drawn.roles.map((role) => ({ node: members[role] as NodeId, honest: role >= twinCount }))
    const rules = twinsRules(wiring.rules, drawn)
    const world = new World(optionsOf(seed, { ...wiring, rules }, { members, hosts, route: twinsRoute(drawn) }))
    return {
      world,
      about: `n=${n}, twins of ${members.slice(0, twinCount).join(' ')}: ${drawn.key}`,
      chaosMs: drawn.rounds.length * (tooMany ? 70 : 45),
      heal: () => {
        world.route = undefined
      },
      tooMany,
      live: !tooMany,
    }
  }

/** ByzzFuzz: rounds with partitions and rounds in which faulty members' messages are mutated. */
const fuzz: Maker = (random, seed, wiring) => {
  const n = random.pick([4, 4, 5, 7])
  const members = nodes(n)
  const rounds = 4 + random.below(6)
  const liars = new Set(random.sample(members, 1 + random.below(faultsTolerated(n))))
  const anyScope = random.chance(0.4)
  const partitions = new Map<number, readonly number[]>()
  for (let i = random.below(4); i > 0; i--) {
    partitions.set(
      1 + random.below(rounds),
      members.map(() => random.below(2)),
    )
  }
  const hosts = members.map((node) => ({
    node,
    behaviour: liars.has(node) ? fuzzBehaviour(random.fork(node), rounds, anyScope) : undefined,
  }))
  const world = new World(
    optionsOf(seed, wiring, {
      members,
      hosts,
      route: ({ from, to, message }, { random: dice }) => {
        const groups = partitions.get(roundOf(from, message))
        return groups !== undefined && groups[from.index] !== groups[to.index] ? undefined : delayOf(dice)
      },
    }),
  )
  return {
    world,
    about: `n=${n}, ${[...liars].join(' ')} mutate${anyScope ? ' anything' : ''} in ${rounds} rounds, ${partitions.size} partitions`,
    chaosMs: rounds * 30,
    heal: () => {
      world.route = undefined
    },
  }
}

/** The view a message belongs to. */
export function roundOf(from: Host, message: Envelope['message']): number {
  switch (message.kind) {
    case 'proposal':
      return message.view
    case 'votes': {
      const vote = message.votes[0]?.vote
      return vote === undefined || vote.kind === 'checkpoint' ? from.core.view : vote.view
    }
    default:
      return from.core.view
  }
}

/** Up to f members lie in named ways, all the time. */
const behaviours =
  (kinds: number): Maker =>
  (random, seed, wiring) => {
    const n = kinds === 1 ? random.pick([4, 4, 5, 7]) : 7
    const members = nodes(n)
    const f = faultsTolerated(n)
    const names = random.sample(Object.keys(BEHAVIOURS), kinds)
    const liars = random.sample(members, kinds === 1 ? 1 + random.below(f) : 2)
    const hosts = members.map((node) => {
      const place = liars.indexOf(node)
      return { node, behaviour: place < 0 ? undefined : BEHAVIOURS[names[place % names.length] ?? '']?.() }
    })
    // A victim that was cut off has to catch up by blocks or by snapshot, from liars too.
    const victim = random.chance(0.5) ? members.find((node) => !liars.includes(node)) : undefined
    const world = new World(
      optionsOf(seed, wiring, {
        members,
        hosts,
        route: ({ from, to }, { random: dice }) =>
          victim !== undefined && (from.node === victim || to.node === victim) ? undefined : delayOf(dice),
      }),
    )
    return {
      world,
      about: `n=${n}, ${liars.join(' ')}: ${names.join(', ')}${victim === undefined ? '' : `; ${victim} is cut off`}`,
      chaosMs: random.pick([100, 150, 300]),
      heal: () => {
        world.route = undefined
      },
    }
  }

/** Members crash and come back: with what was synced, with nothing, or as an old copy of themselves. */
const crash: Maker = (random, seed, wiring) => {
  const n = random.pick([1, 2, 3, 4, 4, 4, 7])
  const members = nodes(n)
  const f = faultsTolerated(n)
  const backups = new Map<Host, readonly LogRecord[]>()
  // One more liar where n allows for it, so that answers to a recovering member are not all honest.
  const liar = f > 1 && random.chance(0.5) ? members[n - 1] : undefined
  const lying = random.pick([
    'lies-about-height',
    'lying-skip-tips',
    'withhold-from-subset',
    'equivocate-by-subset',
    'silent',
  ])
  const hosts = members.map((node) => ({ node, behaviour: node === liar ? BEHAVIOURS[lying]?.() : undefined }))
  const loses = random.pick([0, 0, 0.1])
  const world = new World(
    optionsOf(seed, wiring, {
      members,
      hosts,
      diskMs: random.pick([0.5, 2, 6]),
      route: (_envelope, { random: dice }) => (dice.chance(loses) ? undefined : delayOf(dice)),
    }),
  )
  const forgets = f - (liar === undefined ? 0 : 1) > 0
  const chaosMs = random.pick([120, 250, 500])
  const forgetful = new Set<Host>()
  const strike = (): void => {
    world.after(5 + random.float() * 60, () => {
      if (world.now > chaosMs) return
      const up = world.hosts.filter((host) => host.alive && host.honest)
      if (up.length === 0) {
        strike()
        return
      }
      const host = random.pick(up)
      if (random.chance(0.3)) backups.set(host, [...host.disk.durable])
      else {
        world.crash(host)
        world.after(random.pick([1, 10, 60, 120]), () => {
          // No more than f members may ever lose what they have signed.
          const canForget = forgets && (forgetful.has(host) || forgetful.size < f - (liar === undefined ? 0 : 1))
          const way = canForget ? random.below(4) : 3
          if (way < 3) forgetful.add(host)
          const log = wiring.tellsSuspect === false ? 'intact' : 'suspect'
          if (way === 0) world.restart(host, log, [])
          else if (way === 1) world.restart(host, log, backups.get(host) ?? [])
          else if (way === 2)
            world.restart(host, log, host.disk.durable.slice(0, random.below(host.disk.durable.length + 1)))
          else world.restart(host)
        })
      }
      strike()
    })
  }
  strike()
  return {
    world,
    about: `n=${n}, crashes${liar === undefined ? '' : `, ${liar} ${lying}`}, losing ${loses}`,
    chaosMs: chaosMs + 130,
    heal: () => {
      world.route = undefined
      for (const host of world.hosts) if (!host.alive) world.restart(host)
    },
    live: true,
  }
}

/** Members come and go while one lies, some messages are lost, and newcomers start blank. */
const membership: Maker = (random, seed, wiring) => {
  const n = random.pick([1, 2, 3, 4, 4, 7])
  const spare = 2 + random.below(3)
  const everyone = nodes(n + spare)
  const members = everyone.slice(0, n)
  const liar = n >= 4 && random.chance(0.6) ? random.pick(members) : undefined
  const lying = random.pick(Object.keys(BEHAVIOURS))
  const hosts = everyone.map((node) => ({ node, behaviour: node === liar ? BEHAVIOURS[lying]?.() : undefined }))
  const loses = random.pick([0, 0.03, 0.1])
  const world = new World(
    optionsOf(seed, wiring, {
      members,
      hosts,
      route: (_e, { random: dice }) => (dice.chance(loses) ? undefined : delayOf(dice)),
    }),
  )
  const changes = 1 + random.below(4)
  const wanted = new Set(members)
  for (let i = 0; i < changes; i++) {
    world.after(20 + i * random.pick([20, 60, 120]), () => {
      const host = world.honest.find((other) => other.core.members.includes(other.node))
      if (host === undefined) return
      const outside = everyone.filter((node) => !wanted.has(node))
      const node = random.chance(0.6) && outside.length > 0 ? random.pick(outside) : random.pick([...wanted])
      // A liar among fewer than four is a majority of the faults.
      const leaves = wanted.has(node) && wanted.size > (liar !== undefined ? 4 : 1)
      if (wanted.has(node) && !leaves) return
      if (leaves) wanted.delete(node)
      else wanted.add(node)
      world.submit(host, `${leaves ? 'del' : 'add'}:${node}`)
    })
  }
  return {
    world,
    about: `n=${n}+${spare}, ${changes} changes${liar === undefined ? '' : `, ${liar} ${lying}`}, losing ${loses}`,
    chaosMs: 300,
    heal: () => {
      world.route = undefined
    },
    live: true,
  }
}

/** Everyone is honest and the network is not: loss, delay, reordering, cuts. */
const lossy: Maker = (random, seed, wiring) => {
  const n = random.pick([2, 3, 4, 4, 5, 7, 10])
  const members = nodes(n)
  const loses = random.pick([0.05, 0.2, 0.4])
  const slow = random.pick([1, 10, 40])
  const cuts = Array.from({ length: 6 }, () => members.map(() => random.below(3)))
  const world = new World(
    optionsOf(seed, wiring, {
      members,
      hosts: members.map((node) => ({ node })),
      route: ({ from, to }, { random: dice, now }) => {
        const cut = cuts[Math.floor(now / 60) % cuts.length]
        if (cut !== undefined && cut[from.index] === 0 && cut[to.index] !== 0) return undefined
        return dice.chance(loses) ? undefined : 1 + dice.float() * slow
      },
    }),
  )
  return {
    world,
    about: `n=${n}, losing ${loses}, up to ${slow} ms`,
    chaosMs: 360,
    heal: () => {
      world.route = undefined
    },
  }
}

/** In drawn views commits reach one member only, or proposals nobody, while a primary makes the worst of it. */
const aimed: Maker = (random, seed, wiring) => {
  const n = random.pick([4, 4, 5, 7])
  const members = nodes(n)
  const lying = random.pick([
    'fork-old-tip',
    'fork-old-tip',
    'equivocate-by-subset',
    'equivocate-by-time',
    'skip-all-commit-all',
  ])
  const liars = random.sample(members, 1 + random.below(faultsTolerated(n)))
  const views = Array.from({ length: 12 }, () => ({
    commitsTo: random.chance(0.5) ? random.below(n) : undefined,
    proposals: random.chance(0.7),
  }))
  const hosts = members.map((node) => ({ node, behaviour: liars.includes(node) ? BEHAVIOURS[lying]?.() : undefined }))
  const world = new World(
    optionsOf(seed, wiring, {
      members,
      hosts,
      route: ({ from, to, message }, { random: dice }) => {
        const view = views[roundOf(from, message)]
        if (view?.proposals === false && message.kind === 'proposal' && from.honest) return undefined
        for (const of of commitsIn(message)) {
          const only = views[of]?.commitsTo
          if (only !== undefined && only !== to.index) return undefined
        }
        if (message.kind === 'blocks') return undefined
        return delayOf(dice)
      },
    }),
  )
  return {
    world,
    about: `n=${n}, ${liars.join(' ')} ${lying}`,
    chaosMs: 420,
    heal: () => {
      world.route = undefined
    },
  }
}

/** Views that a message tells commits of, asked once for each of its receivers in a row. */
function commitsIn(message: Envelope['message']): readonly number[] {
  if (latest?.message !== message) latest = { message, commits: findCommits(message) }
  return latest.commits
}

let latest: { readonly message: Envelope['message']; readonly commits: readonly number[] } | undefined

function findCommits(message: Envelope['message']): readonly number[] {
  if (message.kind === 'votes') return message.votes.flatMap(({ vote }) => (vote.kind === 'commit' ? [vote.view] : []))
  if (message.kind !== 'certificates' && message.kind !== 'standing') return []
  return message.certificates.flatMap((certificate) => (certificate.kind === 'commit' ? [certificate.view] : []))
}

const PLAYS: Readonly<Record<Kind, Maker>> = {
  twins: twins(false),
  fuzz,
  behaviour: behaviours(1),
  pair: behaviours(2),
  crash,
  membership,
  lossy,
  aimed,
  liars: twins(true),
}
