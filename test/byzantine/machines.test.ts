import { describe, expect, it } from 'vitest'
import { BEHAVIOURS, type Host, nodes, type Subject, World } from '../../src/byzantine/index.ts'
import {
  CellMachine,
  type CellOperation,
  type CustodyEpoch,
  encodeCellOperation,
  type JournalName,
} from '../../src/cell/index.ts'
import { type Act, CouncilMachine, encodeOperation } from '../../src/council/index.ts'
import { faultsTolerated, type NodeId, Random } from '../../src/kernel/index.ts'
import { act, certificateOf, founding, PORTS } from '../support/council.ts'
import { rootOf } from '../support/machines.ts'
import { Checker } from './checkers.ts'

/*
 * The real machines where members lie: what honest members decide is the same everywhere, and what liars want alone does
 * not come about. Time of blocks begins at about 1,000 s here.
 */

const SEEDS = 12
const ALWAYS = { notBefore: 0, notAfter: 1e12 }

class Governing extends CouncilMachine implements Subject {
  get fingerprint(): string {
    return rootOf(this)
  }
}

class Keeping extends CellMachine implements Subject {
  get fingerprint(): string {
    return rootOf(this)
  }
}

interface Scene {
  readonly world: World
  readonly honest: readonly Host[]
  readonly liars: readonly Host[]
  readonly random: Random
}

/** Members of which up to f lie in a drawn way, and a newcomer who waits outside. */
function sceneOf(
  name: string,
  seed: number,
  machine: (members: readonly NodeId[]) => Subject,
): Scene & { about: string } {
  const random = new Random(`${name}:${seed}`)
  const members = nodes(random.pick([4, 4, 5, 7]))
  const lies = random.sample(members, faultsTolerated(members.length))
  const lie = random.pick(Object.keys(BEHAVIOURS))
  const everyone = [...members, 'w' as NodeId]
  const hosts = everyone.map((node) => ({ node, behaviour: lies.includes(node) ? BEHAVIOURS[lie]?.() : undefined }))
  const world = new World({ seed: `${name}:${seed}`, members, hosts, machine })
  const honest = world.honest.filter((host) => members.includes(host.node))
  return {
    world,
    honest,
    liars: world.hosts.filter((host) => !host.honest),
    random,
    about: `${lies.join(' ')}: ${lie}`,
  }
}

/** Says something at a node every 10 ms, and waits until all honest members have decided what was wanted, and some more. */
function decide(scene: Scene, say: (turn: number) => void, wanted: (host: Host) => boolean): boolean {
  const { world, honest } = scene
  let turn = 0
  const go = (): void => {
    world.after(10, () => {
      say(turn++)
      go()
    })
  }
  go()
  return world.run(30_000, () => honest.every((host) => host.core.height >= 15 && wanted(host)), 60_000)
}

describe('a council with liars', () => {
  it('B-1 B-6 GV-3 GV-7 decides what q want, and nothing that f want', { timeout: 120_000 }, () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const scene = sceneOf('council', seed, (members) => new Governing(founding(members), PORTS))
      const { world, honest, liars, about } = scene
      const checker = new Checker(world)
      const say = (host: Host | undefined, what: Act) => {
        if (host !== undefined) world.submit(host, encodeOperation({ expect: undefined, act: what }))
      }
      const motions = [act.tenant('good'), act.role('good', 'w', 'admin'), act.parameter('council.sizeMax', '12')]
      const done = decide(
        scene,
        (turn) => {
          const what = motions[Math.floor(turn / 20) % motions.length] as Act
          // The newcomer votes too, once it may: without it the others are too few.
          say(world.honest[turn % world.honest.length], what)
          // GV-3: one voice is not enough.
          if (turn === 5) for (const host of honest) say(host, act.add(certificateOf('w', ALWAYS)))
          for (const liar of liars) say(liar, act.tenant(`evil${turn % 4}`))
          if (turn % 10 === 0) for (const liar of liars) say(liar, act.remove(honest[0]?.node ?? ''))
          if (turn % 10 === 5) for (const liar of liars) say(liar, act.role('*', liar.node, 'admin'))
        },
        ({ machine }) => {
          const { state } = machine as Governing
          return (
            state.roles.has('w') && state.parameter('council.sizeMax') === '12' && state.validators.has('w' as NodeId)
          )
        },
      )
      expect([about, done, checker.end()]).toEqual([about, true, []])
      const { state } = (honest[0] as Host).machine as Governing
      expect(state.tenants.rows().map(({ key }) => key)).toEqual(['good'])
      expect(state.validators.has(honest[0]?.node as NodeId)).toBe(true)
      for (const liar of liars) expect(state.roles.has(liar.node)).toBe(false)
    }
  })
})

describe('a cell with liars', () => {
  it('B-1 B-6 CE-3 CE-7 keeps configurations one, and liars out of others’ journals', { timeout: 120_000 }, () => {
    for (let seed = 0; seed < SEEDS; seed++) {
      const scene = sceneOf('cell', seed, (members) => new Keeping(members))
      const { world, honest, liars, random, about } = scene
      const checker = new Checker(world)
      const say = (host: Host | undefined, what: CellOperation) => {
        if (host !== undefined) world.submit(host, encodeCellOperation(what))
      }
      const replicas = () =>
        random.sample(
          honest.map(({ node }) => node),
          2,
        )
      const journalOf = (host: Host) => host.node as string as JournalName
      const done = decide(
        scene,
        (turn) => {
          const host = random.pick(honest)
          const journal = journalOf(turn % 3 === 0 ? host : random.pick(honest))
          const current = (host.machine as Keeping).state.journals.get(journal)
          if (current === undefined)
            say(host, { kind: 'open', journal: journalOf(host), inSync: [...new Set([host.node, ...replicas()])] })
          else {
            // The primary takes others in; a replica takes over.
            const inSync = current.primary === host.node ? [...new Set([host.node, ...replicas()])] : [host.node]
            say(host, { kind: 'configure', journal, expect: current.epoch, primary: host.node, inSync })
          }
          if (turn % 4 === 0)
            say(honest[(turn / 4) % honest.length], {
              kind: 'custodians',
              add: ['w' as NodeId],
              remove: [],
              lost: false,
            })
          for (const liar of liars) {
            const epoch = ((liar.machine as Keeping).state.journals.get(journal)?.epoch ?? 1) as CustodyEpoch
            say(liar, { kind: 'configure', journal, expect: epoch, primary: liar.node, inSync: [liar.node] })
            say(liar, { kind: 'custodians', add: [], remove: [host.node], lost: true })
          }
        },
        ({ machine }) => {
          const { state } = machine as Keeping
          return state.custodians.has('w' as NodeId) && state.journals.size > 1
        },
      )
      expect([about, done, checker.end()]).toEqual([about, true, []])
      const { state } = (honest[0] as Host).machine as Keeping
      for (const host of honest) expect(state.custodians.has(host.node)).toBe(true)
      for (const { value } of state.journals.rows()) {
        for (const liar of liars) expect(value.inSync).not.toContain(liar.node)
      }
    }
  })
})
