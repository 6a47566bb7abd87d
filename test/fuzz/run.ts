import { parseArgs } from 'node:util'
import { type CampaignResult, judge, runCampaign } from './campaign.ts'
import type { FuzzTarget } from './target.ts'
import { findTargets } from './targets.ts'

const INPUTS_COUNT = 1_000_000
const INPUTS_COUNT_CI = 50_000

const { values: flags } = parseArgs({
  options: {
    count: { type: 'string' },
    seed: { type: 'string' },
    target: { type: 'string' },
    input: { type: 'string' },
    ci: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    help: { type: 'boolean', default: false },
  },
})

const USAGE = `npm run fuzz -- [--count N] [--seed S] [--target NAME] [--ci] [--json]
npm run fuzz -- --target NAME --input HEX      replays one input`

process.exitCode = await main()

async function main(): Promise<number> {
  if (flags.help) {
    console.log(USAGE)
    return 0
  }
  const all = await findTargets()
  const targets = flags.target === undefined ? all : all.filter(({ name }) => name === flags.target)
  const inputCount = flags.count === undefined ? (flags.ci ? INPUTS_COUNT_CI : INPUTS_COUNT) : Number(flags.count)
  if (targets.length === 0 || !Number.isSafeInteger(inputCount) || inputCount < 1) {
    console.error(`${USAGE}\ntargets:\n  ${all.map(({ name }) => name).join('\n  ')}`)
    return 2
  }
  if (flags.input !== undefined) return replay(targets, flags.input)
  return campaign(targets, inputCount, flags.seed ?? (flags.ci ? '1' : String(process.pid)))
}

function replay(targets: readonly FuzzTarget[], hex: string): number {
  const input = new Uint8Array(Buffer.from(hex, 'hex'))
  const results = targets.map((target) => ({ target: target.name, ...judge(target, input) }))
  for (const result of results) console.log(flags.json ? JSON.stringify(result) : result)
  return results.some(({ fault }) => fault !== undefined) ? 1 : 0
}

async function campaign(targets: readonly FuzzTarget[], inputCount: number, seed: string): Promise<number> {
  const startedAt = Date.now()
  const onTerminal = process.stderr.isTTY && !flags.json
  const result = await runCampaign({
    targets,
    inputCount,
    seed,
    onProgress: (done) => {
      if (onTerminal) process.stderr.write(`\rfuzz: ${done} of ${inputCount} inputs, ${targets.length} targets`)
    },
  })
  if (onTerminal) process.stderr.write('\r\u001b[K')
  const seconds = (Date.now() - startedAt) / 1000
  console.log(flags.json ? JSON.stringify({ ...result, seed, seconds }) : report(result, seed, seconds))
  return result.finding === undefined ? 0 : 1
}

function report(result: CampaignResult, seed: string, seconds: number): string {
  const { inputCount, acceptedCount, targetCount, finding } = result
  const summary = `fuzz: ${inputCount} inputs to ${targetCount} targets, ${acceptedCount} accepted, ${seconds.toFixed(1)} s, seed ${seed}`
  if (finding === undefined) return `${summary}: nothing found`
  const replayed = `npm run fuzz -- --target ${finding.target} --input ${finding.input}`
  return `${summary}\nFINDING in ${finding.target}: ${finding.what}\nreplay: ${replayed}`
}
