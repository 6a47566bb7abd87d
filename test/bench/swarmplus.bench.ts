import { mkdtempSync, rmSync } from 'node:fs'
import { cpus, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { omniscientWaitsMs } from '../sim/omniscient.ts'
import { spreadOf, textOf } from '../sim/replay-table.ts'
import { SWARMPLUS_SETS, type SwarmplusSet, swarmplus, type Workload } from '../sim/workloads.ts'
import { commandArguments } from '../support/arguments.ts'
import { JobSwarm, type Pass } from './swarmplus/job-swarm.ts'

/**
 * The job sets of SWARM+ (10 agents and 100 jobs, 30 and 500, 110 and 1,000) on real processes, with the columns of
 * `npm run sim -- swarmplus`. Ours share the cores of this machine, which is said on screen.
 *
 * Usage: npm run bench -- swarmplus [--set mesh-10-100,…] [--processes 60] [--service flat|wall|none] [--slots 10]
 * [--passes 2] [--json]. With fewer processes than nodes several agents share one. In the first pass nodes meet.
 */

const { values } = commandArguments({
  options: {
    set: { type: 'string', default: 'mesh-10-100' },
    /** At most so many; all the nodes of a set have one each when there are enough. */
    processes: { type: 'string', default: '60' },
    service: { type: 'string', default: 'flat' },
    slots: { type: 'string', default: '10' },
    passes: { type: 'string', default: '2' },
    seed: { type: 'string', default: '1' },
    directory: { type: 'string', default: tmpdir() },
    json: { type: 'boolean', default: false },
  },
})

for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))
process.exitCode = await main(values.set.split(','))
process.exit()

async function main(names: readonly string[]): Promise<number> {
  const sets = names.filter((name): name is SwarmplusSet => SWARMPLUS_SETS.includes(name as SwarmplusSet))
  const { service } = values
  if (sets.length < names.length || (service !== 'flat' && service !== 'wall' && service !== 'none')) {
    console.error(`--set: ${SWARMPLUS_SETS.join(', ')}; --service: flat, wall, none`)
    return 2
  }
  let isWhole = true
  for (const set of sets) {
    const workload = swarmplus({ set, slots: Number(values.slots), service, seed: values.seed })
    for (const pass of await passesOf(workload)) isWhole &&= pass.jobs.every(({ state }) => state === 'completed')
  }
  return isWhole ? 0 : 1
}

async function passesOf(workload: Workload): Promise<readonly Pass[]> {
  const processes = Math.min(Number(values.processes), workload.spots.length)
  const directory = mkdtempSync(join(values.directory, 'swarm-node-swarmplus-'))
  const show = (text: string): void => {
    if (!values.json) console.log(text)
  }
  show([workload.name, ...workload.notes.map((note) => `  ${note}`), `  ${machineOf(workload, processes)}`].join('\n'))
  const swarm = new JobSwarm(workload, processes, (progress) => console.error(`  … ${progress}`))
  // After its processes have been killed, which its own listener does.
  process.once('exit', () => rmSync(directory, { recursive: true, force: true }))
  const passes: Pass[] = []
  try {
    await swarm.start(directory)
    for (let i = 0; i < Number(values.passes); i++) {
      const pass = await swarm.run()
      passes.push(pass)
      show(`\n${i === 0 ? 'first pass, in which nodes meet' : 'again'}\n${tableOf(workload, pass)}`)
      if (values.json) console.log(JSON.stringify({ set: workload.name, processes, pass: i + 1, ...figuresOf(pass) }))
    }
    show('')
    return passes
  } finally {
    swarm.kill()
  }
}

function machineOf({ spots }: Workload, processes: number): string {
  const shared =
    processes < spots.length ? `, so that ${(spots.length / processes).toFixed(1)} nodes of theirs share one` : ''
  const cores = `${cpus().length} x ${cpus()[0]?.model}, load ${loadavg()[0]?.toFixed(1)}`
  return `here: ${processes} processes${shared}, all on one machine (${cores}); theirs had machines of their own`
}

function figuresOf({ jobs, spanMs, messages, idlePerSecond }: Pass) {
  const completed = jobs.filter(({ state }) => state === 'completed')
  const all = (messages.sent + messages.gossiped) / jobs.length
  const idle = ((idlePerSecond.sent + idlePerSecond.gossiped) * spanMs) / 1000 / jobs.length
  const waits = (at: 'selectedAt' | 'startedAt') =>
    spreadOf(jobs.map((job) => (job[at] ?? Number.NaN) - job.submittedAt))
  return {
    jobs: jobs.length,
    completed: completed.length,
    jobsPerSecond: (completed.length * 1000) / spanMs,
    executedTwice: jobs.filter(({ executions }) => executions > 1).length,
    acceptedTwice: jobs.filter(({ endings }) => endings > 1).length,
    selectionMs: waits('selectedAt'),
    schedulingMs: waits('startedAt'),
    messagesPerTask: {
      claims: messages.claims / jobs.length,
      own: Math.max(0, all - idle),
      all,
      gossip: messages.gossiped / jobs.length,
    },
  }
}

function tableOf(workload: Workload, pass: Pass): string {
  const { completed, jobs, jobsPerSecond, executedTwice, acceptedTwice, ...figures } = figuresOf(pass)
  const { claims, own, all, gossip } = figures.messagesPerTask
  const share = ((100 * completed) / jobs).toFixed(1)
  return [
    `completed                 ${share}% of ${jobs}, ${jobsPerSecond.toFixed(1)} a second; executed twice: ${executedTwice}, accepted twice: ${acceptedTwice}`,
    `selection (award), ms     ${textOf(figures.selectionMs)}`,
    `scheduling (agent), ms    ${textOf(figures.schedulingMs)}`,
    `  if all were known, ms    ${textOf(spreadOf(omniscientWaitsMs(workload)))}`,
    `messages per task         ${own.toFixed(1)}, ${claims.toFixed(1)} of them to place it and end it (with what the idle swarm sends anyway ${all.toFixed(1)}, of which gossip ${gossip.toFixed(1)})`,
  ].join('\n')
}
