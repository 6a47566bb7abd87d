import { describe, expect, it } from 'vitest'
import { fakeHash, fakeSigner, GROUP, nodes, operation, PARAMS, verifies, World } from '../../src/byzantine/index.ts'
import {
  type Decision,
  type DecisionProof,
  decisionProofShape,
  type Effect,
  type Height,
  type Message,
  type Proposal,
  proofOf,
  verifyDecision,
} from '../../src/consensus/index.ts'
import { type Millis, type NodeId, TICK } from '../../src/kernel/index.ts'
import { decode, encode } from '../../src/wire/index.ts'
import { Checker } from '../byzantine/checkers.ts'
import {
  cast,
  certificate,
  digest,
  EPOCH,
  height,
  messagesIn,
  penaltiesIn,
  requestOf,
  solo,
  view,
  votesIn,
} from './consensus-fixtures.ts'

const [a, b, c, d] = nodes(4) as [NodeId, NodeId, NodeId, NodeId]

/** The first proposal of b, primary of view 1 of four. */
function proposalOf(primary: ReturnType<typeof solo>, text = 'w:1'): Proposal {
  const effects = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation(text) }] })
  const proposal = messagesIn(effects).find((message) => message.kind === 'proposal')
  if (proposal?.kind !== 'proposal') throw new Error('no proposal')
  return proposal
}
const primaryOfOne = () => {
  const four = solo('a', 4)
  const first = four.core.status().primary
  return first === a ? four : solo(first, 4)
}

describe('a member', () => {
  it('decides alone when it is alone', () => {
    const one = solo('a', 1)
    const effects = one.step({ kind: 'submit', submissions: [{ id: 7, operation: operation('w:1') }] })
    expect(effects).toContainEqual({
      kind: 'outcome',
      id: 7,
      outcome: { kind: 'applied', height: 1, result: operation('w:1') },
    })
    expect(one.core.height).toBe(1)
  })

  it('tells why an operation was refused, and changes nothing', () => {
    const one = solo('a', 1)
    const before = one.machine.fingerprint
    const effects = one.step({ kind: 'submit', submissions: [{ id: 7, operation: operation('no') }] })
    expect(effects).toContainEqual({
      kind: 'outcome',
      id: 7,
      outcome: { kind: 'refused', code: 'BAD_REQUEST', reason: 'no' },
    })
    expect(one.machine.fingerprint).toBe(before)
    const huge = one.step({ kind: 'submit', submissions: [{ id: 8, operation: new Uint8Array(40_000) }] })
    expect(huge).toContainEqual(expect.objectContaining({ outcome: expect.objectContaining({ code: 'TOO_LARGE' }) }))
  })

  it('B-21 submits in the name of others whose key it holds, each with nonces of its own', () => {
    const [key, stranger] = ['k', 's'] as [NodeId, NodeId]
    const one = solo('a', 1, { clients: [fakeSigner(key)] })
    const effects = [a, key, key, a].flatMap((as, id) =>
      one.step({ kind: 'submit', submissions: [{ id, operation: operation(`w:${id}`), as }] }),
    )
    const requests = effects.flatMap((effect) =>
      effect.kind === 'event' && effect.event.kind === 'finalised'
        ? effect.event.decision.results.map(({ request: { client, nonce } }) => `${client}${nonce}`)
        : [],
    )
    expect(requests).toEqual([`${a}1`, `${key}1`, `${key}2`, `${a}2`])
    expect(effects.filter((effect) => effect.kind === 'outcome' && effect.outcome.kind === 'applied')).toHaveLength(4)
    const refused = one.step({ kind: 'submit', submissions: [{ id: 9, operation: operation('w:9'), as: stranger }] })
    expect(refused).toContainEqual(
      expect.objectContaining({ outcome: expect.objectContaining({ code: 'UNAUTHORISED' }) }),
    )
  })

  it('B-19 writes a vote down before it sends it', () => {
    const primary = primaryOfOne()
    const effects = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] })
    const kinds = effects.map((effect) => (effect.kind === 'broadcast' ? effect.message.kind : effect.kind))
    expect(kinds.indexOf('persist')).toBeGreaterThanOrEqual(0)
    expect(kinds.lastIndexOf('persist')).toBeLessThan(kinds.indexOf('proposal'))
  })

  it('B-19 does not count its own vote before it is durable', () => {
    const one = solo('a', 1)
    const effects = one.core.step(0 as Millis, {
      kind: 'submit',
      submissions: [{ id: 1, operation: operation('w:1') }],
    })
    expect(effects.some((effect) => effect.kind === 'persist')).toBe(true)
    expect(one.core.height).toBe(0)
    expect(one.core.status().view).toBe(1)
  })

  it('same inputs, same effects', () => {
    const run = (): readonly Effect[] => {
      const primary = primaryOfOne()
      return [
        ...primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] }),
        ...primary.wait(500),
      ]
    }
    expect(run()).toEqual(run())
  })

  it('says who is missing when there is no quorum', () => {
    const late = solo('a', 4, { params: { submitTimeoutMs: 1_000 } })
    late.step({ kind: 'submit', submissions: [{ id: 9, operation: operation('w:1') }] })
    expect(late.wait(1_500)).toContainEqual({
      kind: 'outcome',
      id: 9,
      outcome: { kind: 'uncertain', code: 'NO_QUORUM', missing: [b, c, d] },
    })
  })

  it('B-27 with nothing to decide passes no view and keeps quiet but for its heartbeat', () => {
    const four = solo('a', 4)
    four.step(TICK)
    const kinds = new Set(messagesIn(four.wait(10_000)).map((message) => message.kind))
    expect([...kinds]).toEqual(['status'])
    expect(four.core.status().view).toBe(1)
  })
})

describe('votes', () => {
  const primary = primaryOfOne()
  const others = nodes(4).filter((node) => node !== primary.core.status().primary)
  const proposal = proposalOf(primary)
  const what = digest('other')

  it('B-22 are verified only when there are enough, and only as many as are missing', () => {
    const [first, second, third] = others as [NodeId, NodeId, NodeId]
    const member = solo(first, 4)
    member.hear(primary.core.status().primary, proposal)
    const prepared = member.core.status().view
    expect(prepared).toBe(1)
    const vote = { kind: 'prepare', epoch: EPOCH, view: view(1), digest: what } as const
    // Two votes for something else: not enough of them to look at.
    const effects = [second, third].flatMap((node) => member.hear(node, { kind: 'votes', votes: [cast(node, vote)] }))
    expect(effects.filter((effect) => effect.kind === 'verify')).toEqual([])
  })

  it('B-22 charge a bad signature to its sender and do without it', () => {
    const self = solo('a', 4)
    const vote = { kind: 'skip', epoch: EPOCH, view: view(1), tip: view(0) } as const
    self.hear(b, { kind: 'votes', votes: [{ vote, signature: new Uint8Array(64) }] })
    self.hear(c, { kind: 'votes', votes: [cast(c, vote)] })
    const effects = self.hear(d, { kind: 'votes', votes: [cast(d, vote)] })
    expect(penaltiesIn(effects)).toEqual([`${b}: a bad signature on a skip`])
    expect(self.core.status().view).toBe(1)
    self.hear(b, { kind: 'votes', votes: [cast(b, vote)] })
    expect(self.core.status().view).toBe(2)
  })

  it('B-9 far ahead are not kept; of nodes that are no members they are refused', () => {
    const self = solo('a', 4)
    const far = { kind: 'commit', epoch: EPOCH, view: view(5_000), digest: what } as const
    for (let i = 0; i < 200; i++) self.hear(b, { kind: 'votes', votes: [cast(b, { ...far, view: view(5_000 + i) })] })
    expect(self.core.load().views).toBe(0)
    const stranger = self.hear('q' as NodeId, {
      kind: 'votes',
      votes: [cast('q' as NodeId, { ...far, view: view(1) })],
    })
    expect(penaltiesIn(stranger)).toEqual(['q: votes from a node that is no member'])
  })

  it('B-3 of another epoch have no say', () => {
    const self = solo('a', 4)
    const vote = { kind: 'skip', epoch: 2 as typeof EPOCH, view: view(1), tip: view(0) } as const
    for (const node of [b, c, d]) self.hear(node, { kind: 'votes', votes: [cast(node, vote)] })
    expect(self.core.status().view).toBe(1)
  })

  it('B-10 that contradict each other are told to everyone and convict', () => {
    const self = solo('a', 4)
    const vote = (text: string) => ({ kind: 'prepare', epoch: EPOCH, view: view(1), digest: digest(text) }) as const
    self.hear(b, { kind: 'votes', votes: [cast(b, vote('1'))] })
    const effects = self.hear(b, { kind: 'votes', votes: [cast(b, vote('2'))] })
    expect(messagesIn(effects).some((message) => message.kind === 'evidence')).toBe(true)
    expect(self.core.status().members.filter((member) => member.convicted)).toMatchObject([{ node: b }])
    const forged = { signer: c, first: cast(b, vote('1')), second: cast(b, vote('2')) }
    expect(penaltiesIn(self.hear(d, { kind: 'evidence', evidence: forged }))).toEqual([
      'd: a bad signature on evidence',
    ])
    // Whoever is an epoch ahead or behind tells of what is none of ours, and does nothing wrong.
    const second = (text: string) => cast(c, { ...vote(text), epoch: 2 as typeof EPOCH })
    const elsewhere = { signer: c, first: second('1'), second: second('2') }
    expect(penaltiesIn(self.hear(d, { kind: 'evidence', evidence: elsewhere }))).toEqual([])
  })
})

describe('views', () => {
  it('B-15 a prepare certificate brings a commit and the next view; B-5 a skipped view brings none', () => {
    const what = digest('block')
    const member = solo('a', 4)
    const effects = member.hear(b, { kind: 'certificates', certificates: [certificate('prepare', 1, what, [1, 2, 3])] })
    expect(votesIn(effects)).toContainEqual({ kind: 'commit', epoch: EPOCH, view: 1, digest: what })
    expect(member.core.status().view).toBe(2)

    const late = solo('a', 4)
    late.hear(c, { kind: 'request', requests: [requestOf(c, 1, 'w:1')] })
    expect(votesIn(late.wait(100))).toContainEqual({ kind: 'skip', epoch: EPOCH, view: 1, tip: 0 })
    const after = late.hear(b, { kind: 'certificates', certificates: [certificate('prepare', 1, what, [1, 2, 3])] })
    expect(votesIn(after)).not.toContainEqual(expect.objectContaining({ kind: 'commit' }))
    expect(late.core.status().view).toBe(2)
  })

  it('B-21 starts its requests from a height that others have reached too', () => {
    const primary = primaryOfOne()
    const from = primary.core.status().primary
    const [self, other] = nodes(4).filter((node) => node !== from) as [NodeId, NodeId]
    const proposal = proposalOf(primary)
    const [prepared] = votesIn(solo(self, 4).hear(from, proposal))
    if (prepared?.kind !== 'prepare') throw new Error('no prepare')
    const committed = certificate('commit', 1, prepared.digest, [1, 2, 3])
    primary.hear(other, { kind: 'certificates', certificates: [committed] })
    expect(primary.core.height).toBe(1)
    const request = messagesIn(
      primary.step({ kind: 'submit', submissions: [{ id: 2, operation: operation('w:2') }] }),
    )[0]
    if (request?.kind !== 'request') throw new Error('no request')
    const behind = solo(self, 4)
    behind.hear(from, request)
    expect(behind.core.status()).toMatchObject({ height: 0, pendingRequests: 1 })
  })

  it('sends another request once as much waits as is on its way', () => {
    const member = solo('a', 4)
    const sizes = (count: number) => {
      let sent = 0
      for (let i = 0; i < count; i++) {
        const effects = member.step({ kind: 'submit', submissions: [{ id: i, operation: operation(`w:${i}`) }] })
        for (const message of messagesIn(effects)) if (message.kind === 'request') sent += 1
      }
      return sent
    }
    expect(sizes(1)).toBe(1)
    expect(sizes(1)).toBe(1)
    // Two are on their way: the next is of two.
    expect(sizes(1)).toBe(0)
    expect(sizes(1)).toBe(1)
    // Four are on their way; but what does not arrive in time is not waited for.
    expect(sizes(1)).toBe(0)
    member.now += PARAMS.viewTimeoutMs ?? 0
    expect(sizes(1)).toBe(1)
  })

  it('tells where members are by what they vote for, not by their reports alone', () => {
    const primary = primaryOfOne()
    const from = primary.core.status().primary
    const [self, other] = nodes(4).filter((node) => node !== from) as [NodeId, NodeId]
    const member = solo(self, 4)
    const shown = () => member.core.status().members.find(({ node }) => node === other)
    const proposal = proposalOf(primary)
    const votes = messagesIn(member.hear(from, proposal)).flatMap((message) => {
      return message.kind === 'votes' ? message.votes : []
    })
    const prepared = votes.find(({ vote }) => vote.kind === 'prepare')?.vote
    if (prepared?.kind !== 'prepare') throw new Error('no prepare')
    expect(shown()).toMatchObject({ height: undefined, heardAt: undefined })
    member.hear(other, { kind: 'votes', votes: [cast(other, { ...prepared, kind: 'commit', digest: digest('else') })] })
    expect(shown()).toMatchObject({ height: undefined })
    member.hear(other, { kind: 'votes', votes: [cast(other, { ...prepared, kind: 'commit' })] })
    expect(shown()).toMatchObject({ height: 0 })
    expect(shown()?.heardAt).toBeDefined()
    // A report is of the sender's own making, and may say less: it was restored.
    member.hear(other, { kind: 'status', epoch: EPOCH, view: view(1), height: height(7) })
    member.hear(other, { kind: 'votes', votes: [cast(other, { ...prepared, kind: 'commit' })] })
    expect(shown()).toMatchObject({ height: 7 })
  })

  it('helps whoever repeats a prepare of the view before, but not the last to prepare', () => {
    const what = digest('block')
    const member = solo('a', 4)
    // a, b and c make the certificate; d was the slowest.
    member.hear(b, { kind: 'certificates', certificates: [certificate('prepare', 1, what, [0, 1, 2])] })
    const late: Message = {
      kind: 'votes',
      votes: [cast(d, { kind: 'prepare', epoch: EPOCH, view: view(1), digest: what })],
    }
    const certificates = expect.objectContaining({ kind: 'certificates' })
    expect(messagesIn(member.hear(d, late))).not.toContainEqual(certificates)
    expect(messagesIn(member.hear(d, late))).toContainEqual(certificates)
    // Whoever ran out of time there is behind at once.
    const skip: Message = {
      kind: 'votes',
      votes: [cast(c, { kind: 'skip', epoch: EPOCH, view: view(1), tip: view(0) })],
    }
    expect(messagesIn(member.hear(c, skip))).toContainEqual(certificates)
  })

  it('B-16 a skip names the highest certificate its signer knows, and goes with it', () => {
    const member = solo('a', 4)
    member.hear(b, { kind: 'certificates', certificates: [certificate('prepare', 3, digest('block'), [1, 2, 3])] })
    const effects = member.wait(200)
    expect(votesIn(effects)).toContainEqual({ kind: 'skip', epoch: EPOCH, view: 4, tip: 3 })
    expect(messagesIn(effects)).toContainEqual(expect.objectContaining({ kind: 'certificates' }))
  })

  it('B-17 a proposal out of turn or without justification is refused', () => {
    const primary = primaryOfOne()
    const proposal = proposalOf(primary)
    const from = primary.core.status().primary
    const [first, second] = nodes(4).filter((node) => node !== from) as [NodeId, NodeId]
    const member = solo(first, 4)
    expect(penaltiesIn(member.hear(second, proposal))).toEqual([`${second}: a proposal out of turn`])
    const jumped = { ...proposal, view: view(5) }
    expect(penaltiesIn(member.hear(from, jumped))).toEqual([`${from}: a proposal that is not justified`])
    expect(votesIn(member.hear(from, proposal))).toContainEqual(expect.objectContaining({ kind: 'prepare' }))
  })
})

describe('a member that cannot rely on its log', () => {
  const ask = (member: ReturnType<typeof solo>): readonly Message[] => messagesIn(member.step(TICK))

  it('B-20 asks, abstains until past what could be, and then votes again', () => {
    const member = solo('a', 4, { log: 'suspect' })
    expect(ask(member)).toContainEqual({ kind: 'fetch', want: { kind: 'standing' } })
    expect(member.core.status().abstaining).toBe(true)
    const at = certificate('prepare', 6, digest('six'), [1, 2, 3])
    const standing = (certificates: (typeof at)[]) =>
      ({ kind: 'standing', epoch: EPOCH, view: view(7), certificates }) as const
    member.hear(b, standing([at]))
    member.hear(c, standing([at]))
    expect(votesIn(member.hear(d, standing([])))).toEqual([])
    // Proven: view 7. It may have voted in 8, so it votes from 9 on.
    expect(member.core.status().abstaining).toBe(true)
    member.hear(b, { kind: 'certificates', certificates: [certificate('prepare', 7, digest('seven'), [1, 2, 3])] })
    expect(member.core.status().abstaining).toBe(true)
    const ninth = member.hear(b, {
      kind: 'certificates',
      certificates: [certificate('prepare', 8, digest('eight'), [1, 2, 3])],
    })
    expect(votesIn(ninth)).toEqual([])
    expect(member.core.status()).toMatchObject({ view: 9, abstaining: false })
  })

  it('B-20 believes no view that is not proven', () => {
    const member = solo('a', 4, { log: 'suspect' })
    ask(member)
    const forged = certificate('prepare', 900, digest('far'), [1, 1, 1])
    for (const node of [b, c, d])
      member.hear(node, { kind: 'standing', epoch: EPOCH, view: view(901), certificates: [forged] })
    expect(member.core.status()).toMatchObject({ view: 1, abstaining: true })
  })

  it('B-20 is in no epoch that its state is not in: a log cut within its snapshot says nothing but that it was cut', () => {
    const members = [...nodes(4), 'e' as NodeId]
    const vote = { epoch: EPOCH, height: 2 as Height, digest: digest('x'), root: digest('y'), members } as const
    const checkpoint = { kind: 'checkpoint', vote: { kind: 'checkpoint', ...vote }, signatures: [] } as const
    for (const records of [
      [{ kind: 'handover', checkpoint }],
      [
        { kind: 'handover', checkpoint },
        { kind: 'snapshot', checkpoint, chunks: 2 },
      ],
    ] as const) {
      expect(solo('a', 4, { records }).core.status()).toMatchObject({ epoch: 1, height: 0, abstaining: true })
    }
  })

  it('B-4 votes as before after a restart from an intact log', () => {
    const first = solo('a', 4)
    const before = first.hear(b, {
      kind: 'certificates',
      certificates: [certificate('prepare', 1, digest('block'), [1, 2, 3])],
    })
    const records = before.flatMap((effect) => (effect.kind === 'persist' ? [effect.record] : []))
    const again = solo('a', 4, { records, session: 2 })
    again.step(TICK)
    expect(again.core.status().view).toBe(2)
    const other = certificate('prepare', 1, digest('other'), [1, 2, 3])
    expect(votesIn(again.hear(b, { kind: 'certificates', certificates: [other] }))).toEqual([])
  })
})

/** Four members and a newcomer, deciding; the newcomer is taken in and a member leaves. */
function busyWorld(): { world: World; checker: Checker; decisions: Decision[] } {
  const members = nodes(4)
  const world = new World({ seed: 'busy', members, hosts: nodes(6).map((node) => ({ node })) })
  const checker = new Checker(world)
  const decisions: Decision[] = []
  const onDecision = checker.onDecision.bind(checker)
  world.watcher = Object.assign(Object.create(checker), checker, {
    onSend: checker.onSend.bind(checker),
    onEpoch: checker.onEpoch.bind(checker),
    onConvicted: checker.onConvicted.bind(checker),
    onTransferred: checker.onTransferred.bind(checker),
    onPersist: checker.onPersist.bind(checker),
    onDecision: (host: (typeof world.hosts)[number], decision: Decision) => {
      if (host.index === 1) decisions.push(decision)
      onDecision(host, decision)
    },
  })
  const operations = ['w:1', 'w:2', 'add:e', 'w:3', 'w:4', 'del:a', 'w:5', 'w:6', 'w:7', 'w:8', 'w:9']
  for (const [i, text] of operations.entries()) {
    world.after(10 + i * 30, () => world.submit(world.hosts[1 + (i % 3)] as (typeof world.hosts)[number], text))
  }
  return { world, checker, decisions }
}

describe('a group', () => {
  it('B-24 takes members in and lets them go, B-25 followers follow, and B-7 epochs follow one another', () => {
    const { world, checker } = busyWorld()
    const settled = (): boolean => world.hosts.every((host) => host.core.epoch === 3 && host.core.height >= 11)
    expect(world.run(20_000, settled)).toBe(true)
    expect(checker.end()).toEqual([])
    expect(world.hosts.map((host) => host.core.status().role)).toEqual([
      'follower',
      'member',
      'member',
      'member',
      'member',
      'follower',
    ])
    // B-25: a follower has the state and has signed nothing.
    expect(world.hosts[5]?.machine.fingerprint).toBe(world.hosts[1]?.machine.fingerprint)
    expect(world.hosts[5]?.disk.durable.some((record) => record.kind === 'vote')).toBe(false)
  })

  it('GOV-5 proves a decision offline from the genesis alone, and nothing that was touched', () => {
    const { world, decisions } = busyWorld()
    world.run(20_000, () => decisions.length >= 10)
    const { handovers } = world.hosts[1]?.core ?? { handovers: [] }
    const founding = { group: GROUP, members: nodes(4) }
    const check = (proof: DecisionProof) => verifyDecision(proof, founding, fakeHash, verifies)
    for (let i = 0; i < 8; i++) {
      const proof = proofOf(decisions.slice(i), handovers)
      if (proof === undefined) throw new Error('no proof')
      const read = decode(decisionProofShape, encode(decisionProofShape, proof))
      expect(read.ok && check(read.value).ok).toBe(true)
      const { requests, ...rest } = proof.block
      expect(check({ ...proof, block: { ...rest, requests: [...requests, requestOf(b, 99, 'w:99')] } }).ok).toBe(false)
      const [first, ...signatures] = proof.commit.signatures
      expect(check({ ...proof, commit: { ...proof.commit, signatures } }).ok).toBe(false)
      const twice = [first, ...signatures.slice(1), first].flatMap((entry) => entry ?? [])
      expect(check({ ...proof, commit: { ...proof.commit, signatures: twice } }).ok).toBe(false)
    }
    expect(
      verifyDecision(
        proofOf(decisions, handovers) as DecisionProof,
        { ...founding, members: nodes(3) },
        fakeHash,
        verifies,
      ).ok,
    ).toBe(false)
  })

  it('has n = 1, 2, 3, 4, 7, 10 and 16 members', () => {
    for (const n of [1, 2, 3, 4, 7, 10, 16]) {
      const world = new World({ seed: `n ${n}`, members: nodes(n), hosts: nodes(n).map((node) => ({ node })) })
      const checker = new Checker(world)
      for (let i = 0; i < 12; i++) {
        world.after(10 + 15 * i, () => world.submit(world.hosts[i % n] as (typeof world.hosts)[number], `w:${i}`))
      }
      expect(
        world.run(5_000, () => world.outcomes.size === 12 && world.hosts.every((host) => host.core.height >= 8)),
      ).toBe(true)
      expect(checker.end()).toEqual([])
    }
  })
})
