import { FAULT_KINDS, type RunResult } from '../../src/sim/index.ts'
import { commandArguments } from '../support/arguments.ts'
import { CAMPAIGNS, type Campaign, campaignOf } from './campaigns.ts'
import { runPlanted } from './planted-table.ts'
import { REPLAY_HELP, REPLAYS, runReplay } from './replay-table.ts'
import { run } from './wiring.ts'

/** Command line of the simulator: `npm run sim -- NAME [options]`. Exit 0: all held; 1: a violation; 2: bad usage. */

const HELP = `usage: npm run sim -- NAME [--count N] [--seed S] [--nodes N] [--trace] [--json]

${CAMPAIGNS.map(({ name, help, count }) => `  ${name.padEnd(12)} ${help} (${count} seeds)`).join('\n')}
  ${'consensus'.padEnd(12)} one group and its liars: B-1 to B-13 (--kind, --seconds, --replay KIND:SEED, --bugs)
  ${'planted'.padEnd(12)} every seeded bug (or those named after it), and the first seed that finds it
${REPLAY_HELP}

  --count N   that many seeds, from --seed on (default: see above, from 1)
  --seed S    without --count: this seed only
  --nodes N   another number of nodes
  --trace     print everything that happens, one line each
  --json      print one line of JSON per seed
`

interface Totals {
  seeds: number
  events: number
  virtualMs: number
  nodeHours: number
  falseDeaths: number
  m6NodeHours: number
  m6FalseDeaths: number
  convergedMsMax: number
  detectedMsMax: number
  readonly faults: Record<string, number>
  readonly figures: Record<string, number>
}

function main(): number {
  const [command = '', ...rest] = process.argv.slice(2)
  if (REPLAYS.some((each) => each === command)) return runReplay(command, rest)
  const { values, positionals } = commandArguments({
    allowPositionals: true,
    options: {
      count: { type: 'string' },
      seed: { type: 'string' },
      nodes: { type: 'string' },
      trace: { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [name] = positionals
  if (values.help || name === undefined) return usage(values.help ? 0 : 2)
  const count = wholeNumber(values.count)
  const nodes = wholeNumber(values.nodes)
  if (Number.isNaN(count) || Number.isNaN(nodes)) return usage(2, '--count and --nodes want a positive whole number')
  if (name === 'planted') return runPlanted(positionals.slice(1), count)
  const campaign = campaignOf(name)
  if (campaign === undefined) return usage(2, `there is no campaign called ${name}`)
  const first = values.seed ?? '1'
  const seeds = count === undefined && values.seed !== undefined ? 1 : (count ?? campaign.count)
  return runSeeds(campaign, first, seeds, nodes, values)
}

function runSeeds(
  campaign: Campaign,
  first: string,
  count: number,
  nodes: number | undefined,
  choices: { readonly trace: boolean; readonly json: boolean },
): number {
  const totals = newTotals()
  const startedAt = performance.now()
  const progress = process.stderr.isTTY && !choices.json && !choices.trace
  let failed = 0
  for (let i = 0; i < count; i++) {
    const seed = i === 0 ? first : String(Number(first) + i)
    const onTrace = choices.trace ? (line: string): void => console.log(line) : undefined
    const result = run(campaign.scenario(seed, nodes), { onTrace })
    add(totals, result)
    if (choices.json) console.log(JSON.stringify(result))
    if (result.violations.length > 0) {
      failed += 1
      report(campaign, seed, nodes, result)
    }
    if (progress) process.stderr.write(`\r${summary(totals, startedAt)} `)
  }
  if (progress) process.stderr.write('\n')
  if (!choices.json) console.log(describe(totals, startedAt, failed))
  return failed === 0 ? 0 : 1
}

function report(campaign: Campaign, seed: string, nodes: number | undefined, result: RunResult): void {
  for (const { clause, at, machine, text } of result.violations) {
    console.error(
      `\n${campaign.name} seed ${seed}: ${clause} at ${(at / 1000).toFixed(3)} s on machine ${machine}: ${text}`,
    )
  }
  const size = nodes === undefined ? '' : ` --nodes ${nodes}`
  console.error(`replay: npm run sim -- ${campaign.name} --seed ${seed}${size} --trace`)
}

function newTotals(): Totals {
  return {
    seeds: 0,
    events: 0,
    virtualMs: 0,
    nodeHours: 0,
    falseDeaths: 0,
    m6NodeHours: 0,
    m6FalseDeaths: 0,
    convergedMsMax: 0,
    detectedMsMax: 0,
    faults: Object.fromEntries(FAULT_KINDS.map((kind) => [kind, 0])),
    figures: {},
  }
}

function add(totals: Totals, result: RunResult): void {
  totals.seeds += 1
  totals.events += result.events
  totals.virtualMs += result.virtualMs
  totals.nodeHours += result.nodeHours
  totals.falseDeaths += result.falseDeaths
  if (result.m6) {
    totals.m6NodeHours += result.nodeHours
    totals.m6FalseDeaths += result.falseDeaths
  }
  totals.convergedMsMax = Math.max(totals.convergedMsMax, result.convergedMs ?? 0)
  totals.detectedMsMax = Math.max(totals.detectedMsMax, result.detectedMs ?? 0)
  for (const kind of FAULT_KINDS) totals.faults[kind] = (totals.faults[kind] ?? 0) + result.faults[kind]
  for (const [name, figure] of Object.entries(result.figures)) {
    totals.figures[name] = (totals.figures[name] ?? 0) + figure
  }
}

function summary(totals: Totals, startedAt: number): string {
  const seconds = (performance.now() - startedAt) / 1000
  const speed = totals.virtualMs / 1000 / seconds
  const events = totals.events / seconds / 1000
  return `${totals.seeds} seeds, ${seconds.toFixed(1)} s, ${(totals.seeds / seconds).toFixed(1)} seeds/s, ${events.toFixed(0)}k events/s, ${speed.toFixed(0)}x real time`
}

function describe(totals: Totals, startedAt: number, failed: number): string {
  const faults = FAULT_KINDS.filter((kind) => (totals.faults[kind] ?? 0) > 0)
  const perHour = totals.nodeHours === 0 ? 0 : totals.falseDeaths / totals.nodeHours
  const figures = Object.entries(totals.figures).map(([name, figure]) => `${name} ${figure}`)
  return [
    summary(totals, startedAt),
    `failed: ${failed}`,
    ...(figures.length === 0 ? [] : [`met: ${figures.join(', ')}`]),
    `node-hours: ${totals.nodeHours.toFixed(2)}; declared dead while running, whatever the fault: ${totals.falseDeaths} (${perHour.toFixed(3)} per node-hour)`,
    `M-6 weather (5% loss, 2 s pauses): ${totals.m6FalseDeaths} false deaths in ${totals.m6NodeHours.toFixed(2)} node-hours`,
    `views agreed after healing within ${(totals.convergedMsMax / 1000).toFixed(1)} s at most; a crash was known to all within ${(totals.detectedMsMax / 1000).toFixed(1)} s at most`,
    `faults: ${faults.map((kind) => `${kind} ${totals.faults[kind]}`).join(', ') || 'none'}`,
  ].join('\n')
}

function wholeNumber(text: string | undefined): number | undefined {
  if (text === undefined) return undefined
  return /^[1-9][0-9]{0,8}$/.test(text) ? Number(text) : Number.NaN
}

function usage(code: number, problem?: string): number {
  if (problem !== undefined) console.error(problem)
  console.error(HELP)
  return code
}

// Consensus has a world of its own, and the same way in.
if (process.argv[2] === 'consensus') await import('../byzantine/run.ts')
else process.exitCode = main()
