import { setTimeout as delay } from 'node:timers/promises'
import { stopDaemon } from '../cli/stop.ts'
import type { Terminal } from '../cli/terminal.ts'
import { LocalSwarm, type RunningNode } from '../local-swarm.ts'
import { waitForExit } from '../processes.ts'
import { statusOf } from '../spawn-daemon.ts'
import { Cast, type CastAgent, DOOMED_AGENT, REGIONS } from './cast.ts'
import { NodeEntrance } from './entrances.ts'
import { measuredViews, problemsOf } from './members.ts'
import { type Answered, type Entrance, Player } from './player.ts'
import { membersTable, reportOf } from './report.ts'
import { type Served, tallyOf } from './tally.ts'
import { DECODE_MS_PER_TOKEN, PREFILL_TOKENS_PER_SECOND, readTrace, serviceMs, type TraceRequest } from './trace.ts'

const NODE_COUNT = REGIONS.length

/** The node that is killed, from 0: it coordinates tasks of its own and runs those of others. */
const DOOMED_NODE = 1

/** Shares of the requests after which the agent and the node are killed, and how long the node stays away. */
const AGENT_DIES_AT = 0.3
const NODE_DIES_AT = 0.5
const NODE_AWAY_MS = 4_000

const ATTACH_TIMEOUT_MS = 30_000
const EXIT_TIMEOUT_MS = 5_000
const POLL_MS = 100

/** Answers looked up at once at the end. */
const LOOKUPS_AT_ONCE = 64

/** Requests without an answer that are named; the rest is counted. */
const FAILURES_SHOWN_MAX = 5

export interface ShowOptions {
  readonly terminal: Terminal
  readonly directory: string
  /** The command line's script. */
  readonly program: string
  /** Requests of the trace that are played, from its beginning. */
  readonly requestCount: number
  /** How many seconds of the trace pass in one. */
  readonly speed: number
  onSpawned(pid: number): void
}

/** A swarm at real work, while an agent and a node are killed. */
export class Show {
  readonly #options: ShowOptions
  readonly #swarm: LocalSwarm
  readonly #startedAt = performance.now()

  constructor(options: ShowOptions) {
    this.#options = options
    const { directory, program, onSpawned } = options
    this.#swarm = new LocalSwarm({ directory, program, detached: false, regions: REGIONS, onSpawned })
  }

  /** @returns the exit code: 0 when nothing was lost and nothing accepted twice */
  async run(): Promise<number> {
    const { directory, program, onSpawned, terminal } = this.#options
    this.#print(terminal.colours.bold(`A swarm of ${NODE_COUNT} processes in three regions, on this machine`))
    const nodes = await this.#bringUp('starting')
    this.#done(`${NODE_COUNT} nodes run and see each other`)
    const problems = [...(await this.#showMembers(nodes))]

    const cast = new Cast({ nodes, directory, program, onSpawned })
    const entrances = await Promise.all(nodes.map(NodeEntrance.at))
    await this.#attached(nodes, cast.agents.length)
    this.#done(`${cast.agents.length} agents attached: ${cast.agents.map(agentWords).join(', ')}`)

    const player = await this.#play(nodes, cast, entrances)
    const served = await lookUp(player.answered, entrances)
    const tally = tallyOf(player.submitted, served, cast.finished())
    const places = new Map(nodes.map(({ status, name }, i) => [status.node, `${name} (${REGIONS[i]})`]))
    this.#print(`\n${reportOf(tally, places, terminal.colours)}\n`)
    for (const entrance of entrances) entrance.close()
    await cast.dismiss()
    await this.#stop(nodes)

    problems.push(...player.failures.slice(0, FAILURES_SHOWN_MAX))
    if (tally.lost > 0) problems.push(`${tally.lost} requests have no result`)
    if (tally.acceptedTwice > 0) problems.push(`${tally.acceptedTwice} tasks have two results`)
    for (const problem of problems) this.#print(`${terminal.colours.red('✗')} ${problem}`)
    return problems.length === 0 ? 0 : 1
  }

  async #bringUp(label: string): Promise<readonly RunningNode[]> {
    const { terminal } = this.#options
    const starting = terminal.meter(label, NODE_COUNT)
    starting.update(0)
    try {
      return await this.#swarm.up(NODE_COUNT, {
        started: (node, count) => starting.update(count, `${node.name} ${node.status.addresses[0] ?? ''}`),
        seen: (count) => starting.update(count, 'finding each other'),
      })
    } finally {
      starting.end()
    }
  }

  async #showMembers(nodes: readonly RunningNode[]): Promise<readonly string[]> {
    const views = await measuredViews(nodes)
    const { columns } = this.#options.terminal
    this.#print(`\nWho is here, and the round trip to it as each node measures it:\n${membersTable(views, columns)}\n`)
    return problemsOf(views)
  }

  /** Waits until every agent is known to its node. */
  async #attached(nodes: readonly RunningNode[], agentCount: number): Promise<void> {
    const until = performance.now() + ATTACH_TIMEOUT_MS
    for (;;) {
      const statuses = await Promise.all(nodes.map((node) => statusOf(node.socket)))
      const count = statuses.reduce((sum, status) => sum + (status?.agents ?? 0), 0)
      if (count >= agentCount) return
      if (performance.now() > until) throw new Error(`only ${count} of ${agentCount} agents attached`)
      await delay(POLL_MS)
    }
  }

  async #play(nodes: readonly RunningNode[], cast: Cast, entrances: readonly NodeEntrance[]): Promise<Player> {
    const { terminal, requestCount, speed } = this.#options
    const requests = readTrace().slice(0, requestCount)
    for (const text of scriptOf(requests, speed)) this.#print(text)
    const meter = terminal.meter('answered', requests.length)
    const incidents: Promise<void>[] = []
    const pending = [
      { at: Math.floor(AGENT_DIES_AT * requests.length), happen: () => this.#killAgent(cast) },
      { at: Math.floor(NODE_DIES_AT * requests.length), happen: () => this.#killNode(nodes) },
    ]
    const player = new Player({
      requests,
      speed,
      entrances,
      submitting: (index) => {
        if (pending[0] === undefined || index < pending[0].at) return
        incidents.push(pending.shift()?.happen() ?? Promise.resolve())
      },
      progress: (submitted, answered) => meter.update(answered, `${submitted - answered} open`),
    })
    await player.play()
    await Promise.all(incidents)
    meter.end()
    this.#done('every request is answered, or never will be')
    return player
  }

  async #killAgent(cast: Cast): Promise<void> {
    const { process } = cast.agent(DOOMED_AGENT)
    process.kill('SIGKILL')
    this.#event(`agent ${DOOMED_AGENT} is killed (SIGKILL): its tasks are offered to others`)
  }

  async #killNode(nodes: readonly RunningNode[]): Promise<void> {
    const doomed = nodes[DOOMED_NODE]
    if (doomed === undefined) return
    process.kill(doomed.status.pid, 'SIGKILL')
    await waitForExit(doomed.status.pid, EXIT_TIMEOUT_MS)
    this.#event(`${doomed.name} is killed (SIGKILL), and with it the coordinator of every fifth task`)
    await delay(NODE_AWAY_MS)
    await this.#swarm.up(NODE_COUNT, { started: () => {}, seen: () => {} })
    this.#event(`${doomed.name} is back from its disk, and goes on with the tasks it had accepted`)
  }

  async #stop(nodes: readonly RunningNode[]): Promise<void> {
    const meter = this.#options.terminal.meter('stopping', nodes.length)
    for (const [i, node] of nodes.entries()) {
      meter.update(i, node.name)
      await stopDaemon({ socket: node.socket, token: undefined })
    }
    meter.end()
    this.#done('all stopped in order')
  }

  #done(text: string): void {
    this.#print(`${this.#options.terminal.colours.green('✓')} ${this.#at()} ${text}`)
  }

  /** In the middle of a progress bar, which draws itself again. */
  #event(text: string): void {
    if (process.stderr.isTTY === true) process.stderr.write('\r\u001b[2K')
    this.#print(`${this.#options.terminal.colours.yellow('!')} ${this.#at()} ${text}`)
  }

  #at(): string {
    return this.#options.terminal.colours.dim(
      `${((performance.now() - this.#startedAt) / 1000).toFixed(1).padStart(5)} s `,
    )
  }

  #print(text: string): void {
    process.stdout.write(`${text}\n`)
  }
}

/** What is about to be played, and on what assumptions. */
function scriptOf(requests: readonly TraceRequest[], speed: number): readonly string[] {
  const minutes = (requests.at(-1)?.atMs ?? 0) / 60_000
  const meanMs = requests.reduce((sum, request) => sum + serviceMs(request), 0) / requests.length
  return [
    `\n  ${requests.length} requests as they came to a code-completion service in Azure (CC BY 4.0, ISCA 2024): ${minutes.toFixed(1)} minutes,`,
    `  played ${speed} times as fast. Service time, assumed: context tokens / ${PREFILL_TOKENS_PER_SECOND} s + ${DECODE_MS_PER_TOKEN} ms for each generated token,`,
    `  in the mean ${meanMs.toFixed(0)} ms, here divided by ${speed} as well. Each is on disk before it is accepted.\n`,
  ]
}

function agentWords({ name, language, slots }: CastAgent): string {
  return `${name} (${language}, ${slots} slots)`
}

/** What the swarm says of every answered task in the end, asked at another node than the one that answered. */
async function lookUp(answered: readonly Answered[], entrances: readonly Entrance[]): Promise<readonly Served[]> {
  const served: Served[] = []
  const waiting = [...answered]
  const look = async () => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const here = entrances.indexOf(next.entrance)
      const other = entrances[(here + 1) % entrances.length]
      if (other !== undefined) served.push({ ...next, final: await other.get(next.task) })
    }
  }
  await Promise.all(Array.from({ length: LOOKUPS_AT_ONCE }, look))
  return served
}
