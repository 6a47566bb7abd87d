import type { Certificate, Digest, Height, Message, Seat, View, Vote } from '../consensus/index.ts'
import { acting, forged, others, position, signed, someDigest, toAll } from './lying.ts'
import { operation } from './register.ts'
import type { Behaviour, Host } from './types.ts'

/** Its own seat; one that has lost it claims the first. */
function seatOf(host: Host): Seat {
  return Math.max(0, host.core.members.indexOf(host.node)) as Seat
}

/** Certificates that are none: too few signers, one signer many times, seats that nobody holds, bad signatures. */
const badCertificates = acting('bad-certificates', 15, (host) => {
  const { epoch, view, quorum } = host.core.status()
  const digest = someDigest(host.random)
  const vote = (kind: 'prepare' | 'commit'): Vote => ({ kind, epoch, view, digest })
  const entry = (seat: number, kind: 'prepare' | 'commit') => ({
    seat: seat as Seat,
    signature: signed(host, vote(kind)).signature,
  })
  const own = seatOf(host)
  const seats = Array.from({ length: quorum }, (_, seat) => seat)
  const make = (kind: 'prepare' | 'commit', signatures: ReturnType<typeof entry>[]): Certificate => ({
    kind,
    epoch,
    view,
    digest,
    signatures,
  })
  const certificates: Certificate[] = (['prepare', 'commit'] as const).flatMap((kind) => [
    make(kind, [entry(own, kind)]),
    make(
      kind,
      seats.map(() => entry(own, kind)),
    ),
    make(
      kind,
      seats.map((seat) => entry(seat, kind)),
    ),
    make(
      kind,
      seats.map((seat) => entry(seat + 200, kind)),
    ),
  ])
  return toAll(host, { kind: 'certificates', certificates })
})

const badSkipCertificates = acting('bad-skip-certificates', 15, (host) => {
  const { epoch, view, quorum } = host.core.status()
  const own = seatOf(host)
  const { signature } = signed(host, { kind: 'skip', epoch, view, tip: 0 as View })
  const votes = (count: number) => Array.from({ length: count }, () => ({ seat: own, tip: 0 as View, signature }))
  const certificates: Certificate[] = [quorum, quorum - 1, quorum + 1].map((count) => ({
    kind: 'skip',
    epoch,
    view,
    votes: votes(count),
    tip: undefined,
  }))
  return toAll(host, { kind: 'certificates', certificates })
})

const falseEvidence = acting('false-evidence', 20, (host) => {
  const { epoch, view } = position(host)
  const [victim] = others(host)
  if (victim === undefined) return []
  const vote = (digest: Digest): Vote => ({ kind: 'prepare', epoch, view, digest })
  const [a, b] = [vote(someDigest(host.random)), vote(someDigest(host.random))]
  return [
    ...toAll(host, {
      kind: 'evidence',
      evidence: { signer: victim, first: signed(host, a), second: signed(host, b) },
    }),
    ...toAll(host, {
      kind: 'evidence',
      evidence: { signer: victim, first: forged(victim, a), second: forged(victim, a) },
    }),
  ]
})

function serving(name: string, change: (message: Message, host: Host) => Message | undefined): Behaviour {
  return {
    name,
    sends: (host, to, message) => {
      const changed = change(message, host)
      return changed === undefined ? [] : [{ to, message: changed }]
    },
  }
}

/** Lies in what a member shows and serves: certificates, evidence, blocks, snapshots, where it is. */
export const SHOWING_LIES: Readonly<Record<string, () => Behaviour>> = {
  'bad-certificates': () => badCertificates,
  'bad-skip-certificates': () => badSkipCertificates,
  'false-evidence': () => falseEvidence,
  'bad-snapshot-chunk': () =>
    serving('bad-snapshot-chunk', (message, host) => {
      if (message.kind === 'chunk') return { ...message, bytes: operation('[9,9,["a","b","c","d"]]') }
      if (message.kind === 'manifest') return { ...message, chunks: [someDigest(host.random), ...message.chunks] }
      return message
    }),
  'bad-chunk-only': () =>
    serving('bad-chunk-only', (message) => {
      if (message.kind !== 'chunk' || message.index === 0) return message
      // Another digit for every digit: it reads as well as the true one.
      return { ...message, bytes: message.bytes.map((byte) => (byte >= 49 && byte <= 56 ? byte + 1 : byte)) }
    }),
  'lies-about-height': () =>
    serving('lies-about-height', (message) => {
      if (message.kind === 'status')
        return { ...message, height: (message.height + 1000) as Height, view: (message.view + 9) as View }
      return message.kind === 'blocks' || message.kind === 'block' ? undefined : message
    }),
  'serves-nothing': () =>
    serving('serves-nothing', (message) =>
      message.kind === 'blocks' || message.kind === 'block' || message.kind === 'chunk' ? undefined : message,
    ),
}
