import { join } from 'node:path'
import { openKeys } from '../../node/keys.ts'
import { type Digest, type Epoch, type GroupId, type View, type Vote, voteBytes } from '../../src/consensus/index.ts'
import { createSigner, type MemberParty } from '../../src/identity/index.ts'
import { type NodeId, Random } from '../../src/kernel/index.ts'
import { createNetwork } from '../../src/net/index.ts'
import { NodeState, realClock, recall } from '../../src/runtime/index.ts'
import { openNodeLog } from '../../src/storage/index.ts'
import { encodeBody } from '../../src/swarm/codec.ts'
import type { NetworkHandler } from '../../src/wire/index.ts'

/** What a rogue is told by whoever starts it. */
export interface RogueOrders {
  /** The data directory of a validator that has stopped: its key, its certificate. */
  readonly data: string
  readonly epoch: number
  readonly view: number
  readonly victims: readonly { readonly node: string; readonly addresses: readonly string[] }[]
}

/** What it says every second. */
export interface RogueReport {
  /** Those that have ever let it in. */
  readonly met: number
  readonly votesSent: number
  readonly cutOff: number
}

/**
 * A validator gone rogue: a process with its key that floods everyone it can link to with votes that it has signed, for
 * views past and far ahead, two digests for each, as fast as links take them; cut off, it dials again and again.
 */
const VOTES_PER_MESSAGE = 16
const VIEWS = 400
const MESSAGES_PER_TURN = 64
const REPORT_MS = 1_000

const { data, epoch, view, victims } = JSON.parse(process.argv[2] ?? '') as RogueOrders
const { node: keys } = openKeys(data)
const nodeLog = await openNodeLog(join(data, 'store'))
const place = recall(NodeState.read(nodeLog.records))
await nodeLog.close()
if (place === undefined) throw new Error('the rogue was a member')
const { founding, verifier, known, certificateBytes } = place
const party: MemberParty = {
  kind: 'member',
  node: keys.node,
  founding,
  verifier,
  known,
  certificate: certificateBytes,
  isRevoked: () => false,
  authorities: new Set(),
}
const network = await createNetwork({
  swarm: founding.swarm,
  seed: keys.exportSeed(),
  clock: realClock,
  random: new Random('rogue'),
  party: () => party,
  listen: [],
})

const met = new Set<NodeId>()
const linked = new Set<NodeId>()
let votesSent = 0
let cutOff = 0
const nothing = () => {}
const handler: NetworkHandler = {
  onLinkUp: ({ node }) => {
    met.add(node)
    linked.add(node)
  },
  onLinkDown: (node) => {
    linked.delete(node)
    cutOff += 1
  },
  onMessage: nothing,
  faultOfGossip: () => undefined,
  onGossip: nothing,
  onRoom: nothing,
  onDialFailed: nothing,
  onGap: nothing,
}
await network.start()
network.serve(handler)
for (const { node, addresses } of victims) network.connect(node as NodeId, addresses)

const bodies = madeUp()
let next = 0
function flood(): void {
  for (const peer of linked) {
    for (let i = 0; i < MESSAGES_PER_TURN; i++) {
      if (network.send(peer, 'consensus.vote', bodies[next % bodies.length] as Uint8Array) !== 'queued') break
      next += 1
      votesSent += VOTES_PER_MESSAGE
    }
  }
  setImmediate(flood)
}
flood()
setInterval(() => process.send?.({ met: met.size, votesSent, cutOff } satisfies RogueReport), REPORT_MS)
process.once('disconnect', () => process.exit())

/** Messages full of votes, signed once: signing is slower than sending. */
function madeUp(): readonly Uint8Array[] {
  const signer = createSigner(keys, founding.swarm)
  const group = 'council' as GroupId
  const votes = Array.from({ length: VIEWS }, (_, i): readonly Vote[] => {
    const at = Math.max(1, i % 2 === 0 ? view + i : view + i * 1_000_000) as View
    const [one, other] = [digest(i), digest(i + 1)]
    const of = { epoch: epoch as Epoch, view: at }
    return [
      { kind: 'prepare', ...of, digest: one },
      { kind: 'prepare', ...of, digest: other },
      { kind: 'commit', ...of, digest: one },
      { kind: 'skip', ...of, tip: Math.max(0, at - 1) as View },
    ]
  }).flat()
  const cast = votes.map((vote) => ({
    vote,
    signature: signer.sign('consensus-vote', voteBytes(group, vote)).signature,
  }))
  const messages: Uint8Array[] = []
  for (let from = 0; from + VOTES_PER_MESSAGE <= cast.length; from += VOTES_PER_MESSAGE) {
    const message = { kind: 'votes', votes: cast.slice(from, from + VOTES_PER_MESSAGE) } as const
    messages.push(encodeBody({ kind: 'consensus.vote', body: { group, message } }))
  }
  return messages
}

function digest(number: number): Digest {
  return number.toString(16).padStart(64, '0') as Digest
}
