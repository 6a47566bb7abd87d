import { contradictionIn, type Decision, type Digest, type Evidence, type Message } from '../consensus/index.ts'
import type { NodeId } from '../kernel/index.ts'
import { BEHAVIOURS } from './behaviours.ts'
import type { Crypto } from './fakes.ts'
import type { Host } from './types.ts'
import { IN_WORDS } from './words.ts'
import { World } from './world.ts'

/** What is demanded of the honest members, and how much virtual time they have: many of the longest time-outs. */
const BLOCKS = 12
const OPERATIONS = 12
/** Height of the others from which on the follower hears them: beyond two checkpoints. */
const LATE_UNTIL = 11
const MEMBERS = 4
const PATIENCE_MS = 60_000
const SUBMIT_EVERY_MS = 8

/** One member lying in one way among three that do not: what was tried, what was decided, and what it left behind. */
export interface Trial {
  readonly lie: string
  readonly words: string
  readonly passed: boolean
  /** What went wrong; empty if it passed. */
  readonly problems: readonly string[]
  /** Messages that the liar sent, alive or dead. */
  readonly sentByLiar: number
  /** Messages that the others' codecs refused. */
  readonly refused: number
  readonly blocks: number
  readonly operations: number
  /** Views in which nothing was decided. */
  readonly viewsLost: number
  readonly virtualMs: number
  /** Whether the group has convicted the liar, and by which two votes. */
  readonly convicted: boolean
  readonly evidence: readonly string[]
}

export interface TrialOptions {
  /** Five ids: four members, of which the second lies, and one that follows and comes late. */
  readonly nodes: readonly NodeId[]
  readonly crypto: Crypto
  readonly seed: string
}

export const LIES: readonly string[] = Object.keys(BEHAVIOURS)

/** Runs one trial. Same options, same report. */
export function tryLie(lie: string, { nodes, crypto, seed }: TrialOptions): Trial {
  const [liar, follower] = [nodes[1], nodes[MEMBERS]]
  const hosts = nodes.map((node) => ({ node, behaviour: node === liar ? BEHAVIOURS[lie]?.() : undefined }))
  const world = new World({
    seed: `${seed} ${lie}`,
    members: nodes.slice(0, MEMBERS),
    hosts,
    crypto,
    // The follower has to catch up by what others show it, the liar too.
    route: ({ from, to }, { random, hosts: all }) => {
      const late = from.node === follower || to.node === follower
      return late && (all[0]?.core.height ?? 0) < LATE_UNTIL ? undefined : 1 + random.float() * 3
    },
  })
  const jury = new Jury()
  world.watcher = jury
  const submitted = new Set<number>()
  const submit = (): void => {
    const host = world.honest[submitted.size % (MEMBERS - 1)]
    if (host === undefined || submitted.size === OPERATIONS) return
    submitted.add(world.submit(host, `w:${submitted.size}`))
    world.after(SUBMIT_EVERY_MS, submit)
  }
  submit()
  // A block needs something to decide, so requests go on until there are enough of both.
  const keepBusy = (): void => {
    world.after(3 * SUBMIT_EVERY_MS, () => {
      const [host] = world.honest
      if (host !== undefined && submitted.size === OPERATIONS) world.submit(host, 'w:more')
      keepBusy()
    })
  }
  keepBusy()
  const decided = (): boolean =>
    world.honest.every((host) => host.core.height >= BLOCKS) && [...submitted].every((id) => world.outcomes.has(id))
  const done = world.run(PATIENCE_MS, () => submitted.size === OPERATIONS && decided())
  const applied = [...submitted].filter((id) => world.outcomes.get(id)?.kind === 'applied').length
  const problems = [
    ...(done ? [] : [`only ${jury.blocks} blocks in ${PATIENCE_MS / 1000} s of virtual time`]),
    ...(applied === OPERATIONS ? [] : [`${OPERATIONS - applied} of ${OPERATIONS} operations were not applied`]),
    ...jury.problems(liar),
  ]
  return {
    lie,
    words: IN_WORDS[lie] ?? '',
    passed: problems.length === 0,
    problems,
    sentByLiar: jury.sentByLiar,
    refused: jury.refused,
    blocks: jury.blocks,
    operations: jury.operations,
    viewsLost: jury.viewsLost,
    virtualMs: Math.round(world.now),
    convicted: jury.evidence.length > 0,
    evidence: jury.evidence.map(contradictionIn),
  }
}

/** Compares what the honest members decided. Knows decisions only, not how they came about. */
class Jury {
  readonly #at = new Map<number, Digest>()
  readonly #differ: string[] = []
  readonly #evidence = new Map<NodeId, Evidence>()
  #lastView = 0
  #epoch = 1
  sentByLiar = 0
  refused = 0
  operations = 0
  viewsLost = 0

  get blocks(): number {
    return this.#at.size
  }

  get evidence(): readonly Evidence[] {
    return [...this.#evidence.values()]
  }

  onSend(host: Host, _message: Message): void {
    if (!host.honest) this.sentByLiar += 1
  }

  onRefused(): void {
    this.refused += 1
  }

  onDecision(_host: Host, { block, digest, results, certificate }: Decision): void {
    const { height, epoch } = block.header
    const known = this.#at.get(height)
    if (known !== undefined && known !== digest) this.#differ.push(`two blocks at height ${height}`)
    if (known !== undefined) return
    this.#at.set(height, digest)
    for (const { outcomes } of results) this.operations += outcomes.filter(({ kind }) => kind === 'applied').length
    if (epoch !== this.#epoch) this.#lastView = 0
    this.#epoch = epoch
    this.viewsLost += Math.max(0, certificate.view - this.#lastView - 1)
    this.#lastView = Math.max(this.#lastView, certificate.view)
  }

  onConvicted(_host: Host, evidence: Evidence): void {
    this.#evidence.set(evidence.signer, evidence)
  }

  problems(liar: NodeId | undefined): readonly string[] {
    const innocent = [...this.#evidence.keys()].filter((node) => node !== liar)
    return [...this.#differ, ...innocent.map((node) => `${node} is honest and was convicted`)]
  }
}
