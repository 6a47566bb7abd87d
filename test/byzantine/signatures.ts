import { GROUP, verifies } from '../../src/byzantine/index.ts'
import type { Certificate, Vote } from '../../src/consensus/index.ts'
import { voteShape } from '../../src/consensus/messages.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { encode, record, text } from '../../src/wire/index.ts'
import { isSameState } from './signed.ts'

const voteBytes = record({ group: text(64), vote: voteShape })

interface Entry {
  readonly seat: number
  readonly vote: Vote
  readonly signature: Uint8Array
}

/** The votes that a certificate is made of. */
export function votesIn(certificate: Certificate): readonly Entry[] {
  if (certificate.kind === 'skip') {
    const { epoch, view } = certificate
    return certificate.votes.map(({ seat, tip, signature }) => ({
      seat,
      vote: { kind: 'skip', epoch, view, tip },
      signature,
    }))
  }
  const vote: Vote =
    certificate.kind === 'checkpoint'
      ? certificate.vote
      : { kind: certificate.kind, epoch: certificate.epoch, view: certificate.view, digest: certificate.digest }
  return certificate.signatures.map(({ seat, signature }) => ({ seat, vote, signature }))
}

/** What was encoded lately, by view or height: most votes are the same as one before but for their signer. */
const LATELY: ({ readonly vote: Vote; readonly bytes: Uint8Array } | undefined)[] = new Array(256).fill(undefined)
const KINDS: readonly Vote['kind'][] = ['prepare', 'commit', 'skip', 'checkpoint']

function bytesOf(vote: Vote): Uint8Array {
  const { kind } = vote
  // By bits: a remainder of what may be large takes longer than all the rest.
  const place = (((kind === 'checkpoint' ? vote.height : vote.view) << 2) | KINDS.indexOf(kind)) & (LATELY.length - 1)
  const known = LATELY[place]
  if (known !== undefined && isSame(known.vote, vote)) return known.bytes
  const bytes = encode(voteBytes, { group: GROUP, vote })
  LATELY[place] = { vote, bytes }
  return bytes
}

function isSame(a: Vote, b: Vote): boolean {
  if (a === b) return true
  if (a.kind === 'checkpoint' || b.kind === 'checkpoint')
    return a.kind === 'checkpoint' && b.kind === 'checkpoint' && isSameState(a, b)
  if (a.view !== b.view || a.epoch !== b.epoch) return false
  if (a.kind === 'skip') return b.kind === 'skip' && a.tip === b.tip
  return a.kind === b.kind && a.digest === b.digest
}

export function isSignedBy(signer: NodeId, vote: Vote, signature: Uint8Array): boolean {
  return verifies({ domain: 'consensus-vote', statement: { signer, bytes: bytesOf(vote), signature } })
}
