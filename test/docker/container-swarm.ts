import type { AgentsReport, NodeStatus, PeerReport, PeersReport } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import type { Docker } from './command.ts'

const LABEL = 'org.swarm-node.test'
const PORT = 4001
const START_MS = 30_000
/** Docker's own time to stop a container before it kills it, in seconds. */
const STOP_SECONDS = '10'

/** What the image is promised to need: no capability, nothing to write but its volume. */
const CONFINED = ['--read-only', '--cap-drop', 'ALL', '--security-opt', 'no-new-privileges']

export interface Member {
  readonly name: string
  /** The networks it is attached to; the first is its region. */
  readonly regions: readonly string[]
  readonly node: string
}

/** Containers on Docker networks without a way to the outside, one network per region. */
export class ContainerSwarm {
  readonly #docker: Docker
  readonly #image: string
  readonly #run: string
  readonly members: Member[] = []

  /** @param run tells the containers and networks of this run from all others */
  constructor(docker: Docker, image: string, run: string) {
    this.#docker = docker
    this.#image = image
    this.#run = run
  }

  async createRegion(region: string): Promise<void> {
    await this.#docker.run(['network', 'create', '--internal', '--label', this.#label(), this.nameOf(region)])
  }

  /** Starts a node attached to these regions, and waits until it runs. */
  async start(name: string, regions: readonly string[], ticket?: string): Promise<Member> {
    const [home = '', ...others] = regions
    const options = ['--name', this.nameOf(name), '--hostname', name, '--label', this.#label()]
    const network = ['--network', this.nameOf(home), '--env', 'SWARM_NODE_NETWORK_RELAY_CLIENT=true']
    const listen = ['start', '--listen', `/ip4/0.0.0.0/tcp/${PORT}`, '--region', home]
    const join = ticket === undefined ? [] : ['--join', ticket]
    await this.#docker.run(['create', ...options, ...CONFINED, ...network, this.#image, ...listen, ...join])
    for (const region of others) await this.connect(name, region)
    return this.#started({ name, regions, node: '' })
  }

  /** Starts a container that had stopped. */
  async startAgain(member: Member): Promise<Member> {
    this.members.splice(this.members.indexOf(member), 1)
    return this.#started(member)
  }

  async stop(name: string): Promise<number> {
    await this.#docker.run(['stop', '--time', STOP_SECONDS, this.nameOf(name)])
    return Number(await this.inspect(name, '{{.State.ExitCode}}'))
  }

  async restart(name: string): Promise<void> {
    await this.#docker.run(['restart', '--time', STOP_SECONDS, this.nameOf(name)])
  }

  /** SIGKILL: nothing is said to anybody. */
  async kill(name: string): Promise<void> {
    await this.#docker.run(['kill', this.nameOf(name)])
  }

  async connect(name: string, region: string): Promise<void> {
    await this.#docker.run(['network', 'connect', this.nameOf(region), this.nameOf(name)])
  }

  async disconnect(name: string, region: string): Promise<void> {
    await this.#docker.run(['network', 'disconnect', this.nameOf(region), this.nameOf(name)])
  }

  inspect(name: string, format: string): Promise<string> {
    return this.#docker.run(['inspect', '--format', format, this.nameOf(name)])
  }

  /** Runs a program inside the container. */
  exec(name: string, ...args: readonly string[]): Promise<string> {
    return this.#docker.run(['exec', this.nameOf(name), ...args])
  }

  /** What a command of swarm-node prints there with `--json`. */
  async ask<T>(name: string, ...command: readonly string[]): Promise<T> {
    return JSON.parse(await this.exec(name, 'swarm-node', ...command, '--json')) as T
  }

  /** Attaches a shell script as an agent there, until the container stops, and waits until its node has it. */
  async attach(name: string, skill: string, script: string): Promise<void> {
    const agent = ['swarm-node', 'agent', '--skill', skill, '--', 'sh', '-c', script]
    await this.#docker.run(['exec', '--detach', this.nameOf(name), ...agent])
    await eventually(`an agent with the skill ${skill} on ${name}`, async () => {
      const { agents } = await this.ask<AgentsReport>(name, 'agents')
      return agents.some(({ skills }) => skills.some((other) => other.name === skill))
    })
  }

  status(name: string): Promise<NodeStatus> {
    return this.ask(name, 'status')
  }

  async ticket(name: string): Promise<string> {
    return (await this.ask<{ readonly ticket: string }>(name, 'ticket', 'create')).ticket
  }

  /** What one node says of another; undefined when it does not know it. */
  async view(from: string, of: Member): Promise<PeerReport | undefined> {
    const { peers } = await this.ask<PeersReport>(from, 'peers')
    return peers.find((peer) => peer.node === of.node)
  }

  /** The last lines of its log. */
  async logs(name: string): Promise<string> {
    const { stdout, stderr } = await this.#docker.said(['logs', '--tail', '5', this.nameOf(name)])
    return `${stdout}${stderr}`.trimEnd()
  }

  /** Everything that carries this run's label, whatever state it is in. */
  async remove(): Promise<void> {
    const docker = this.#docker.uninterrupted()
    const mine = ['--quiet', '--filter', `label=${this.#label()}`]
    for (const [list, remove] of [
      [
        ['ps', '--all', ...mine],
        ['rm', '--force', '--volumes'],
      ],
      [
        ['network', 'ls', ...mine],
        ['network', 'rm'],
      ],
    ] as const) {
      const found = await docker.run(list)
      if (found !== '') await docker.run([...remove, ...found.split('\n')])
    }
  }

  nameOf(part: string): string {
    return `${this.#run}-${part}`
  }

  #label(): string {
    return `${LABEL}=${this.#run}`
  }

  async #started(member: Member): Promise<Member> {
    await this.#docker.run(['start', this.nameOf(member.name)])
    const node = await eventually(`${member.name} to run`, () => this.#runningNode(member.name), START_MS)
    const started = { ...member, node }
    this.members.push(started)
    return started
  }

  async #runningNode(name: string): Promise<string | undefined> {
    if ((await this.inspect(name, '{{.State.Running}}')) !== 'true') throw new Error(await this.logs(name))
    const answers = await this.#docker.does(['exec', this.nameOf(name), 'swarm-node', 'status', '--json'])
    if (!answers) return undefined
    const status = await this.status(name)
    return status.state === 'running' ? status.node : undefined
  }
}
