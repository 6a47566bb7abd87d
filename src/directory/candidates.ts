import type { NodeId, Random } from '../kernel/index.ts'
import { type Attribute, type Expression, evaluate } from './expression.ts'
import type { SkillSummary } from './messages.ts'
import type { DirectoryEntry } from './types.ts'

/** What each side of the score counts for; any non-negative numbers. */
export interface ScoreWeights {
  /** Near rather than far. */
  readonly latency: number
  /** Idle rather than busy. */
  readonly load: number
  readonly price: number
  /** Proficient rather than not. */
  readonly quality: number
  /** Fulfils what the task would prefer. */
  readonly preference: number
}

export const SCORE_WEIGHTS: ScoreWeights = { latency: 1, load: 2, price: 1, quality: 1, preference: 2 }

/** A round trip of this length halves the score for latency. */
const LATENCY_HALF_MS = 50
/** Score to the power of this is the weight in the draw: twice the score is drawn four times as often. */
const SHARPNESS = 2
/** Score for load of a node that has not now what is wanted of it. */
const SHORT_LOAD = 0.25
/** While an acquaintance has room, strangers are asked only for a better score by this factor (D-11). */
const STRANGER_GAIN = 1.25
/** So many of them are drawn at once. */
const STRANGERS_MAX = 2
/** Even the worst candidate keeps this weight, so that what digests got wrong can show. */
const WEIGHT_MIN = 1e-3

export interface CandidateRequest {
  /** All of them, at one node. */
  readonly skills: readonly string[]
  /** Amounts that somebody there must have, by unit; whether they are free now is a matter of score. */
  readonly resources: Readonly<Record<string, number>>
  readonly require: readonly Expression[]
  readonly prefer: readonly Expression[]
  readonly excluded: ReadonlySet<NodeId>
  readonly weights: ScoreWeights
}

/** Why a node was not a candidate, in the order in which it is asked. */
export type Obstacle = 'excluded' | 'not-accepting' | 'skill' | 'resources' | 'constraint'

export interface Candidate {
  readonly node: NodeId
  /** 0 to 1. */
  readonly score: number
  /** Free slots of the scarcest of the skills, as last heard. */
  readonly slotsFree: number
}

export interface CandidateChoice {
  /** Drawn, best first. */
  readonly chosen: readonly Candidate[]
  /** How many fulfilled the hard constraints. */
  readonly eligible: number
  readonly obstacles: Readonly<Record<Obstacle, number>>
}

export interface CandidateOptions {
  /** How many to draw (d). */
  readonly count: number
  readonly random: Random
  /** Round trip to that node, if it is known. */
  readonly rttMs: (node: NodeId) => number | undefined
  /** Nodes that can be asked without making a connection first. */
  readonly linked: ReadonlySet<NodeId>
}

/** Filter, score, and draw (D-8, D-9). Pure but for the random stream. O(entries). */
export function chooseCandidates(
  entries: Iterable<DirectoryEntry>,
  request: CandidateRequest,
  options: CandidateOptions,
): CandidateChoice {
  const obstacles: Record<Obstacle, number> = { excluded: 0, 'not-accepting': 0, skill: 0, resources: 0, constraint: 0 }
  const eligible: DirectoryEntry[] = []
  for (const entry of entries) {
    const obstacle = obstacleOf(entry, request)
    if (obstacle === undefined) eligible.push(entry)
    else obstacles[obstacle] += 1
  }
  const cheapest = eligible.reduce((least, entry) => Math.min(least, priceOf(entry, request)), Number.POSITIVE_INFINITY)
  const scored = eligible.map((entry) => ({
    node: entry.node,
    score: scoreOf(entry, request, cheapest, options.rttMs(entry.node)),
    slotsFree: scarcest(entry, request, (skill) => skill.slotsFree),
  }))
  return { chosen: draw(worthAsking(scored, options.linked), options), eligible: eligible.length, obstacles }
}

/** Why the node cannot do it, as far as its digest tells; undefined when nothing speaks against it. */
export function obstacleOf(entry: DirectoryEntry, request: CandidateRequest): Obstacle | undefined {
  if (request.excluded.has(entry.node)) return 'excluded'
  if (!entry.digest.accepting) return 'not-accepting'
  for (const name of request.skills) if (skillOf(entry, name) === undefined) return 'skill'
  for (const [unit, amount] of Object.entries(request.resources)) {
    if ((ownValue(entry.digest.capacity, unit) ?? 0) < amount) return 'resources'
  }
  // D-7: what is unknown does not exclude.
  const isBarred = request.require.some((expression) => evaluate(expression, attributesOf(entry)) === false)
  return isBarred ? 'constraint' : undefined
}

/** Labels, built-ins and resources under one roof, as expressions name them. */
export function attributesOf({ node, profile, digest }: DirectoryEntry): (name: string) => Attribute {
  return (name) => {
    switch (name) {
      case 'node':
        return [node]
      case 'org':
        return present(profile.org)
      case 'region':
        return present(profile.region)
      case 'zone':
        return present(profile.zone)
      case 'agent':
        return 'unknown'
    }
    // What the authority or the node says overrules its agents.
    const label = ownValue(profile.labels, name)
    if (label !== undefined) return [label]
    const labels = ownValue(digest.labels, name)
    if (labels !== undefined) return labels
    const amount = ownValue(digest.capacity, name)
    return amount === undefined ? [] : [String(amount)]
  }
}

function present(text: string): readonly string[] {
  return text === '' ? [] : [text]
}

/** Not what the prototype has under that name. */
function ownValue<T>(values: Readonly<Record<string, T>>, name: string): T | undefined {
  return Object.hasOwn(values, name) ? values[name] : undefined
}

function skillOf(entry: DirectoryEntry, name: string): SkillSummary | undefined {
  return entry.digest.skills.find((skill) => skill.name === name)
}

function scarcest(entry: DirectoryEntry, request: CandidateRequest, of: (skill: SkillSummary) => number): number {
  let least = Number.POSITIVE_INFINITY
  for (const name of request.skills) {
    const skill = skillOf(entry, name)
    if (skill !== undefined) least = Math.min(least, of(skill))
  }
  return least
}

function priceOf(entry: DirectoryEntry, request: CandidateRequest): number {
  let sum = 0
  for (const name of request.skills) sum += Math.max(0, skillOf(entry, name)?.price ?? 0)
  return sum
}

/** Weighted mean of the sides, each 0 (worst) to 1 (best). */
function scoreOf(
  entry: DirectoryEntry,
  request: CandidateRequest,
  cheapest: number,
  rttMs: number | undefined,
): number {
  const { weights, prefer } = request
  const price = priceOf(entry, request)
  const fulfilled = prefer.filter((expression) => evaluate(expression, attributesOf(entry)) === true).length
  const sides: readonly (readonly [weight: number, value: number])[] = [
    [weights.latency, LATENCY_HALF_MS / (LATENCY_HALF_MS + (rttMs ?? LATENCY_HALF_MS))],
    [weights.load, loadOf(entry, request)],
    [weights.price, price <= cheapest ? 1 : cheapest / price],
    [weights.quality, scarcest(entry, request, (skill) => skill.proficiencyThousandths / 1000)],
    [prefer.length === 0 ? 0 : weights.preference, prefer.length === 0 ? 0 : fulfilled / prefer.length],
  ]
  let sum = 0
  let whole = 0
  for (const [weight, value] of sides) {
    sum += weight * Math.min(1, value)
    whole += weight
  }
  return whole === 0 ? 1 : sum / whole
}

/** Who lacks now what it has on the whole is as busy as who has no free slot. */
function loadOf(entry: DirectoryEntry, request: CandidateRequest): number {
  const idle = request.skills.length === 0 ? 1 : scarcest(entry, request, idleness)
  const { resources } = entry.digest
  const isShort = Object.entries(request.resources).some(([unit, amount]) => (ownValue(resources, unit) ?? 0) < amount)
  return isShort ? Math.min(idle, SHORT_LOAD) : idle
}

/** Above a half with a free slot, below it with a queue. */
function idleness({ slotsFree, slotsTotal, queued }: SkillSummary): number {
  const slots = Math.max(1, slotsTotal)
  return slotsFree > 0 ? 0.5 + (0.5 * slotsFree) / slots : 0.5 / (1 + (1 + queued) / slots)
}

/**
 * D-11: to meet somebody costs each end 25 to 30 ms of a core. Were all drawn alike, a swarm with
 * more members than links would make and drop connections without end.
 */
function worthAsking(scored: readonly Candidate[], linked: ReadonlySet<NodeId>): readonly Candidate[] {
  const acquaintances = scored.filter(({ node }) => linked.has(node))
  if (!acquaintances.some(({ slotsFree }) => slotsFree > 0)) return scored
  const best = acquaintances.reduce((most, { score }) => Math.max(most, score), 0)
  return scored.filter(({ node, score }) => linked.has(node) || score > best * STRANGER_GAIN)
}

/** Weighted sampling without replacement: the d largest of u^(1/w), u uniform (Efraimidis, Spirakis). */
function draw(scored: readonly Candidate[], { count, linked, random }: CandidateOptions): readonly Candidate[] {
  const keyed = scored.map((candidate) => {
    const weight = Math.max(WEIGHT_MIN, candidate.score ** SHARPNESS)
    return { candidate, key: Math.log(random.float() + Number.MIN_VALUE) / weight }
  })
  keyed.sort((a, b) => b.key - a.key)
  let strangers = 0
  const chosen: Candidate[] = []
  for (const { candidate } of keyed) {
    if (chosen.length >= count) break
    if (!linked.has(candidate.node)) strangers += 1
    if (linked.has(candidate.node) || strangers <= STRANGERS_MAX) chosen.push(candidate)
  }
  return chosen.sort((a, b) => b.score - a.score || (a.node < b.node ? -1 : 1))
}
