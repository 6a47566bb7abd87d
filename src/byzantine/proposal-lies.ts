import {
  type Digest,
  type Header,
  type Height,
  type Proposal,
  type Request,
  requestBytes,
  type SignedRequest,
  type TipCertificate,
} from '../consensus/index.ts'
import type { NodeId } from '../kernel/index.ts'
import { fakeSigner } from './fakes.ts'
import {
  altered,
  digestOf,
  inHalf,
  mine,
  onProposal,
  others,
  proposing,
  requestBy,
  signed,
  someDigest,
  toAll,
} from './lying.ts'
import type { Behaviour, Host } from './types.ts'
import { GROUP } from './world.ts'

const twoFaced = onProposal('equivocate-by-subset', (host, to, proposal) => {
  if (inHalf(host, to)) return [proposal]
  const requests = [...proposal.block.requests, mine(host, proposal.view)]
  const block = altered(host, proposal.block, { requests })
  const cast = signed(host, {
    kind: 'prepare',
    epoch: proposal.epoch,
    view: proposal.view,
    digest: digestOf(host, block),
  })
  const commit = signed(host, {
    kind: 'commit',
    epoch: proposal.epoch,
    view: proposal.view,
    digest: digestOf(host, block),
  })
  return [proposing(host, proposal, block), { kind: 'votes', votes: [cast, commit] }]
})

const byTime = onProposal('equivocate-by-time', (host, _to, proposal) => {
  const block = altered(host, proposal.block, { requests: [...proposal.block.requests, mine(host, proposal.view)] })
  return [proposal, proposing(host, proposal, block)]
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
    const block = altered(host, { header, requests: [], evidence: [] }, {})
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
    return toAll(host, proposing(host, proposal, block))
  },
}

/** Builds on a block that was certified some views ago, with its true certificate and whatever skip it holds. */
function forking(): Behaviour {
  const headers = new Map<Digest, Header>()
  const tips: TipCertificate[] = []
  const remember = (host: Host, proposal: Proposal): void => {
    headers.set(digestOf(host, proposal.block), proposal.block.header)
    if (proposal.tip !== undefined && tips.length < 200) tips.push(proposal.tip)
  }
  return {
    name: 'fork-old-tip',
    hears: (host, _from, message) => {
      if (message.kind === 'proposal') remember(host, message)
      return message
    },
    sends: (host, to, message) => {
      if (message.kind !== 'proposal') return [{ to, message }]
      remember(host, message)
      const older = tips.filter((tip) => tip.epoch === message.epoch && tip.view < (message.tip?.view ?? 0))
      const tip = older.at(-1 - (message.view % 2)) ?? older.at(-1)
      const parent = tip === undefined ? undefined : headers.get(tip.digest)
      if (tip === undefined || parent === undefined) return [{ to, message }]
      const height = (parent.height + 1) as Height
      const block = altered(host, message.block, {}, { parent: tip.digest, height, boundary: height % 5 === 0 })
      return [{ to, message: proposing(host, message, block, { tip }) }]
    },
  }
}

/** Blocks of 240 kB; made once for all receivers, for they cost more than the rest of a run. */
function oversize(): Behaviour {
  const made = new WeakMap<Proposal, Proposal>()
  let requests: readonly SignedRequest[] | undefined
  return onProposal('oversize', (host, _to, proposal) => {
    requests ??= Array.from({ length: 8 }, (_, i) => {
      const request = { ...mine(host, i + 1).request, operations: [new Uint8Array(30_000)] }
      return { request, signature: host.signer.sign('consensus-request', requestBytes(GROUP, request)).signature }
    })
    const known = made.get(proposal) ?? proposing(host, proposal, altered(host, proposal.block, { requests }))
    made.set(proposal, known)
    return [known]
  })
}

/** Lies of a primary. */
export const PROPOSAL_LIES: Readonly<Record<string, () => Behaviour>> = {
  'silent-primary': () => onProposal('silent-primary', () => []),
  'equivocate-by-subset': () => twoFaced,
  'equivocate-by-time': () => byTime,
  'withhold-proposals': () =>
    onProposal('withhold-proposals', (host, to, proposal) => (inHalf(host, to) ? [proposal] : [])),
  'late-proposals': () => ({
    name: 'late-proposals',
    delays: (_host, message) => ('kind' in message && message.kind === 'proposal' ? 50 : 0),
  }),
  'invalid-payload': () =>
    onProposal('invalid-payload', (host, _to, proposal) => {
      const { block } = proposal
      return [proposing(host, proposal, { ...block, requests: [...block.requests, mine(host, 1)] })]
    }),
  'forged-request': () =>
    onProposal('forged-request', (host, _to, proposal) => {
      const forged = {
        request: requestBy(fakeSigner('cx' as NodeId), proposal.view, 'w:forged').request,
        signature: new Uint8Array(64),
      }
      return [
        proposing(host, proposal, altered(host, proposal.block, { requests: [...proposal.block.requests, forged] })),
      ]
    }),
  'unauthorised-request': () =>
    onProposal('unauthorised-request', (host, _to, proposal) => {
      const request = requestBy(fakeSigner('zz' as NodeId), proposal.view, 'w:zz')
      return [
        proposing(host, proposal, altered(host, proposal.block, { requests: [...proposal.block.requests, request] })),
      ]
    }),
  'wrong-parent': () =>
    onProposal('wrong-parent', (host, _to, proposal) => [
      proposing(host, proposal, altered(host, proposal.block, {}, { parent: someDigest(host.random) })),
    ]),
  'old-parent': () =>
    onProposal('old-parent', (host, _to, proposal) => [
      proposing(host, proposal, proposal.block, { tip: undefined, skip: undefined }),
    ]),
  'skip-without-certificate': () =>
    onProposal('skip-without-certificate', (host, _to, proposal) => [
      proposing(host, proposal, proposal.block, { skip: undefined }),
    ]),
  'wrong-height': () =>
    onProposal('wrong-height', (host, _to, proposal) => [
      proposing(
        host,
        proposal,
        altered(host, proposal.block, {}, { height: (proposal.block.header.height + 1) as Height }),
      ),
    ]),
  'never-a-boundary': () =>
    onProposal('never-a-boundary', (host, _to, proposal) => [
      proposing(host, proposal, altered(host, proposal.block, {}, { boundary: false }), { checkpoint: undefined }),
    ]),
  'always-a-boundary': () =>
    onProposal('always-a-boundary', (host, _to, proposal) => [
      proposing(host, proposal, altered(host, proposal.block, {}, { boundary: true })),
    ]),
  'out-of-turn': () => outOfTurn,
  oversize,
  'censor-a-client': () =>
    onProposal('censor-a-client', (host, _to, proposal) => {
      const victim = others(host)[0]
      const requests = proposal.block.requests.filter(({ request }) => request.client !== victim)
      if (requests.length === proposal.block.requests.length) return [proposal]
      return [proposing(host, proposal, altered(host, proposal.block, { requests }))]
    }),
  'duplicate-request': () =>
    onProposal('duplicate-request', (host, _to, proposal) => {
      const { requests } = proposal.block
      return [proposing(host, proposal, altered(host, proposal.block, { requests: [...requests, ...requests] }))]
    }),
  'repeat-request': () => {
    const past: SignedRequest[] = []
    return onProposal('repeat-request', (host, _to, proposal) => {
      const { requests } = proposal.block
      const old = past[0]
      past.push(...requests)
      if (old === undefined || requests.some(({ request }) => sameName(request, old.request))) return [proposal]
      return [proposing(host, proposal, altered(host, proposal.block, { requests: [...requests, old] }))]
    })
  },
  'fork-old-tip': forking,
}

function sameName(a: Request, b: Request): boolean {
  return a.client === b.client && a.session === b.session && a.nonce === b.nonce
}
