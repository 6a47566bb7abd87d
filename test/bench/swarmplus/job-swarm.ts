import { setTimeout as delay } from 'node:timers/promises'
import { LocalSwarm } from '../../../node/local-swarm.ts'
import { connect, type SwarmClient } from '../../../src/index.ts'
import type { Job, Workload } from '../../sim/workloads.ts'
import { SETTLE_MS, type Traffic, trafficBetween, trafficOf, watchedMs } from '../swarm-traffic.ts'
import { bundledProgram } from '../work-daemon.ts'

/** What became of one job; milliseconds by the clock of this process, which sees all ends of it. */
export interface JobOutcome {
  readonly submittedAt: number
  /** Its coordinator said who gets it, last. */
  selectedAt: number | undefined
  /** An agent had it in hand, first. */
  startedAt: number | undefined
  executions: number
  /** How often its end was told. */
  endings: number
  state: string
}

export interface Pass {
  readonly jobs: readonly JobOutcome[]
  readonly spanMs: number
  readonly messages: Traffic
  readonly idlePerSecond: Pick<Traffic, 'sent' | 'claims' | 'gossiped'>
}

/** A job may wait for its turn that long. */
const WAIT_MS = 600_000
/** How often a pass says how far it is. */
const TOLD_MS = 10_000
/** Of the nodes that start, so many more make a line. */
const TOLD_NODES = 10

/** Real processes with the agents of a workload; its jobs come as they came there. */
export class JobSwarm {
  readonly #workload: Workload
  readonly #processes: number
  readonly #tell: (progress: string) => void
  readonly #pids = new Set<number>()
  #clients: readonly SwarmClient[] = []
  readonly #byTask = new Map<string, JobOutcome>()
  /** News of a task before its submitter knows its name. */
  readonly #early = new Map<string, Pick<JobOutcome, 'selectedAt' | 'endings'>>()
  #current: JobOutcome[] = []

  constructor(workload: Workload, processes: number, tell: (progress: string) => void) {
    this.#workload = workload
    this.#processes = processes
    this.#tell = tell
    process.once('exit', () => this.kill())
  }

  async start(directory: string): Promise<void> {
    const program = await bundledProgram()
    const swarm = new LocalSwarm({ directory, program, detached: false, onSpawned: (pid) => this.#pids.add(pid) })
    const members = await swarm.up(this.#processes, {
      started: (_, count) => {
        if (count % TOLD_NODES === 0) this.#tell(`${count} of ${this.#processes} nodes started`)
      },
      seen: (count) => this.#tell(`${count} of ${this.#processes} nodes see all others`),
    })
    this.#clients = await Promise.all(members.map(({ socket }) => connect({ socket, client: 'bench-swarmplus/1' })))
    for (const client of this.#clients) void this.#listen(client)
    const attached = this.#workload.spots.map(async ({ agent }, spot) => {
      if (agent === undefined) return
      const { tenants: _all, ...facts } = agent
      await this.#at(spot).attach({ ...facts, name: `agent-${spot}` }, (task) => this.#work(Number(task.trace)))
    })
    await Promise.all(attached)
    this.#tell(`agents attached; ${SETTLE_MS / 1000} s until the swarm has settled`)
    await delay(SETTLE_MS)
  }

  async run(): Promise<Pass> {
    const { jobs } = this.#workload
    const idleMs = watchedMs(this.#processes)
    this.#tell(`${idleMs / 1000} s to see what the swarm sends without work`)
    const quiet = await trafficOf(this.#clients)
    await delay(idleMs)
    const before = await trafficOf(this.#clients)
    const idle = trafficBetween(quiet, before)
    const startedAt = performance.now()
    this.#current = []
    const ends = jobs.map(async (job, number) => {
      await delay(job.atMs)
      await this.#submit(job, number)
    })
    await this.#whileTold(jobs.length, Promise.all(ends))
    const spanMs = performance.now() - startedAt
    const messages = trafficBetween(before, await trafficOf(this.#clients))
    const perSecond = (count: number): number => (count * 1000) / idleMs
    return {
      jobs: this.#current,
      spanMs,
      messages,
      idlePerSecond: {
        sent: perSecond(idle.sent),
        claims: perSecond(idle.claims),
        gossiped: perSecond(idle.gossiped),
      },
    }
  }

  async #whileTold(jobs: number, ended: Promise<unknown>): Promise<void> {
    const tell = (): void => {
      const done = this.#current.filter((job) => job !== undefined && job.endings > 0).length
      this.#tell(`${done} of ${jobs} jobs done`)
    }
    const timer = setInterval(tell, TOLD_MS)
    try {
      await ended
    } finally {
      clearInterval(timer)
    }
  }

  kill(): void {
    for (const pid of this.#pids) {
      try {
        process.kill(pid, 'SIGKILL')
      } catch {
        // It has ended already.
      }
    }
    this.#pids.clear()
  }

  #at(spot: number): SwarmClient {
    const client = this.#clients[spot % this.#clients.length]
    if (client === undefined) throw new Error('the swarm is not up')
    return client
  }

  async #submit({ machine, wants }: Job, number: number): Promise<void> {
    const client = this.#at(machine)
    const { skills, resources, require } = wants
    const job: JobOutcome = {
      submittedAt: performance.now(),
      selectedAt: undefined,
      startedAt: undefined,
      executions: 0,
      endings: 0,
      state: 'submitted',
    }
    this.#current[number] = job
    const options = { resources: { ...resources }, require: [...require], trace: String(number) }
    const { task } = await client.submit(skills, undefined, options)
    this.#byTask.set(task, job)
    const early = this.#early.get(task)
    this.#early.delete(task)
    if (early !== undefined) {
      job.selectedAt ??= early.selectedAt
      job.endings += early.endings
    }
    const record = await client.wait(task, { timeoutMs: WAIT_MS })
    job.state = record.state
    job.executions = record.executions
  }

  async #work(number: number): Promise<number> {
    const job = this.#current[number]
    if (job !== undefined) job.startedAt ??= performance.now()
    await delay(this.#workload.jobs[number]?.runMs ?? 0)
    return number
  }

  async #listen(client: SwarmClient): Promise<void> {
    for await (const { task, state } of await client.events({ kinds: ['task-changed'] })) {
      const name = String(task)
      const known = this.#byTask.get(name) ?? this.#early.get(name) ?? { selectedAt: undefined, endings: 0 }
      if (!this.#byTask.has(name)) this.#early.set(name, known)
      if (state === 'offered' || (state === 'running' && known.selectedAt === undefined)) {
        known.selectedAt = performance.now()
      }
      if (state === 'completed') known.endings += 1
    }
  }
}
