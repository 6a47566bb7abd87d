import {
  fakeHash,
  fakeSignature,
  fakeSigner,
  GENESIS,
  GROUP,
  nodes,
  operation,
  PARAMS,
  Register,
  requestBy,
  verifies,
} from '../../src/byzantine/index.ts'
import {
  type CastVote,
  type Certificate,
  ConsensusCore,
  type ConsensusOptions,
  type Digest,
  type Effect,
  type Epoch,
  type Height,
  type Message,
  type Seat,
  type SignedRequest,
  type View,
  type Vote,
} from '../../src/consensus/index.ts'
import { requestBytes, voteBytes } from '../../src/consensus/statements.ts'
import { type Millis, type NodeId, TICK } from '../../src/kernel/index.ts'

export const EPOCH = 1 as Epoch
export const view = (n: number): View => n as View
export const height = (n: number): Height => n as Height
export const digest = (text: string): Digest => fakeHash(operation(text))

export function cast(signer: NodeId, vote: Vote): CastVote {
  return { vote, signature: fakeSignature(signer, 'consensus-vote', voteBytes(GROUP, vote)) }
}

/** A certificate by these members of a group of nodes a, b, c … */
export function certificate(
  kind: 'prepare' | 'commit',
  at: number,
  what: Digest,
  seats: readonly number[],
): Certificate {
  const vote: Vote = { kind, epoch: EPOCH, view: view(at), digest: what }
  const signatures = seats.map((seat) => ({
    seat: seat as Seat,
    signature: cast(nodes(16)[seat] as NodeId, vote).signature,
  }))
  return { kind, epoch: EPOCH, view: view(at), digest: what, signatures }
}

export function requestOf(client: NodeId, nonce: number, text: string, session = 1): SignedRequest {
  return requestBy(fakeSigner(client), nonce, text, session)
}

/** A request of as many operations as one may have, each of no bytes. */
export function manyOf(client: NodeId, nonce: number): SignedRequest {
  const operations = Array.from({ length: 512 }, () => new Uint8Array(0))
  const request = { client, session: 1, nonce, floor: 0 as Height, operations }
  return { request, signature: fakeSignature(client, 'consensus-request', requestBytes(GROUP, request)) }
}

export interface Solo {
  readonly core: ConsensusCore
  readonly machine: Register
  /** Steps at once: answers verifications, reports what was persisted as durable; all effects of it all, in order. */
  step(input: Parameters<ConsensusCore['step']>[1], at?: number): readonly Effect[]
  hear(from: NodeId, message: Message): readonly Effect[]
  /** Moves time to the next deadline and beyond, ticking. */
  wait(ms: number): readonly Effect[]
  now: number
}

/** One core alone with the test: everything the others say is made up here. */
export function solo(self: string, size: number, options: Partial<ConsensusOptions> = {}): Solo {
  const members = nodes(size)
  const machine = new Register(members)
  const core = new ConsensusCore({
    group: GROUP,
    genesis: GENESIS,
    genesisMembers: members,
    machine,
    signer: fakeSigner(self as NodeId),
    hash: fakeHash,
    params: PARAMS,
    session: 1,
    ...options,
  })
  const alone: Solo = {
    core,
    machine,
    now: 0,
    step: (input, at) => {
      alone.now = at ?? alone.now
      const all: Effect[] = []
      const inputs = [input]
      for (let next = inputs.shift(); next !== undefined; next = inputs.shift()) {
        let mark = 0
        for (const effect of core.step(alone.now as Millis, next)) {
          all.push(effect)
          if (effect.kind === 'verify')
            inputs.push({ kind: 'verified', id: effect.id, valid: effect.claims.map(verifies) })
          if (effect.kind === 'persist' || effect.kind === 'compact') mark = effect.mark
        }
        if (mark > 0) inputs.push({ kind: 'durable', mark })
      }
      return all
    },
    hear: (from, message) => alone.step({ kind: 'message', from, message }),
    wait: (ms) => {
      const all: Effect[] = []
      const until = alone.now + ms
      for (let at = core.deadline() as number; at <= until; at = core.deadline()) {
        all.push(...alone.step(TICK, Math.max(at, alone.now)))
        if (core.deadline() <= alone.now) break
      }
      alone.now = until
      return all
    },
  }
  return alone
}

/** Votes sent in some effects. */
export function votesIn(effects: readonly Effect[]): readonly Vote[] {
  return effects.flatMap((effect) =>
    effect.kind === 'broadcast' && effect.message.kind === 'votes' ? effect.message.votes.map(({ vote }) => vote) : [],
  )
}

export function messagesIn(effects: readonly Effect[]): readonly Message[] {
  return effects.flatMap((effect) => (effect.kind === 'broadcast' || effect.kind === 'send' ? [effect.message] : []))
}

export function penaltiesIn(effects: readonly Effect[]): readonly string[] {
  return effects.flatMap((effect) => (effect.kind === 'penalise' ? [`${effect.peer}: ${effect.reason}`] : []))
}
