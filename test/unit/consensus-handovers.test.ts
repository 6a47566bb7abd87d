import { describe, expect, it } from 'vitest'
import { fakeHash, GROUP, type Host, nodes, type Route, verifies, World } from '../../src/byzantine/index.ts'
import { Group } from '../../src/consensus/group.ts'
import { Handovers, leadingTo } from '../../src/consensus/handovers.ts'
import {
  type CheckpointCertificate,
  type Decision,
  type Epoch,
  type Message,
  proofOf,
  RULES,
  verifyDecision,
} from '../../src/consensus/index.ts'
import { CHECKPOINTS_PER_MESSAGE_MAX } from '../../src/consensus/params.ts'
import { type NodeId, Random } from '../../src/kernel/index.ts'
import { Checker } from '../byzantine/checkers.ts'
import { digest, height } from './consensus-fixtures.ts'

const EVERYONE = nodes(26)
const FOUNDERS = EVERYONE.slice(0, 4)
const LATE = EVERYONE[25] as NodeId
/** Far fewer than the epochs that pass here. */
const RECENT = 3

/** Four members and many that may come, one of which hears nothing as long as it is `deaf`. */
class Epochs {
  readonly world: World
  readonly checker: Checker
  readonly penalties: string[] = []
  readonly decisions: Decision[] = []
  /** From which epochs on the late one asked for what it missed. */
  readonly asked: number[] = []
  deaf = true
  /** What it is still to miss of what it would hear otherwise. */
  misses: (message: Message) => boolean = () => false

  constructor(seed: string, hosts: readonly NodeId[]) {
    const route: Route = ({ from, to, message }, { random }) => {
      if (from.node === LATE && message.kind === 'fetch' && message.want.kind === 'blocks')
        this.asked.push(message.want.epoch)
      const isLate = from.node === LATE || to.node === LATE
      const isLost = isLate && (this.deaf || (to.node === LATE && this.misses(message)))
      return isLost ? undefined : 1 + random.float() * 3
    }
    const params = { recentEpochsMax: RECENT }
    this.world = new World({ seed, members: FOUNDERS, hosts: hosts.map((node) => ({ node })), params, route })
    this.checker = new Checker(this.world)
    const { checker } = this
    const watching = checker.onDecision.bind(checker)
    checker.onDecision = (host, decision) => {
      if (host === this.first) this.decisions.push(decision)
      watching(host, decision)
    }
    this.world.watcher.onPenalised = (host, peer, why) => this.penalties.push(`${host.node} charges ${peer}: ${why}`)
  }

  get first(): Host {
    return this.world.hosts[0] as Host
  }

  get late(): Host {
    return this.world.hosts.at(-1) as Host
  }

  /** Decides on these changes of the membership, one epoch each. */
  pass(changes: readonly string[]): void {
    for (const change of changes) {
      const { epoch } = this.first.core
      this.world.submit(this.first, change)
      const hasPassed = () => this.first.core.epoch > epoch
      if (!this.#until(5_000, hasPassed)) throw new Error(`epoch ${epoch} does not end`)
    }
    this.world.run(this.world.now + 300, () => false)
  }

  isThere(host: Host): boolean {
    return host.core.height === this.first.core.height && host.core.epoch === this.first.core.epoch
  }

  follows(host: Host): boolean {
    return this.#until(60_000, () => this.isThere(host))
  }

  decides(): boolean {
    const id = this.world.submit(this.first, 'w:7')
    return this.#until(10_000, () => this.world.outcomes.get(id)?.kind === 'applied')
  }

  #until(ms: number, done: () => boolean): boolean {
    return this.world.run(this.world.now + ms, done, this.world.events + 400_000)
  }
}

/** e comes and goes, so many times. */
const toggles = (count: number) => Array.from({ length: count }, (_, i) => (i % 2 === 0 ? 'add:e' : 'del:e'))
/** Each comes, and who came before it goes: a membership of five never returns. */
const passers = (from: number, to: number) =>
  EVERYONE.slice(from, to).flatMap((node, i) => [`add:${node}`, `del:${EVERYONE[from + i - 1]}`])

describe('handovers (B-32)', () => {
  it('are few while memberships return, and epochs keep their numbers over restarts of all', () => {
    const epochs = new Epochs('few', [...EVERYONE.slice(0, 5), LATE])
    epochs.pass(toggles(21))
    expect(epochs.first.core.epoch).toBe(22)
    expect(epochs.first.core.handovers.length).toBeLessThanOrEqual(RECENT + 2)
    for (const host of epochs.world.hosts.slice(0, 5)) {
      epochs.world.crash(host)
      epochs.world.restart(host)
      expect(host.core.epoch).toBe(22)
      expect(host.core.status().abstaining).toBe(false)
      expect(host.core.members).toEqual(EVERYONE.slice(0, 5))
    }
    expect(epochs.decides()).toBe(true)
    epochs.pass(toggles(1).map(() => 'del:e'))
    expect(epochs.first.core.epoch).toBe(23)
    expect(epochs.checker.end()).toEqual([])
    expect(epochs.penalties).toEqual([])
  })

  it('are learnt anew where the log has the state at the end of an epoch and not what closed it', () => {
    const epochs = new Epochs('cut', EVERYONE.slice(0, 5))
    epochs.pass(['add:e'])
    const [host] = epochs.world.hosts.slice(1)
    if (host === undefined) throw new Error('there are five')
    const { durable } = host.disk
    const chunks = durable.findLastIndex(({ kind }) => kind === 'chunk')
    epochs.world.crash(host)
    epochs.world.restart(
      host,
      'suspect',
      durable.slice(0, chunks + 1).filter(({ kind }) => kind !== 'handover'),
    )
    expect(host.core.epoch).toBe(1)
    expect(host.core.height).toBeGreaterThan(0)
    // There is a state beyond its own from now on.
    epochs.pass(['del:e'])
    expect(epochs.follows(host)).toBe(true)
    expect(epochs.decides()).toBe(true)
  })

  it('lead a newcomer past memberships that returned', () => {
    const epochs = new Epochs('newcomer', [...EVERYONE.slice(0, 5), LATE])
    epochs.pass(toggles(31))
    epochs.deaf = false
    expect(epochs.follows(epochs.late)).toBe(true)
    epochs.pass([`add:${LATE}`])
    expect(epochs.late.core.isMember).toBe(true)
    expect(epochs.decides()).toBe(true)
    expect(epochs.checker.end()).toEqual([])
    expect(epochs.penalties).toEqual([])
  })

  it('lead a newcomer through all memberships that did not', () => {
    const epochs = new Epochs('passers', EVERYONE)
    epochs.pass(passers(4, 25))
    expect(epochs.first.core.handovers.length).toBeGreaterThan(2 * CHECKPOINTS_PER_MESSAGE_MAX)
    epochs.deaf = false
    expect(epochs.follows(epochs.late)).toBe(true)
    expect(epochs.late.core.handovers.map(({ vote }) => vote)).toEqual(
      epochs.first.core.handovers.map(({ vote }) => vote),
    )
    expect(epochs.checker.end()).toEqual([])
    expect(epochs.penalties).toEqual([])
  })

  it('lead on who was last in a membership that has returned since', () => {
    const epochs = new Epochs('returned', EVERYONE)
    epochs.deaf = false
    epochs.pass(['add:f'])
    expect(epochs.follows(epochs.late)).toBe(true)
    epochs.deaf = true
    epochs.asked.length = 0
    epochs.pass(toggles(12))
    expect(epochs.first.core.handovers.map(({ vote }) => vote.epoch).slice(0, 2)).toEqual([1, 10])
    epochs.deaf = false
    expect(epochs.follows(epochs.late)).toBe(true)
    // It goes on from where it is.
    expect(epochs.asked).not.toContain(1)
    expect(epochs.checker.end()).toEqual([])
    expect(epochs.penalties).toEqual([])
  })

  it.each([0, 1])('lead on who was last in a membership that has been left out since, %i answers lost', (lost) => {
    const epochs = new Epochs(`left out ${lost}`, EVERYONE)
    epochs.deaf = false
    epochs.pass([...passers(4, 13), 'add:w', 'add:x'])
    expect(epochs.follows(epochs.late)).toBe(true)
    const { epoch } = epochs.late.core
    epochs.deaf = true
    epochs.pass(['del:x', 'del:w', ...passers(13, 20)])
    // What led to its epoch has been left out, and what leads on from there.
    const epochsShown = epochs.first.core.handovers.map(({ vote }) => vote.epoch)
    for (const one of [epoch - 1, epoch]) expect(epochsShown).not.toContain(one)
    epochs.deaf = false
    epochs.asked.length = 0
    let left = lost
    // On its way from the genesis, so that nobody else knows what it lacks.
    epochs.misses = (message) =>
      message.kind === 'blocks' && epochs.asked.at(-1) === CHECKPOINTS_PER_MESSAGE_MAX + 1 && left-- > 0
    const { now } = epochs.world
    expect(epochs.follows(epochs.late)).toBe(true)
    expect(left).toBeLessThanOrEqual(0)
    expect(epochs.asked.filter((one) => one === 1)).toHaveLength(1)
    // Members are asked one after the other, one a second: more of them than can lie, and one more if that was of no use.
    expect(epochs.world.now - now).toBeLessThan(4_000)
    epochs.world.crash(epochs.late)
    epochs.world.restart(epochs.late)
    expect(epochs.late.core.epoch).toBe(epochs.first.core.epoch)
    expect(epochs.late.core.status().abstaining).toBe(false)
    epochs.pass([`add:${LATE}`])
    expect(epochs.late.core.isMember).toBe(true)
    // Who follows it now gets as far.
    const proof = proofOf(epochs.decisions.slice(-1), epochs.late.core.handovers)
    const founding = { group: GROUP, members: FOUNDERS }
    expect(proof !== undefined && verifyDecision(proof, founding, fakeHash, verifies).ok).toBe(true)
    expect(epochs.checker.end()).toEqual([])
    expect(epochs.penalties).toEqual([])
  })

  it('begin anew from the genesis only where more say so than can lie, and not while others lead on', () => {
    const epochs = new Epochs('strayed', [...EVERYONE.slice(0, 5), LATE])
    epochs.deaf = false
    epochs.pass(['add:e'])
    expect(epochs.follows(epochs.late)).toBe(true)
    epochs.deaf = true
    epochs.asked.length = 0
    const vote = { kind: 'checkpoint' as const, epoch: 9 as Epoch, height: height(10_000), members: nodes(6) }
    const stray = { vote: { ...vote, digest: digest('x'), root: digest('y') }, signatures: [] }
    const shows = (from: string): void => {
      const message = { kind: 'blocks' as const, blocks: [], commit: undefined, checkpoints: [stray as never] }
      epochs.world.step(epochs.late, { kind: 'message', from: from as NodeId, message })
    }
    for (let i = 0; i < 10; i++) shows('b')
    expect(epochs.asked).toEqual([])
    shows('c')
    expect(epochs.asked).toEqual([1])
    for (const from of ['b', 'c']) shows(from)
    expect(epochs.asked).toEqual([1])
  })

  it('GOV-5 prove what was decided lately, in few steps, and nothing that stands on another epoch', () => {
    const epochs = new Epochs('proofs', [...EVERYONE.slice(0, 5), LATE])
    epochs.pass(toggles(20))
    const founding = { group: GROUP, members: FOUNDERS }
    const { handovers } = epochs.first.core
    let proven = 0
    for (const [i, decision] of epochs.decisions.entries()) {
      const proof = proofOf(epochs.decisions.slice(i), handovers)
      if (proof === undefined) {
        expect(decision.block.header.epoch).toBeLessThanOrEqual(21 - RECENT)
        continue
      }
      proven += 1
      const checked = verifyDecision(proof, founding, fakeHash, verifies)
      expect(checked).toMatchObject({ ok: true, value: { epoch: decision.block.header.epoch } })
      expect(proof.handovers.length).toBeLessThanOrEqual(3)
      if (proof.handovers.length === 0) continue
      // The same members sat in an epoch before: a commit of theirs counts in its own epoch only.
      const before = proof.handovers.slice(0, -1)
      expect(verifyDecision({ ...proof, handovers: before }, founding, fakeHash, verifies).ok).toBe(false)
    }
    expect(proven).toBeGreaterThanOrEqual(RECENT)
  })

  it('B-20 with one missing in the log, the member abstains', () => {
    const epochs = new Epochs('gap', EVERYONE)
    epochs.pass(passers(4, 10))
    // A checkpoint of the present epoch.
    for (let i = 0; i < 6; i++) expect(epochs.decides()).toBe(true)
    epochs.world.run(epochs.world.now + 300, () => false)
    const [, second] = epochs.world.hosts
    if (second === undefined) throw new Error('there are many')
    const { durable } = second.disk
    const without = (nth: number) => {
      let seen = 0
      return durable.filter((record) => record.kind !== 'handover' || seen++ !== nth)
    }
    const { length } = second.core.handovers
    for (const nth of [length - 1, length - 2]) {
      epochs.world.restart(second, 'intact', without(nth))
      expect(second.core.status().abstaining).toBe(true)
    }
    expect(epochs.checker.end()).toEqual([])
  })
})

describe('the handovers that are kept', () => {
  const genesis = new Group(GROUP, 1 as Epoch, nodes(4), RULES)
  const closing = (epoch: number, members: readonly NodeId[]) =>
    ({
      kind: 'checkpoint',
      vote: { epoch, members: [...members].sort() },
      signatures: [],
    }) as unknown as CheckpointCertificate

  /** What a second, slow implementation keeps: it looks for the last return of each membership that it comes to. */
  function kept(all: readonly CheckpointCertificate[], recentMax: number): readonly number[] {
    const old = all.slice(0, Math.max(0, all.length - recentMax))
    const way: string[] = [genesis.members.join()]
    const epochs: number[] = []
    for (const { vote } of old) {
      const at = way.indexOf(vote.members.join())
      way.splice(at < 0 ? way.length : at + 1)
      epochs.splice(at < 0 ? epochs.length : at)
      if (at >= 0) continue
      way.push(vote.members.join())
      epochs.push(vote.epoch)
    }
    return [...epochs, ...all.slice(old.length).map(({ vote }) => vote.epoch)]
  }

  it('are those that a second reading keeps, and lead to every epoch that is recent', () => {
    for (let seed = 0; seed < 200; seed++) {
      const random = new Random(`kept ${seed}`)
      const recentMax = 1 + random.below(12)
      const handovers = new Handovers(genesis, recentMax)
      const all: CheckpointCertificate[] = []
      const members = new Set(genesis.members)
      for (let epoch = 1; epoch <= 60; epoch++) {
        const node = random.pick(nodes(4 + random.below(4)))
        if (!members.delete(node)) members.add(node)
        const next = closing(epoch, [...members])
        all.push(next)
        handovers.add(next)
        handovers.add(next)
        expect(handovers.chain.map(({ vote }) => vote.epoch)).toEqual(kept(all, recentMax))
        for (let back = 0; back < recentMax; back++) {
          const to = (epoch + 1 - back) as Epoch
          if (to < 2) continue
          const leading = leadingTo(to, handovers.chain) ?? []
          expect(leading.at(-1)?.vote.epoch).toBe(to - 1)
          // Each is signed by whom the one before leads to.
          const signers = leading.map(({ vote }) => (vote.epoch === 1 ? genesis : all[vote.epoch - 2]?.vote)?.members)
          expect(signers).toEqual([genesis.members, ...leading.slice(0, -1).map(({ vote }) => vote.members)])
        }
      }
    }
  })

  it('do not grow with a hundred thousand epochs', () => {
    const handovers = new Handovers(genesis, 1_024)
    for (let epoch = 1; epoch <= 100_000; epoch++) {
      const guest = String.fromCharCode(101 + (epoch % 20))
      handovers.add(closing(epoch, epoch % 2 === 0 ? genesis.members : [...genesis.members, guest as NodeId]))
    }
    expect(handovers.chain.length).toBe(1_024)
    expect(leadingTo(100_001 as Epoch, handovers.chain)?.length).toBeLessThanOrEqual(4)
  })
})
