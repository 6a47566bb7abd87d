import { BEHAVIOURS } from '../../src/byzantine/index.ts'
import { commandArguments } from '../support/arguments.ts'
import { BUGS } from './bugs.ts'
import { printPaces } from './pace.ts'
import { KINDS, type Kind, type Result, runScenario } from './scenario.ts'

/** All messages go through their codec in one seed of so many (BZ-2). */
const CODEC_EVERY = 8
/** How often a campaign says how far it is. */
const TOLD_EVERY_MS = 5_000

const HELP = `usage: npm run sim -- consensus [--count N] [--from SEED] [--kind KIND,KIND] [--seconds S]

  --count N            so many scenarios (2000), the kinds in turn
  --from SEED          from this seed on (0)
  --kind KIND,KIND     only these of: ${KINDS.join(', ')}
  --seconds S          no longer than that
  --bug NAME           with a planted bug: this must fail
  --replay KIND:SEED   one scenario again
  --bugs               every planted bug (or that of --bug), and what finds it; --limit N scenarios at most (10000)
  --pace               how fast a group decides with f liars of each kind, in virtual time; --lie NAME for one of them
`

const TEXT = { type: 'string' } as const

const { values: flags } = commandArguments({
  // The name of this campaign, which brought us here.
  args: process.argv.slice(3),
  options: {
    count: { ...TEXT, default: '2000' },
    from: { ...TEXT, default: '0' },
    seconds: TEXT,
    limit: { ...TEXT, default: '10000' },
    kind: TEXT,
    bug: TEXT,
    replay: TEXT,
    lie: TEXT,
    bugs: { type: 'boolean', default: false },
    pace: { type: 'boolean', default: false },
    help: { type: 'boolean', short: 'h', default: false },
  },
})

process.exitCode = main()

function main(): number {
  if (flags.help) {
    console.log(HELP)
    return 0
  }
  const problem = unusable()
  if (problem !== undefined) {
    console.error(`${problem}\n${HELP}`)
    return 2
  }
  if (flags.replay !== undefined) return replay(flags.replay)
  if (flags.pace) return Math.min(1, printPaces(flags.lie))
  return Math.min(1, flags.bugs ? bugs() : campaign())
}

/** What of the flags makes no sense: a campaign of no scenarios must not pass. */
function unusable(): string | undefined {
  for (const name of ['count', 'from', 'seconds', 'limit'] as const)
    if (!/^[0-9]{1,9}$/.test(flags[name] ?? '0')) return `--${name} wants a whole number`
  if (Number(flags.count) === 0) return '--count wants at least 1'
  const kinds = flags.kind?.split(',') ?? []
  if (!kinds.every(isKind)) return `--kind wants some of ${KINDS.join(', ')}`
  if (flags.bug !== undefined && !Object.hasOwn(BUGS, flags.bug))
    return `--bug wants one of ${Object.keys(BUGS).join(', ')}`
  if (flags.lie !== undefined && !Object.hasOwn(BEHAVIOURS, flags.lie))
    return `--lie wants one of ${Object.keys(BEHAVIOURS).join(', ')}`
  const [kind = '', seed = ''] = flags.replay?.split(':') ?? ['twins', '0']
  if (!isKind(kind) || !/^[0-9]{1,9}$/.test(seed)) return '--replay wants a kind and a seed: twins:17'
  return undefined
}

function isKind(name: string): name is Kind {
  return KINDS.some((kind) => kind === name)
}

function replay(scenario: string): number {
  const [kind, seed] = scenario.split(':')
  if (report(kind as Kind, Number(seed)) === undefined) return 1
  console.log('passed')
  return 0
}

interface Spent {
  runs: number
  ms: number
  messages: number
  lies: number
  decisions: number
}

function campaign(): number {
  const count = Number(flags.count)
  const from = Number(flags.from)
  const seconds = Number(flags.seconds ?? Number.POSITIVE_INFINITY)
  const wanted = flags.kind?.split(',')
  const kinds = KINDS.filter((kind) => wanted === undefined || wanted.includes(kind))
  const started = performance.now()
  const spent = new Map<Kind, Spent>()
  let failures = 0
  let runs = 0
  const progress = progressOf(count)
  for (let seed = from; runs < count && performance.now() - started < seconds * 1000; seed++) {
    for (const kind of kinds) {
      if (runs >= count) break
      runs += 1
      const before = performance.now()
      const result = report(kind, seed)
      if (result === undefined) failures += 1
      else note(spent, kind, result, performance.now() - before)
      progress(runs, failures)
    }
    if (failures >= 20) break
  }
  tell(spent, { runs, failures, tookMs: performance.now() - started })
  return failures
}

/** Says on standard error now and then how far a campaign is. */
function progressOf(count: number): (runs: number, failures: number) => void {
  const started = performance.now()
  let toldAt = started
  return (runs, failures) => {
    const now = performance.now()
    if (now - toldAt < TOLD_EVERY_MS) return
    toldAt = now
    const perSecond = (runs / ((now - started) / 1000)).toFixed(0)
    process.stderr.write(`${runs} of ${count} scenarios, ${perSecond}/s, ${failures} failed\n`)
  }
}

function note(spent: Map<Kind, Spent>, kind: Kind, { messages, lies, decisions }: Result, ms: number): void {
  const entry = spent.get(kind) ?? { runs: 0, ms: 0, messages: 0, lies: 0, decisions: 0 }
  spent.set(kind, entry)
  entry.runs += 1
  entry.ms += ms
  entry.messages += messages
  entry.lies += lies
  entry.decisions += decisions
}

function tell(spent: ReadonlyMap<Kind, Spent>, all: { runs: number; failures: number; tookMs: number }): void {
  const took = all.tookMs / 1000
  // That of this thread alone: compiling, on others, is over after a thousand scenarios or two.
  const cpu = process.threadCpuUsage()
  const perCpu = all.runs / ((cpu.user + cpu.system) / 1e6)
  console.log(
    `${all.runs} scenarios in ${took.toFixed(1)} s (${(all.runs / took).toFixed(0)}/s; ${perCpu.toFixed(0)} per second of CPU), ${all.failures} failed`,
  )
  for (const [kind, { runs, ms, messages, lies, decisions }] of spent)
    console.log(
      `  ${kind.padEnd(11)} ${String(runs).padStart(6)} at ${(runs / (ms / 1000)).toFixed(0)}/s; each ${(messages / runs).toFixed(0)} messages, ${(lies / runs).toFixed(0)} lies, ${(decisions / runs).toFixed(1)} decisions`,
    )
}

/** What a scenario explored; undefined if it failed. */
function report(kind: Kind, seed: number): Result | undefined {
  const { bug } = flags
  try {
    const carriage = seed % CODEC_EVERY === 0 ? 'bytes' : 'objects'
    const result = runScenario(kind, seed, { carriage, ...(bug === undefined ? {} : BUGS[bug]?.wiring) })
    if (result.violations.length === 0) return result
    console.log(`FAILED ${kind}:${seed}  ${result.about}`)
    for (const { clause, what } of result.violations.slice(0, 3)) console.log(`  ${clause} ${what}`)
  } catch (error) {
    console.log(`FAILED ${kind}:${seed}  threw`, error)
  }
  console.log(`  again: npm run sim -- consensus --replay ${kind}:${seed}${bug === undefined ? '' : ` --bug '${bug}'`}`)
  return undefined
}

function bugs(): number {
  const limit = Number(flags.limit)
  let missed = 0
  console.log(`${'planted bug'.padEnd(34)} ${'clause'.padEnd(7)} found after  by`)
  for (const [name, bug] of Object.entries(BUGS)) {
    if (flags.bug !== undefined && flags.bug !== name) continue
    let found: string | undefined
    let scenarios = 0
    for (let seed = 0; found === undefined && scenarios < limit; seed++) {
      for (const kind of bug.kinds) {
        scenarios += 1
        const violation = violated(kind, seed, name)
        if (violation === undefined) continue
        found = `${kind}:${seed}  ${violation}`
        break
      }
    }
    if (found === undefined) missed += 1
    console.log(
      `${name.padEnd(34)} ${bug.clause.padEnd(7)} ${String(found === undefined ? 'never' : scenarios).padStart(11)}  ${found ?? ''}`,
    )
  }
  return missed
}

function violated(kind: Kind, seed: number, bug: string): string | undefined {
  try {
    const [first] = runScenario(kind, seed, BUGS[bug]?.wiring ?? {}).violations
    return first === undefined ? undefined : `${first.clause}: ${first.what}`.slice(0, 110)
  } catch (error) {
    return `threw: ${error instanceof Error ? error.message : String(error)}`
  }
}
