import type {
  Block,
  CheckpointCertificate,
  CommitCertificate,
  Epoch,
  Height,
  Message,
} from '../../src/consensus/index.ts'
import { headerShape, KIND_OF_MESSAGE, payloadShape } from '../../src/consensus/index.ts'
import { encodeOperation } from '../../src/council/index.ts'
import type { NodeId, Random } from '../../src/kernel/index.ts'
import type { SimPort, Simulation, SwarmProgram } from '../../src/sim/index.ts'
import { COUNCIL, type Decided, encodeBody, type Message as SwarmMessage } from '../../src/swarm/index.ts'
import { encode } from '../../src/wire/index.ts'
import { AUTHORITY, sha256 } from './council-node.ts'

/** Mean gap between two lies. */
const LIE_EVERY_MS = 1_500
/** Pieces of a state that never was, and about when they come. */
const PIECES = 10
const PIECES_OVER_MS = 3

/**
 * A follower that tells whoever it is linked to of decisions that nobody made: altered ones, further ones, checkpoints and
 * pieces of state. Nobody may believe a word (GR-4).
 */
export class CouncilLiar {
  readonly #sim: Simulation<SwarmProgram>
  readonly #machines: readonly number[]
  readonly #random: Random
  /** Messages that were lies. */
  lies = 0

  constructor(sim: Simulation<SwarmProgram>, machines: readonly number[], random: Random) {
    this.#sim = sim
    this.#machines = machines
    this.#random = random
  }

  begin(): void {
    for (const machine of this.#machines) this.#next(machine)
  }

  #next(machine: number): void {
    this.#sim.queue.call(this.#sim.now + this.#random.exponential(LIE_EVERY_MS), () => {
      this.#lie(machine)
      this.#next(machine)
    })
  }

  #lie(machine: number): void {
    const port = this.#sim.network.portOf(machine)
    const { council } = this.#sim.programOf(machine) ?? {}
    const process = this.#sim.processOf(machine)
    if (port === undefined || council === undefined || process?.paused !== false) return
    const { core, log } = council.host
    const decided = log.lastDecision
    if (decided === undefined) return
    const stable = core.status().checkpoint?.height ?? core.height
    const message = this.#draw(decided, { height: core.height, epoch: core.epoch, stable }, core.handovers.at(-1))
    for (const peer of port.linkedPeers) this.#tell(port, peer, message)
  }

  /** Somebody takes over a state: pieces of another one get there first, if they can. */
  interfere(victim: NodeId, height: Height): void {
    for (const machine of this.#machines) {
      const port = this.#sim.network.portOf(machine)
      if (port?.isLinked(victim) !== true || this.#sim.processOf(machine)?.paused !== false) continue
      for (let i = 0; i < PIECES; i++) {
        this.#sim.processOf(machine)?.later(() => {
          this.#tell(port, victim, { kind: 'chunk', height, index: i % 5, bytes: this.#bytes() })
        }, this.#sim.now + this.#random.exponential(PIECES_OVER_MS))
      }
    }
  }

  #tell(port: SimPort, peer: NodeId, message: Message): void {
    const body = encodeBody({ kind: KIND_OF_MESSAGE[message.kind], body: { group: COUNCIL, message } } as SwarmMessage)
    this.lies += 1
    port.send(peer, KIND_OF_MESSAGE[message.kind], body)
  }

  #draw(
    decided: Decided,
    { height, epoch, stable }: { readonly height: Height; readonly epoch: Epoch; readonly stable: Height },
    handover: CheckpointCertificate | undefined,
  ): Message {
    const { block, commit } = decided
    const kind = this.#random.below(5)
    if (kind === 0) {
      // Another block in the place of one that was decided.
      const other = forged(block, block.header.height, block.header.parent)
      return blocks([other], { ...commit, digest: digestOf(other) })
    }
    if (kind === 1 || kind === 2) {
      // What comes next, certified by the votes for something else, or by nearly nobody.
      const parent = block.header.height === height ? digestOf(block) : block.header.parent
      const next = forged({ ...block, header: { ...block.header, epoch } }, (height + 1) as Height, parent)
      const signatures = kind === 1 ? commit.signatures : commit.signatures.slice(0, 1)
      return blocks([next], { ...commit, epoch, digest: digestOf(next), signatures })
    }
    if (kind === 3 && handover !== undefined) {
      const vote = { ...handover.vote, epoch, height: (height + 8) as Height, root: '22'.repeat(32) as never }
      return { kind: 'blocks', blocks: [], commit: undefined, checkpoints: [{ ...handover, vote }] }
    }
    return { kind: 'chunk', height: stable, index: this.#random.below(5), bytes: this.#bytes() }
  }

  #bytes(): Uint8Array {
    return Uint8Array.from({ length: 64 }, () => this.#random.below(256))
  }
}

/** A block in which the organisation gives itself a tenant that it has not asked for. */
function forged({ header, requests }: Block, height: Height, parent: Block['header']['parent']): Block {
  const operation = encodeOperation({
    expect: undefined,
    act: { kind: 'tenant', name: 'forged', weight: 666, quotas: {} },
  })
  const request = {
    client: AUTHORITY as NodeId,
    session: 1_000_000,
    nonce: height,
    floor: 0 as Height,
    operations: [operation],
  }
  const signature = requests[0]?.signature ?? new Uint8Array(64)
  const body = { requests: [{ request, signature }], evidence: [] }
  return {
    header: { ...header, height, parent, boundary: false, payload: sha256(encode(payloadShape, body)) },
    ...body,
  }
}

function blocks(list: readonly Block[], commit: CommitCertificate): Message {
  return { kind: 'blocks', blocks: list, commit, checkpoints: [] }
}

function digestOf({ header }: Block): Block['header']['parent'] {
  return sha256(encode(headerShape, header))
}
