import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { RunningNode } from '../local-swarm.ts'

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url))

/** Where node-1 to node-5 stand. */
export const REGIONS = ['europe', 'europe', 'america', 'america', 'asia'] as const

type Language = 'TypeScript' | 'Python' | 'command'

interface Role {
  readonly name: string
  readonly language: Language
  /** Its node, from 0. */
  readonly node: number
  readonly slots: number
  readonly skills: readonly string[]
}

const ROLES: readonly Role[] = [
  { name: 'paris', language: 'TypeScript', node: 0, slots: 6, skills: ['complete', 'long-context'] },
  { name: 'berlin', language: 'Python', node: 1, slots: 6, skills: ['complete', 'long-context'] },
  { name: 'boston', language: 'TypeScript', node: 2, slots: 6, skills: ['complete', 'long-context'] },
  { name: 'denver', language: 'command', node: 3, slots: 2, skills: ['complete'] },
  { name: 'osaka', language: 'Python', node: 4, slots: 6, skills: ['complete', 'long-context'] },
]

/** The one that is killed in the middle. */
export const DOOMED_AGENT = 'boston'

/** An agent in a process of its own. */
export interface CastAgent extends Role {
  readonly process: ChildProcess
}

export interface CastOptions {
  readonly nodes: readonly RunningNode[]
  readonly directory: string
  /** The command line's script. */
  readonly program: string
  onSpawned(pid: number): void
}

/** All agents, each in a process of its own. Where there is no Python, TypeScript stands in for it. */
export class Cast {
  readonly agents: readonly CastAgent[]
  readonly #directory: string

  constructor({ nodes, directory, program, onSpawned }: CastOptions) {
    this.#directory = directory
    const hasPython = spawnSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))']).status === 0
    this.agents = ROLES.map((given) => {
      const role = given.language === 'Python' && !hasPython ? { ...given, language: 'TypeScript' as const } : given
      const process = start(role, nodes[role.node]?.socket ?? '', this.#book(role.name), program)
      if (process.pid !== undefined) onSpawned(process.pid)
      return { ...role, process }
    })
  }

  agent(name: string): CastAgent {
    const agent = this.agents.find((candidate) => candidate.name === name)
    if (agent === undefined) throw new Error(`there is no agent ${name}`)
    return agent
  }

  /** Tasks that agents brought to their end, one entry each time, by the books they keep themselves. */
  finished(): readonly string[] {
    return this.agents
      .map(({ name }) => this.#book(name))
      .filter((book) => existsSync(book))
      .flatMap((book) => readFileSync(book, 'utf8').split('\n').slice(0, -1))
  }

  /** Ends those that still run. */
  async dismiss(): Promise<void> {
    const running = this.agents.filter(({ process }) => process.exitCode === null && process.signalCode === null)
    const ended = running.map(({ process }) => once(process, 'exit'))
    for (const { process } of running) process.kill('SIGTERM')
    await Promise.all(ended)
  }

  #book(name: string): string {
    return join(this.#directory, `${name}.finished`)
  }
}

function start({ name, language, slots, skills }: Role, socket: string, book: string, program: string): ChildProcess {
  const args = [socket, name, String(slots), book, ...skills]
  const stdio: ['ignore', 'ignore', 'inherit'] = ['ignore', 'ignore', 'inherit']
  const node = [process.execPath, ...process.execArgv] as const
  if (language === 'Python') return spawn('python3', [here('agent.py'), ...args], { stdio })
  if (language === 'TypeScript') return spawn(node[0], [...node.slice(1), here('agent.ts'), ...args], { stdio })
  const wrapped = ['agent', '--socket', socket, '--name', name, '--slots', String(slots)]
  const wanted = skills.flatMap((skill) => ['--skill', skill])
  const env = { ...process.env, DEMO_AGENT: name, DEMO_BOOK: book }
  return spawn(node[0], [...node.slice(1), program, ...wrapped, ...wanted, '--', 'sh', here('agent.sh')], {
    // What it says of itself is for people at a terminal.
    stdio: 'ignore',
    env,
  })
}
