import { describe, expect, it } from 'vitest'
import { nodes, World } from '../../src/byzantine/index.ts'
import type { Certificate, CheckpointCertificate, Effect, Message, Vote } from '../../src/consensus/index.ts'
import { Inspection } from '../../src/consensus/inspection.ts'
import { IDLE_VOTES_BURST, IDLE_VOTES_PER_SECOND } from '../../src/consensus/params.ts'
import type { Millis, NodeId } from '../../src/kernel/index.ts'
import { cast, certificate, digest, EPOCH, height, penaltiesIn, requestOf, solo, view } from './consensus-fixtures.ts'

const [a, b, c, d] = nodes(4) as [NodeId, NodeId, NodeId, NodeId]
const what = digest('block')

describe('votes', () => {
  it('B-30 that serve nothing are suffered as far as a correct member could have sent them, and then charged', () => {
    const self = solo('a', 4)
    const far = { kind: 'votes', votes: [cast(b, { kind: 'commit', epoch: EPOCH, view: view(5_000), digest: what })] }
    const hear = (times: number): number =>
      Array.from({ length: times }, () => penaltiesIn(self.hear(b, far as Message))).flat().length
    expect(hear(IDLE_VOTES_BURST)).toBe(0)
    expect(hear(5)).toBe(5)
    expect(penaltiesIn(self.hear(c, { kind: 'votes', votes: [cast(c, far.votes[0]?.vote as Vote)] }))).toEqual([])
    self.now += 1_000
    expect(hear(IDLE_VOTES_PER_SECOND)).toBe(0)
    expect(hear(1)).toBe(1)
  })

  it('B-30 of one that is late for every view, or ahead of all that are known here, cost it nothing at the pace of a quick group', () => {
    const self = solo('a', 4)
    const viewsPerSecond = 400
    for (let at = 1; at <= 10 * viewsPerSecond; at++) {
      self.now = (at * 1_000) / viewsPerSecond
      const votes = [EPOCH, EPOCH + 1].map((epoch) =>
        ['prepare', 'commit'].map((kind) => cast(d, { kind, epoch, view: view(at + 100), digest: what } as Vote)),
      )
      expect(votes.flatMap((each) => penaltiesIn(self.hear(d, { kind: 'votes', votes: each })))).toEqual([])
    }
  })
})

/** Signatures that some effects ask to have checked. */
const checksIn = (effects: readonly Effect[]): number =>
  effects.reduce((sum, effect) => sum + (effect.kind === 'verify' ? effect.claims.length : 0), 0)

describe('certificates', () => {
  const passed = (at: number): Certificate => certificate('prepare', at, digest(`block ${at}`), [0, 1, 2])
  const showing = (...certificates: readonly Certificate[]) => ({ kind: 'certificates' as const, certificates })

  /** A member that others have led to view 301. */
  const far = (): ReturnType<typeof solo> => {
    const self = solo('d', 4)
    for (let at = 1; at <= 300; at++) self.hear(b, showing(passed(at)))
    expect(self.core.view).toBe(301)
    return self
  }

  it('B-30 of views long left, or known already, are not looked at, and charged to whoever floods with them', () => {
    const self = far()
    const old = showing(...[1, 2, 3, 100, 200, 236].map(passed))
    const known = showing(passed(299), passed(300))
    expect([old, known].map((message) => checksIn(self.hear(b, message)))).toEqual([0, 0])
    const standing = { kind: 'standing' as const, epoch: EPOCH, view: view(1), certificates: old.certificates }
    for (const [from, message] of [
      [c, old],
      [a, standing],
    ] as const) {
      const hear = (times: number): number =>
        Array.from({ length: times }, () => penaltiesIn(self.hear(from, message))).flat().length
      expect(hear(Math.floor(IDLE_VOTES_BURST / 6))).toBe(0)
      expect(hear(3)).toBe(3)
    }
  })

  it('B-30 that may serve are looked at: within the window or above, and what makes something final', () => {
    const self = far()
    const commitOf = (at: number): Certificate => certificate('commit', at, digest(`block ${at}`), [0, 1, 2])
    const shown = [commitOf(100), commitOf(100), commitOf(99), commitOf(290), passed(301)]
    expect(shown.map((each) => checksIn(self.hear(b, showing(each))))).toEqual([3, 0, 0, 3, 3])
  })

  it('B-20 B-30 of views long left are no reason to wait for the answer that shows them', () => {
    const self = solo('d', 4, { log: 'suspect' })
    for (let at = 1; at <= 300; at++) self.hear(b, showing(passed(at)))
    const certificates = [certificate('commit', 20, digest('block 20'), [0, 1, 2]), passed(10), passed(300)]
    const answers = [b, c, a].flatMap((from) => {
      self.hear(from, showing(certificate('commit', 50, digest('block 50'), [0, 1, 2])))
      return self.hear(from, { kind: 'standing', epoch: EPOCH, view: view(301), certificates })
    })
    const again = answers.flatMap((effect) => (effect.kind === 'observe' ? [effect.observation] : []))
    expect(again).toContainEqual(expect.objectContaining({ kind: 'consensus.voting-again', view: 303 }))
  })
})

describe('checkpoints', () => {
  /** A group of four after its third boundary, and what it shows whoever asks from the start. */
  const grown = () => {
    const [, , , , follower = a] = nodes(5)
    const world = new World({
      seed: 's',
      members: nodes(4),
      hosts: nodes(5).map((node) => ({ node })),
      carriage: 'objects',
      route: () => 1,
    })
    for (let i = 0; i < 13; i++) {
      const id = world.submit(world.hosts[0] as (typeof world.hosts)[0], `x${i}`)
      world.run(world.now + 5_000, () => world.outcomes.has(id))
    }
    world.run(world.now + 1_000, () => false)
    const { core } = world.hosts[0] as (typeof world.hosts)[0]
    const step = (message: Message): readonly Effect[] =>
      core.step(world.now as Millis, { kind: 'message', from: follower, message })
    const served = step({ kind: 'fetch', want: { kind: 'blocks', epoch: EPOCH, after: height(0) } })
    const shown = served.flatMap((effect) =>
      effect.kind === 'send' && effect.message.kind === 'blocks' ? effect.message.checkpoints : [],
    )
    return { step, checkpoint: shown[0] as CheckpointCertificate }
  }
  const showing = (checkpoint: CheckpointCertificate, times: number): Message => {
    return { kind: 'blocks', blocks: [], commit: undefined, checkpoints: Array(times).fill(checkpoint) }
  }

  it('B-30 of states that are stable here are not looked at, and charged to whoever floods with them', () => {
    const { step, checkpoint } = grown()
    expect(checkpoint.vote.height).toBe(10)
    const hear = (times: number): readonly Effect[] =>
      Array.from({ length: times }, () => step(showing(checkpoint, 1))).flat()
    const suffered = hear(IDLE_VOTES_BURST)
    expect([checksIn(suffered), penaltiesIn(suffered).length, penaltiesIn(hear(2)).length]).toEqual([0, 0, 2])
  })

  it('B-30 of one height are looked at once, however often they are shown', () => {
    const { checkpoint } = grown()
    const newcomer = solo('e', 4)
    expect(checksIn(newcomer.hear(b, showing(checkpoint, 16)))).toBe(3)
    expect(checksIn(newcomer.hear(c, showing(checkpoint, 16)))).toBe(0)
    const forged = { ...checkpoint, vote: { ...checkpoint.vote, height: height(15) } }
    expect(penaltiesIn(newcomer.hear(c, showing(forged, 1)))).toEqual([`${c}: a bad signature on a checkpoint`])
  })
})

describe('signature checks', () => {
  const none = (): void => undefined
  const claims = (count: number): never => Array(count).fill(undefined) as never
  const ours = { peer: undefined, members: undefined }
  const by = (peer: string, members?: number) => ({ peer: peer as NodeId, members })

  it('B-9 B-30 are shared out: votes, each member and all others together have a part of their own', () => {
    const inspection = new Inspection(1_600)
    const open = (cause: typeof ours | ReturnType<typeof by>, count: number): number => {
      let opened = 0
      while (opened < 5_000 && inspection.open(cause, claims(count), none) !== undefined) opened += 1
      return opened
    }
    expect(['x', 'y', 'z', 'w', 'v'].map((peer) => open(by(peer), 1))).toEqual([25, 25, 25, 25, 0])
    expect(['b', 'c', 'd'].map((peer) => open(by(peer, 4), 10))).toEqual([20, 20, 20])
    expect(open(ours, 7)).toBe(100)
    expect(inspection.outstanding).toBe(1_400)
  })

  it('B-9 B-30 of one message are done however many they are, one such message of a peer at a time', () => {
    const inspection = new Inspection(1_600)
    const first = inspection.open(by('b', 4), claims(1_000), none) as number
    expect(inspection.open(by('b', 4), claims(1), none)).toBeUndefined()
    expect(inspection.open(by('c', 4), claims(1_000), none)).toBeDefined()
    inspection.close(first, Array(1_000).fill(true))
    expect(inspection.outstanding).toBe(1_000)
    expect(inspection.open(by('b', 4), claims(1), none)).toBeDefined()
  })

  it('B-30 that others cause and that are not answered yet keep no votes from being counted', () => {
    const { core } = solo('d', 4)
    const hear = (from: NodeId, message: Message): readonly Effect[] =>
      core.step(0 as Millis, { kind: 'message', from, message })
    for (let i = 1; i <= 2_000; i++) {
      for (const from of ['x', 'y', b] as NodeId[])
        hear(from, { kind: 'request', requests: [requestOf(from, (i % 250) + 1, 'w:1')] })
    }
    const votes = [a, b, c].map((node) => cast(node, { kind: 'prepare', epoch: EPOCH, view: view(1), digest: what }))
    const told = votes.flatMap((each, i) => hear([a, b, c][i] as NodeId, { kind: 'votes', votes: [each] }))
    expect(checksIn(told)).toBe(3)
    expect(checksIn(hear(c, { kind: 'request', requests: [requestOf(c, 1, 'w:1')] }))).toBe(1)
  })
})
