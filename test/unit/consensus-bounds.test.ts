import { describe, expect, it } from 'vitest'
import {
  altered,
  FAKE_CRYPTO,
  fakeHash,
  fakeSigner,
  GROUP,
  nodes,
  operation,
  verifies,
} from '../../src/byzantine/index.ts'
import { Context } from '../../src/consensus/context.ts'
import { Group } from '../../src/consensus/group.ts'
import { Hashing } from '../../src/consensus/hashing.ts'
import {
  type CheckpointCertificate,
  consensusParams,
  type Decision,
  type Digest,
  headerShape,
  type Proposal,
  RULES,
  type SignedRequest,
} from '../../src/consensus/index.ts'
import { Intake } from '../../src/consensus/intake.ts'
import { requestClaim } from '../../src/consensus/statements.ts'
import { Transfer } from '../../src/consensus/transfer.ts'
import type { Millis, NodeId } from '../../src/kernel/index.ts'
import { encode } from '../../src/wire/index.ts'
import { cast, EPOCH, height, manyOf, messagesIn, penaltiesIn, solo, view, votesIn } from './consensus-fixtures.ts'

describe('a block', () => {
  it('B-9 of more operations than one may hold is refused, however few bytes they take', () => {
    const from = solo('a', 4).core.status().primary
    const primary = solo(from, 4)
    const proposed = primary.step({ kind: 'submit', submissions: [{ id: 1, operation: operation('w:1') }] })
    const honest = messagesIn(proposed).find(({ kind }) => kind === 'proposal') as Proposal
    const make = (count: number): Proposal => {
      const requests = Array.from({ length: count }, (_, i) => manyOf(from, i + 1))
      const block = altered({ crypto: FAKE_CRYPTO }, honest.block, { requests })
      const what = fakeHash(encode(headerShape, block.header))
      const { signature } = cast(from, { kind: 'prepare', epoch: EPOCH, view: view(1), digest: what })
      return { ...honest, block, signature }
    }
    const member = (): ReturnType<typeof solo> => solo(nodes(4).find((node) => node !== from) as NodeId, 4)
    expect(votesIn(member().hear(from, make(8)))).toContainEqual(expect.objectContaining({ kind: 'prepare' }))
    expect(penaltiesIn(member().hear(from, make(9)))).toEqual([`${from}: a block of too many operations`])
  })
})

function intakeOf() {
  const signer = fakeSigner('a' as NodeId)
  const group = new Group(GROUP, EPOCH, nodes(4), RULES)
  const params = consensusParams()
  const context = new Context({ signer, params, rules: RULES, hashing: Hashing.with(fakeHash), group })
  return { context, params, intake: new Intake(context, 1, [signer]) }
}

describe('a request of an earlier session than another holder of its key has begun', () => {
  it('B-21 is said again in a later one, also when it was decided to be too late; but not if nobody waits for it', () => {
    const { context, params, intake } = intakeOf()
    intake.submit({ id: 7, operation: operation('w:1') })
    const [given] = intake.bundle(height(3), () => undefined)
    context.now = (params.submitTimeoutMs - 1) as Millis
    intake.submit({ id: 8, operation: operation('w:2') })
    const [sent] = intake.bundle(height(3), () => undefined)
    if (given === undefined || sent === undefined) throw new Error('both are on their way')
    context.now = params.submitTimeoutMs as Millis
    intake.expire([])
    const results = [given, sent].map(({ request }) => ({ request, outcomes: [], refused: 'old-session' as const }))
    intake.finalised({ results } as unknown as Decision)
    const again = intake.bundle(height(4), () => 5)
    expect(again.map(({ request }) => request.operations)).toEqual([sent.request.operations])
    expect(again[0]?.request.session).toBeGreaterThan(5)
    expect(context.take().flatMap((effect) => (effect.kind === 'outcome' ? [effect.id] : []))).toEqual([7])
  })
})

describe('a request on its way that can no longer count', () => {
  it('B-21 begins anew from a later floor under its nonce, so that none is left out', () => {
    const { intake } = intakeOf()
    intake.submit({ id: 7, operation: operation('w:1') })
    const [sent] = intake.bundle(height(3), () => undefined)
    expect(intake.renew(() => true, height(3))).toEqual([])
    expect(intake.renew(() => false, height(9))).toEqual([])
    const [again] = intake.renew(() => true, height(9))
    expect(again?.request).toEqual({ ...sent?.request, floor: 9 })
    expect(intake.flying()).toEqual([again])
    expect(verifies(requestClaim(GROUP, again as SignedRequest))).toBe(true)
  })
})

describe('a state of many pieces', () => {
  const hashing = Hashing.with(fakeHash)
  const pieces = Array.from({ length: 100 }, (_, i) => Uint8Array.of(i))
  const digests = pieces.map((piece) => hashing.bytes(piece))
  const at = height(10)

  function fetching() {
    const { context, params } = intakeOf()
    let done: readonly Uint8Array[] | undefined
    const transfer = new Transfer(context, (_, chunks) => {
      done = chunks
    })
    const vote = { kind: 'checkpoint' as const, epoch: EPOCH, height: at, root: hashing.root(digests) }
    const certificate = { vote: { ...vote, digest: digests[0] as Digest, members: nodes(4) }, signatures: [] }
    /** Which pieces are asked for by now, and of whom. */
    const asked = () =>
      context.take().flatMap((effect) => {
        if (effect.kind !== 'send' || effect.message.kind !== 'fetch') return []
        const { want } = effect.message
        return want.kind === 'chunk' ? [{ to: effect.to, index: want.index }] : []
      })
    const gets = (from: NodeId, index: number): void =>
      transfer.receive(from, { kind: 'chunk', height: at, index, bytes: pieces[index] as Uint8Array })
    transfer.start(certificate as unknown as CheckpointCertificate, 'b' as NodeId)
    transfer.receive('b' as NodeId, { kind: 'manifest', height: at, chunks: digests })
    return { context, params, transfer, asked, gets, done: () => done }
  }

  it('B-23 asks for each once, a few at a time', () => {
    const { asked, gets, done } = fetching()
    const waiting = asked()
    let most = 0
    let count = waiting.length
    for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
      gets(next.to, next.index)
      const more = asked()
      count += more.length
      waiting.push(...more)
      most = Math.max(most, waiting.length)
    }
    expect({ most, count, done: done() }).toEqual({ most: 8, count: 100, done: pieces })
  })

  it('B-23 asks somebody else for what does not come', () => {
    const { context, params, transfer, asked, gets, done } = fetching()
    const lost = asked().slice(0, 3)
    for (let round = 0; done() === undefined && round < 100; round++) {
      context.now = (context.now + params.fetchTimeoutMs) as Millis
      transfer.tick()
      for (let waiting = asked(); waiting.length > 0; waiting = asked())
        for (const { to, index } of waiting)
          if (to !== lost[0]?.to || !lost.some((each) => each.index === index)) gets(to, index)
    }
    expect(done()).toEqual(pieces)
  })
})
