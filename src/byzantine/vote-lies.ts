import type { CastVote, Epoch, View, Vote } from '../consensus/index.ts'
import { acting, forged, inHalf, onVotes, others, position, signed, someDigest, toAll } from './lying.ts'
import type { Behaviour } from './types.ts'

const doubleVote = onVotes('double-vote', (host, _to, casts) =>
  casts.flatMap((cast) => {
    if (cast.vote.kind === 'checkpoint' || cast.vote.kind === 'skip') return [cast]
    return [cast, signed(host, { ...cast.vote, digest: someDigest(host.random) })]
  }),
)

const commitAndSkip = onVotes('commit-and-skip', (host, _to, casts) =>
  casts.flatMap((cast) => {
    const { vote } = cast
    if (vote.kind === 'commit') {
      return [cast, signed(host, { kind: 'skip', epoch: vote.epoch, view: vote.view, tip: (vote.view - 1) as View })]
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
      signed(host, { kind: 'commit', epoch, view, digest }),
      signed(host, { kind: 'skip', epoch, view, tip: 0 as View }),
    ]
  }),
)

const lyingTips = onVotes('lying-skip-tips', (host, to, casts) =>
  casts.map((cast) => {
    const { vote } = cast
    if (vote.kind !== 'skip') return cast
    return signed(host, { ...vote, tip: (inHalf(host, to) ? 0 : vote.view - 1) as View })
  }),
)

const falseRoot = onVotes('false-checkpoint-root', (host, to, casts) =>
  casts.map((cast) => {
    const { vote } = cast
    if (vote.kind !== 'checkpoint' || inHalf(host, to)) return cast
    return signed(host, { ...vote, root: someDigest(host.random) })
  }),
)

const wrongEpoch = onVotes('wrong-epoch', (host, _to, casts) =>
  casts.flatMap((cast) => [cast, signed(host, { ...cast.vote, epoch: (cast.vote.epoch + 1) as Epoch })]),
)

const spam = acting('view-spam', 6, (host) => {
  const { epoch, view } = position(host)
  const far = [1, 7, 63, 64, 65, 1000, 2 ** 40].map((ahead) => view + ahead)
  const near = [1, 2, 3, 5, 8].map((behind) => Math.max(1, view - behind))
  const votes = [...far, ...near].flatMap((at): CastVote[] => [
    signed(host, { kind: 'commit', epoch, view: at as View, digest: someDigest(host.random) }),
  ])
  return toAll(host, { kind: 'votes', votes })
})

const unseen = acting('votes-for-unseen', 12, (host) => {
  const { epoch, view } = position(host)
  const digest = someDigest(host.random)
  const votes: CastVote[] = (['prepare', 'commit'] as const).map((kind) => signed(host, { kind, epoch, view, digest }))
  return toAll(host, { kind: 'votes', votes })
})

const impersonate = acting('impersonate', 12, (host) => {
  const { epoch, view } = position(host)
  const victim = others(host)[0] ?? host.node
  const vote: Vote = { kind: 'commit', epoch, view, digest: someDigest(host.random) }
  return toAll(host, { kind: 'votes', votes: [forged(victim, vote), { vote, signature: new Uint8Array(64) }] })
})

/** Lies in votes. */
export const VOTE_LIES: Readonly<Record<string, () => Behaviour>> = {
  'withhold-votes': () => onVotes('withhold-votes', (host, to, casts) => (inHalf(host, to) ? casts : [])),
  'double-vote': () => doubleVote,
  'commit-and-skip': () => commitAndSkip,
  'skip-all-commit-all': () => skipsAndCommits,
  'lying-skip-tips': () => lyingTips,
  'votes-for-unseen': () => unseen,
  'view-spam': () => spam,
  impersonate: () => impersonate,
  'wrong-epoch': () => wrongEpoch,
  'false-checkpoint-root': () => falseRoot,
}
