import type {
  Block,
  CastVote,
  Certificate,
  Digest,
  Epoch,
  Header,
  Height,
  Message,
  Proposal,
  Seat,
  SignedRequest,
  TipCertificate,
  View,
  Vote,
} from '../../src/consensus/index.ts'
import { headerShape, payloadShape } from '../../src/consensus/messages.ts'
import { requestBytes, voteBytes } from '../../src/consensus/statements.ts'
import type { NodeId, Random } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import { fakeHash, fakeSignature, operation } from './fakes.ts'
import { type Behaviour, GROUP, type Host } from './world.ts'

type Sent = readonly { readonly to: NodeId; readonly message: Message }[]

/** Signs as a node: a liar signs as itself; whoever signs as another shows what bad signatures do. */
export function signed(node: NodeId, vote: Vote): CastVote {
  return { vote, signature: fakeSignature(node, 'consensus-vote', voteBytes(GROUP, vote)) }
}

export function digestOf(block: Block): Digest {
  return fakeHash(encode(headerShape, block.header))
}

/** The same block with other contents, its header in order again. */
export function altered(block: Block, change: Partial<Block>, header: Partial<Header> = {}): Block {
  const body = { requests: change.requests ?? block.requests, evidence: change.evidence ?? block.evidence }
  const payload = fakeHash(encode(payloadShape, body))
  return { header: { ...block.header, ...header, payload }, ...body }
}

/** A proposal with another block, signed by its sender. */
export function proposing(node: NodeId, proposal: Proposal, block: Block, change: Partial<Proposal> = {}): Proposal {
  const changed = { ...proposal, block, ...change }
  const { signature } = signed(node, {
    kind: 'prepare',
    epoch: changed.epoch,
    view: changed.view,
    digest: digestOf(block),
  })
  return { ...changed, signature }
}

export function requestOf(client: NodeId, nonce: number, text: string, session = 1): SignedRequest {
  const request = { client, session, nonce, floor: 0 as Height, operations: [operation(text)] }
  return { request, signature: fakeSignature(client, 'consensus-request', requestBytes(GROUP, request)) }
}

export function someDigest(random: Random): Digest {
  return random.uint32().toString(16).padStart(8, '0').repeat(8) as Digest
}

const others = (host: Host): readonly NodeId[] => host.core.members.filter((node) => node !== host.node)
const toAll = (host: Host, message: Message): Sent => others(host).map((to) => ({ to, message }))
/** Half of the members, the same half for the whole run. */
const inHalf = (host: Host, to: NodeId): boolean => (host.core.members.indexOf(to) + host.index) % 2 === 0
const position = (host: Host): { epoch: Epoch; view: View } => host.core.status()

/** Changes proposals and leaves the rest alone. */
function onProposal(
  name: string,
  change: (host: Host, to: NodeId, proposal: Proposal) => readonly Message[],
): Behaviour {
  return {
    name,
    sends: (host, to, message) =>
      message.kind === 'proposal'
        ? change(host, to, message).map((changed) => ({ to, message: changed }))
        : [{ to, message }],
  }
}

function onVotes(
  name: string,
  change: (host: Host, to: NodeId, casts: readonly CastVote[]) => readonly CastVote[],
): Behaviour {
  return {
    name,
    sends: (host, to, message) => {
      if (message.kind !== 'votes') return [{ to, message }]
      const votes = change(host, to, message.votes)
      return votes.length === 0 ? [] : [{ to, message: { kind: 'votes', votes } }]
    },
  }
}

function acting(name: string, everyMs: number, acts: (host: Host) => Sent): Behaviour {
  return { name, everyMs, acts }
}

const mine = (host: Host, nonce: number): SignedRequest => requestOf(host.node, nonce, `w:x${nonce}`, 900)

const twoFaced = onProposal('equivocate-by-subset', (host, to, proposal) => {
  if (inHalf(host, to)) return [proposal]
  const requests = [...proposal.block.requests, mine(host, proposal.view)]
  const block = altered(proposal.block, { requests })
  const cast = signed(host.node, {
    kind: 'prepare',
    epoch: proposal.epoch,
    view: proposal.view,
    digest: digestOf(block),
  })
  const commit = signed(host.node, {
    kind: 'commit',
    epoch: proposal.epoch,
    view: proposal.view,
    digest: digestOf(block),
  })
  return [proposing(host.node, proposal, block), { kind: 'votes', votes: [cast, commit] }]
})

const byTime = onProposal('equivocate-by-time', (host, _to, proposal) => {
  const block = altered(proposal.block, { requests: [...proposal.block.requests, mine(host, proposal.view)] })
  return [proposal, proposing(host.node, proposal, block)]
})

const doubleVote = onVotes('double-vote', (host, _to, casts) =>
  casts.flatMap((cast) => {
    if (cast.vote.kind === 'checkpoint' || cast.vote.kind === 'skip') return [cast]
    return [cast, signed(host.node, { ...cast.vote, digest: someDigest(host.random) })]
  }),
)

const commitAndSkip = onVotes('commit-and-skip', (host, _to, casts) =>
  casts.flatMap((cast) => {
    const { vote } = cast
    if (vote.kind === 'commit') {
      return [
        cast,
        signed(host.node, { kind: 'skip', epoch: vote.epoch, view: vote.view, tip: (vote.view - 1) as View }),
      ]
    }
    return [cast]
  }),
)

const skipsAndCommits = onVotes('skip-all-commit-all', (host, _to, casts) =>
  casts.flatMap((cast) => {
    const { vote } = cast
    if (vote.kind !== 'prepare') return [cast]
    const { epoch, view, digest } = vote
    return [
      cast,
      signed(host.node, { kind: 'commit', epoch, view, digest }),
      signed(host.node, { kind: 'skip', epoch, view, tip: 0 as View }),
    ]
  }),
)

const lyingTips = onVotes('lying-skip-tips', (host, to, casts) =>
  casts.map((cast) => {
    const { vote } = cast
    if (vote.kind !== 'skip') return cast
    return signed(host.node, { ...vote, tip: (inHalf(host, to) ? 0 : vote.view - 1) as View })
  }),
)

const falseRoot = onVotes('false-checkpoint-root', (host, to, casts) =>
  casts.map((cast) => {
    const { vote } = cast
    if (vote.kind !== 'checkpoint' || inHalf(host, to)) return cast
    return signed(host.node, { ...vote, root: someDigest(host.random) })
  }),
)

const wrongEpoch = onVotes('wrong-epoch', (host, _to, casts) =>
  casts.flatMap((cast) => [cast, signed(host.node, { ...cast.vote, epoch: (cast.vote.epoch + 1) as Epoch })]),
)

const spam = acting('view-spam', 6, (host) => {
  const { epoch, view } = position(host)
  const far = [1, 7, 63, 64, 65, 1000, 2 ** 40].map((ahead) => view + ahead)
  const near = [1, 2, 3, 5, 8].map((behind) => Math.max(1, view - behind))
  const votes = [...far, ...near].flatMap((at): CastVote[] => [
    signed(host.node, { kind: 'commit', epoch, view: at as View, digest: someDigest(host.random) }),
  ])
  return toAll(host, { kind: 'votes', votes })
})

const unseen = acting('votes-for-unseen', 12, (host) => {
  const { epoch, view } = position(host)
  const digest = someDigest(host.random)
  const votes: CastVote[] = (['prepare', 'commit'] as const).map((kind) =>
    signed(host.node, { kind, epoch, view, digest }),
  )
  return toAll(host, { kind: 'votes', votes })
})

const impersonate = acting('impersonate', 12, (host) => {
  const { epoch, view } = position(host)
  const victim = others(host)[0] ?? host.node
  const vote: Vote = { kind: 'commit', epoch, view, digest: someDigest(host.random) }
  return toAll(host, { kind: 'votes', votes: [signed(victim, vote), { vote, signature: new Uint8Array(64) }] })
})

/** Certificates that are none: too few signers, one signer many times, seats that nobody holds, bad signatures. */
const badCertificates = acting('bad-certificates', 15, (host) => {
  const { epoch, view, quorum } = host.core.status()
  const digest = someDigest(host.random)
  const vote = (kind: 'prepare' | 'commit'): Vote => ({ kind, epoch, view, digest })
  const entry = (seat: number, signer: NodeId, kind: 'prepare' | 'commit') => ({
    seat: seat as Seat,
    signature: signed(signer, vote(kind)).signature,
  })
  const own = host.core.members.indexOf(host.node)
  const seats = Array.from({ length: quorum }, (_, seat) => seat)
  const make = (kind: 'prepare' | 'commit', signatures: ReturnType<typeof entry>[]): Certificate => ({
    kind,
    epoch,
    view,
    digest,
    signatures,
  })
  const certificates: Certificate[] = (['prepare', 'commit'] as const).flatMap((kind) => [
    make(kind, [entry(own, host.node, kind)]),
    make(
      kind,
      seats.map(() => entry(own, host.node, kind)),
    ),
    make(
      kind,
      seats.map((seat) => entry(seat, host.node, kind)),
    ),
    make(
      kind,
      seats.map((seat) => entry(seat + 200, host.node, kind)),
    ),
  ])
  return toAll(host, { kind: 'certificates', certificates })
})

const badSkipCertificates = acting('bad-skip-certificates', 15, (host) => {
  const { epoch, view, quorum } = host.core.status()
  const own = host.core.members.indexOf(host.node) as Seat
  const { signature } = signed(host.node, { kind: 'skip', epoch, view, tip: 0 as View })
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
      evidence: { signer: victim, first: signed(host.node, a), second: signed(host.node, b) },
    }),
    ...toAll(host, {
      kind: 'evidence',
      evidence: { signer: victim, first: signed(victim, a), second: signed(victim, a) },
    }),
  ]
})

const outOfTurn: Behaviour = {
  name: 'out-of-turn',
  everyMs: 10,
  acts: (host) => {
    const { epoch, view, height } = host.core.status()
    const header: Header = {
      group: GROUP,
      epoch,
      height: (height + 1) as Height,
      parent: someDigest(host.random),
      proposer: host.node,
      at: 1 as Header['at'],
      boundary: false,
      payload: someDigest(host.random),
    }
    const block = altered({ header, requests: [], evidence: [] }, {})
    const proposal: Proposal = {
      kind: 'proposal',
      epoch,
      view,
      block,
      tip: undefined,
      skip: undefined,
      checkpoint: undefined,
      signature: new Uint8Array(64),
    }
    return toAll(host, proposing(host.node, proposal, block))
  },
}

/** Repeats what it once sent, at random. */
function replaying(): Behaviour {
  const past: Message[] = []
  return {
    name: 'replay',
    sends: (host, to, message) => {
      if (past.length < 60) past.push(message)
      else past[host.random.below(60)] = message
      return [{ to, message }]
    },
    everyMs: 8,
    acts: (host) => (past.length === 0 ? [] : toAll(host, host.random.pick(past))),
  }
}

/** Builds on a block that was certified some views ago, with its true certificate and whatever skip it holds. */
function forking(): Behaviour {
  const headers = new Map<Digest, Header>()
  const tips: TipCertificate[] = []
  const remember = (proposal: Proposal): void => {
    headers.set(digestOf(proposal.block), proposal.block.header)
    if (proposal.tip !== undefined && tips.length < 200) tips.push(proposal.tip)
  }
  return {
    name: 'fork-old-tip',
    hears: (_host, _from, message) => {
      if (message.kind === 'proposal') remember(message)
      return message
    },
    sends: (host, to, message) => {
      if (message.kind !== 'proposal') return [{ to, message }]
      remember(message)
      const older = tips.filter((tip) => tip.epoch === message.epoch && tip.view < (message.tip?.view ?? 0))
      const tip = older.at(-1 - (message.view % 2)) ?? older.at(-1)
      const parent = tip === undefined ? undefined : headers.get(tip.digest)
      if (tip === undefined || parent === undefined) return [{ to, message }]
      const height = (parent.height + 1) as Height
      const block = altered(message.block, {}, { parent: tip.digest, height, boundary: height % 5 === 0 })
      return [{ to, message: proposing(host.node, message, block, { tip }) }]
    },
  }
}

function serving(name: string, change: (message: Message, host: Host) => Message | undefined): Behaviour {
  return {
    name,
    sends: (host, to, message) => {
      const changed = change(message, host)
      return changed === undefined ? [] : [{ to, message: changed }]
    },
  }
}

/** Every behaviour, made anew for each run. Each is a correct member with one habit. */
export const BEHAVIOURS: Readonly<Record<string, () => Behaviour>> = {
  silent: () => ({ name: 'silent', sends: () => [] }),
  'silent-primary': () => onProposal('silent-primary', () => []),
  'equivocate-by-subset': () => twoFaced,
  'equivocate-by-time': () => byTime,
  'withhold-from-subset': () => ({
    name: 'withhold-from-subset',
    sends: (host, to, message) => (inHalf(host, to) ? [{ to, message }] : []),
  }),
  'withhold-proposals': () =>
    onProposal('withhold-proposals', (host, to, proposal) => (inHalf(host, to) ? [proposal] : [])),
  'withhold-votes': () => onVotes('withhold-votes', (host, to, casts) => (inHalf(host, to) ? casts : [])),
  'late-proposals': () => ({
    name: 'late-proposals',
    delays: (_host, message) => (message.kind === 'proposal' ? 50 : 0),
  }),
  'late-everything': () => ({ name: 'late-everything', delays: () => 55 }),
  'invalid-payload': () =>
    onProposal('invalid-payload', (host, _to, proposal) => {
      const { block } = proposal
      return [proposing(host.node, proposal, { ...block, requests: [...block.requests, mine(host, 1)] })]
    }),
  'forged-request': () =>
    onProposal('forged-request', (host, _to, proposal) => {
      const forged = {
        request: requestOf('cx' as NodeId, proposal.view, 'w:forged').request,
        signature: new Uint8Array(64),
      }
      return [
        proposing(host.node, proposal, altered(proposal.block, { requests: [...proposal.block.requests, forged] })),
      ]
    }),
  'unauthorised-request': () =>
    onProposal('unauthorised-request', (host, _to, proposal) => {
      const request = requestOf('zz' as NodeId, proposal.view, 'w:zz')
      return [
        proposing(host.node, proposal, altered(proposal.block, { requests: [...proposal.block.requests, request] })),
      ]
    }),
  'wrong-parent': () =>
    onProposal('wrong-parent', (host, _to, proposal) => [
      proposing(host.node, proposal, altered(proposal.block, {}, { parent: someDigest(host.random) })),
    ]),
  'old-parent': () =>
    onProposal('old-parent', (host, _to, proposal) => [
      proposing(host.node, proposal, proposal.block, { tip: undefined, skip: undefined }),
    ]),
  'skip-without-certificate': () =>
    onProposal('skip-without-certificate', (host, _to, proposal) => [
      proposing(host.node, proposal, proposal.block, { skip: undefined }),
    ]),
  'wrong-height': () =>
    onProposal('wrong-height', (host, _to, proposal) => [
      proposing(
        host.node,
        proposal,
        altered(proposal.block, {}, { height: (proposal.block.header.height + 1) as Height }),
      ),
    ]),
  'never-a-boundary': () =>
    onProposal('never-a-boundary', (host, _to, proposal) => [
      proposing(host.node, proposal, altered(proposal.block, {}, { boundary: false }), { checkpoint: undefined }),
    ]),
  'always-a-boundary': () =>
    onProposal('always-a-boundary', (host, _to, proposal) => [
      proposing(host.node, proposal, altered(proposal.block, {}, { boundary: true })),
    ]),
  'out-of-turn': () => outOfTurn,
  replay: replaying,
  oversize: () =>
    onProposal('oversize', (host, _to, proposal) => {
      const big = Array.from({ length: 8 }, (_, i) => {
        const request = { ...mine(host, i + 1).request, operations: [new Uint8Array(30_000)] }
        return { request, signature: fakeSignature(host.node, 'consensus-request', requestBytes(GROUP, request)) }
      })
      return [proposing(host.node, proposal, altered(proposal.block, { requests: big }))]
    }),
  'censor-a-client': () =>
    onProposal('censor-a-client', (host, _to, proposal) => {
      const victim = others(host)[0]
      const requests = proposal.block.requests.filter(({ request }) => request.client !== victim)
      if (requests.length === proposal.block.requests.length) return [proposal]
      return [proposing(host.node, proposal, altered(proposal.block, { requests }))]
    }),
  'duplicate-request': () =>
    onProposal('duplicate-request', (host, _to, proposal) => {
      const { requests } = proposal.block
      return [proposing(host.node, proposal, altered(proposal.block, { requests: [...requests, ...requests] }))]
    }),
  'repeat-request': () => {
    const past: SignedRequest[] = []
    return onProposal('repeat-request', (host, _to, proposal) => {
      const { requests } = proposal.block
      const old = past[0]
      past.push(...requests)
      if (old === undefined || requests.some(({ request }) => request === old.request)) return [proposal]
      return [proposing(host.node, proposal, altered(proposal.block, { requests: [...requests, old] }))]
    })
  },
  'double-vote': () => doubleVote,
  'commit-and-skip': () => commitAndSkip,
  'skip-all-commit-all': () => skipsAndCommits,
  'lying-skip-tips': () => lyingTips,
  'votes-for-unseen': () => unseen,
  'view-spam': () => spam,
  impersonate: () => impersonate,
  'wrong-epoch': () => wrongEpoch,
  'bad-certificates': () => badCertificates,
  'bad-skip-certificates': () => badSkipCertificates,
  'false-evidence': () => falseEvidence,
  'false-checkpoint-root': () => falseRoot,
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
  'fork-old-tip': forking,
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
  'request-flood': () =>
    acting('request-flood', 10, (host) => {
      const requests = Array.from({ length: 20 }, (_, i) =>
        requestOf(host.node, host.random.below(400) + 1, `w:f${i}`, 901),
      )
      return toAll(host, { kind: 'request', requests })
    }),
}
