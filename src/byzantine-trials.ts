import { createHash } from 'node:crypto'
import type { Crypto, Trial } from './byzantine/index.ts'
import type { Digest } from './consensus/index.ts'
import { createSigner, KeyPair, verifyStatement } from './identity/index.ts'
import type { NodeId, SwarmId } from './kernel/index.ts'

const NODES = 5

export type { Trial } from './byzantine/index.ts'

/**
 * Four members of one group in this process, one of them lying in each known way in turn, with real keys: yields what
 * came of each lie. Loaded by who asks for it: a node has no use for liars.
 */
export async function* byzantineTrials(seed: string): AsyncGenerator<Trial, void> {
  const { LIES, tryLie } = await import('./byzantine/index.ts')
  const { crypto, nodes } = realCrypto(seed)
  for (const lie of LIES) yield tryLie(lie, { nodes, crypto, seed })
}

/** Keys drawn from the seed, so that the same trial can be had again; they are worth nothing to anyone. */
function realCrypto(seed: string): { readonly crypto: Crypto; readonly nodes: readonly NodeId[] } {
  const swarm = createHash('sha256').update(seed).digest('hex') as SwarmId
  const pairs = Array.from({ length: NODES }, (_, i) =>
    KeyPair.fromSeed(new Uint8Array(createHash('sha256').update(`${seed} ${i}`).digest())),
  )
  const signers = new Map(pairs.map((pair) => [pair.node, createSigner(pair, swarm)]))
  const crypto: Crypto = {
    signer: (node) => {
      const signer = signers.get(node)
      if (signer === undefined) throw new RangeError(`no key of ${node}`)
      return signer
    },
    verifies: ({ domain, statement }) => verifyStatement(domain, swarm, statement),
    hash: (bytes) => createHash('sha256').update(bytes).digest('hex') as Digest,
  }
  return { crypto, nodes: pairs.map(({ node }) => node).sort() }
}
