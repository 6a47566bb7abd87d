import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import type { AgentFacts, Submission } from '../../src/claims/index.ts'
import { Random } from '../../src/kernel/index.ts'

/** One node of a fleet: what its agent is, if it has one, and whether tasks are submitted at it. */
export interface Spot {
  readonly agent: Omit<AgentFacts, 'name'> | undefined
  readonly submits: boolean
}

export interface Job {
  /** Milliseconds after the first. */
  readonly atMs: number
  /** How long its agent works on it. */
  readonly runMs: number
  /** The machine that it is submitted at. */
  readonly machine: number
  readonly wants: Pick<Submission, 'skills' | 'resources' | 'require'>
}

export interface Workload {
  readonly name: string
  readonly spots: readonly Spot[]
  readonly jobs: readonly Job[]
  /** What was assumed, and what others published of the same. */
  readonly notes: readonly string[]
}

export const SWARMPLUS_SETS = ['mesh-10-100', 'mesh-30-500', 'hier-30-500', 'hier-110-1000'] as const
export type SwarmplusSet = (typeof SWARMPLUS_SETS)[number]

export interface SwarmplusOptions {
  readonly set: SwarmplusSet
  /** Workers of an agent: 3 in their architecture paper, 10 in their later configuration. */
  readonly slots: number
  readonly service: keyof typeof SERVICES
  readonly seed: string
}

/** How long a job takes: `flat` as they measured. */
const SERVICES = {
  flat: { words: '1 s each', msOf: (): number => 1000 },
  wall: { words: 'each as long as it says', msOf: (seconds: number): number => seconds * 1000 },
  none: { words: 'no work at all, so that nobody waits for a place', msOf: (): number => 0 },
} as const

/** SWARM+'s jobs on its fleet: four resources at once, and the data nodes that an agent can reach as labels. */
export function swarmplus({ set, slots, service, seed }: SwarmplusOptions): Workload {
  const fleet = rowsOf(`swarmplus/fleet-${set.slice(0, set.lastIndexOf('-'))}.csv`)
  const top = Math.max(...fleet.map(({ level }) => Number(level)))
  const spots = fleet.map((row): Spot => {
    const level = Number(row.level)
    return { agent: level === 0 ? agentOf(row, slots) : undefined, submits: level === top }
  })
  const random = new Random(`${seed}/${set}`)
  const submitters = [...spots.keys()].filter((machine) => spots[machine]?.submits === true)
  const jobs = rowsOf(`swarmplus/jobs-${set}.csv.gz`).map((row): Job => {
    const places = [...dtnsOf(row.data_in), ...dtnsOf(row.data_out)]
    return {
      atMs: Number(row.arrival_s) * 1000,
      runMs: SERVICES[service].msOf(Number(row.wall_time_s)),
      machine: random.pick(submitters),
      wants: { skills: ['job'], resources: resourcesOf(row), require: [...new Set(places)].sort() },
    }
  })
  return {
    name: `swarmplus ${set}`,
    spots,
    jobs,
    notes: [
      `${jobs.length} jobs on ${fleet.length} nodes, 20 every 0.5 s, ${slots} workers an agent, ${SERVICES[service].words}`,
      ...publishedFor(set),
    ],
  }
}

/** A day of an LLM service: requests as they came, to a fleet of which every second node has an agent. */
export function arrivals(options: {
  readonly compress: number
  readonly count: number
  readonly seed: string
}): Workload {
  const nodes = 16
  const { compress } = options
  const random = new Random(`${options.seed}/arrivals`)
  const rows = rowsOf('arrivals/AzureLLMInferenceTrace_code.csv.gz').slice(0, options.count)
  const timeOf = (row: Row | undefined): number =>
    Date.parse(`${(row?.TIMESTAMP ?? '').slice(0, 23).replace(' ', 'T')}Z`)
  const first = timeOf(rows[0])
  const jobs = rows.map(
    (row): Job => ({
      atMs: (timeOf(row) - first) / compress,
      runMs: (Number(row.ContextTokens) * PREFILL_MS + Number(row.GeneratedTokens) * DECODE_MS) / compress,
      machine: random.below(nodes),
      wants: { skills: ['llm'], resources: {}, require: [] },
    }),
  )
  const agent = { ...PLAIN, skills: [{ name: 'llm', proficiency: 1 }], slots: 2 }
  return {
    name: 'arrivals',
    spots: Array.from({ length: nodes }, (_, i) => ({ agent: i % 2 === 0 ? agent : undefined, submits: true })),
    jobs,
    notes: [
      `${jobs.length} requests of the Azure LLM inference trace (code, 2023; CC-BY-4.0), ${compress} times as fast as they came`,
      `a request takes ${PREFILL_MS} ms for each token of context and ${DECODE_MS} ms for each that it generates, as much faster`,
    ],
  }
}

/** Milliseconds per token on one replica of a mid-sized model: read, and written. */
const PREFILL_MS = 0.2
const DECODE_MS = 20

/** Tasks for many nodes at a steady rate, each submitted where nobody has its skill, so that each is negotiated. */
export function spread(options: {
  readonly nodes: number
  readonly perSecond: number
  readonly count: number
  readonly seed: string
}): Workload {
  const { nodes, perSecond, count } = options
  const random = new Random(`${options.seed}/spread`)
  const skillOf = (machine: number): number => machine % SPREAD_SKILLS
  const spots = Array.from({ length: nodes }, (_, machine): Spot => {
    const skills = [{ name: `skill${skillOf(machine)}`, proficiency: 1 }]
    return { agent: { ...PLAIN, skills, slots: 2 }, submits: true }
  })
  let atMs = 0
  const jobs = Array.from({ length: count }, (): Job => {
    atMs += random.exponential(1000 / perSecond)
    const machine = random.below(nodes)
    const skill = (skillOf(machine) + 1 + random.below(SPREAD_SKILLS - 1)) % SPREAD_SKILLS
    const wants = { skills: [`skill${skill}`], resources: {}, require: [] }
    return { atMs, runMs: random.exponential(SPREAD_RUN_MS), machine, wants }
  })
  return {
    name: `spread ${nodes}`,
    spots,
    jobs,
    notes: [
      `${count} tasks at ${perSecond} a second over ${nodes} nodes of ${SPREAD_SKILLS} skills, none at the node that it is submitted at`,
      `2 slots a node, ${SPREAD_RUN_MS} ms of work on average: ${((perSecond * SPREAD_RUN_MS) / (nodes * 20)).toFixed(0)}% of all slots are busy`,
    ],
  }
}

const SPREAD_SKILLS = 6
const SPREAD_RUN_MS = 200

const PLAIN: Omit<AgentFacts, 'name'> = { skills: [], slots: 1, resources: {}, labels: {}, price: 0 }

type Row = Readonly<Record<string, string>>

const DATA = new URL('../data/', import.meta.url)

function rowsOf(file: string): readonly Row[] {
  const bytes = readFileSync(new URL(file, DATA))
  const text = (file.endsWith('.gz') ? gunzipSync(bytes) : bytes).toString('utf8')
  const [head, ...lines] = text.split(/\r?\n/).filter((line) => line !== '')
  const names = (head ?? '').split(',')
  return lines.map((line) => {
    const values = line.split(',')
    return Object.fromEntries(names.map((name, i) => [name, values[i] ?? '']))
  })
}

function agentOf(row: Row, slots: number): Spot['agent'] {
  const labels = Object.fromEntries(dtnsOf(row.dtns).map((dtn) => [dtn, 'yes']))
  return { ...PLAIN, skills: [{ name: 'job', proficiency: 1 }], slots, resources: resourcesOf(row), labels }
}

function resourcesOf(row: Row): Readonly<Record<string, number>> {
  const amounts = { cpu: row.core, ram: row.ram_gb, disk: row.disk_gb, gpu: row.gpu }
  const entries = Object.entries(amounts).map(([unit, amount]) => [unit, Number(amount)] as const)
  return Object.fromEntries(entries.filter(([, amount]) => amount > 0))
}

/** `dtn3:0.9|dtn5:1G` names two. */
function dtnsOf(text: string | undefined): readonly string[] {
  return (text ?? '')
    .split('|')
    .filter((part) => part !== '')
    .map((part) => part.split(':')[0] ?? '')
}

interface Published {
  readonly config: string
  readonly selection_mean_s?: number | readonly number[]
  readonly selection_p95_s?: number | readonly number[]
}

/** The lines of their figures that a set is to be read next to. */
function publishedFor(set: SwarmplusSet): readonly string[] {
  const { published } = JSON.parse(readFileSync(new URL('swarmplus/published.json', DATA), 'utf8')) as {
    readonly published: readonly Published[]
  }
  const words = { 'mesh-10-100': 'mesh-10', 'mesh-30-500': 'mesh-30', 'hier-30-500': 'hier', 'hier-110-1000': 'hier' }[
    set
  ]
  return published
    .filter(({ config, selection_mean_s }) => config.includes(words) && selection_mean_s !== undefined)
    .map(({ config, selection_mean_s: mean, selection_p95_s: p95 }) => {
      return `published: ${config}: selection mean ${mean} s${p95 === undefined ? '' : `, p95 ${p95} s`}`
    })
}
