import type { PeerReport } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import type { ContainerSwarm, Member } from './container-swarm.ts'

/** Something that must hold of the swarm. Returns its figures in words; throws what does not hold. */
export interface Check {
  readonly what: string
  run(swarm: ContainerSwarm): Promise<string>
}

export function memberNamed(swarm: ContainerSwarm, name: string): Member {
  const member = swarm.members.find((other) => other.name === name)
  if (member === undefined) throw new Error(`${name} is not running`)
  return member
}

export function othersOf(swarm: ContainerSwarm, member: Member): readonly Member[] {
  return swarm.members.filter((other) => other.name !== member.name)
}

/** The pairs of nodes that see each other so. */
export async function everybodySees(
  swarm: ContainerSwarm,
  state: PeerReport['state'],
  boundMs: number,
): Promise<number> {
  const counts = swarm.members.map(async (member) => {
    await othersSee(swarm, member, state, boundMs)
    return swarm.members.length - 1
  })
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0)
}

/** Waits until all others have this member in that state, and says since when by each one's own clock. */
export async function othersSee(
  swarm: ContainerSwarm,
  member: Member,
  state: PeerReport['state'],
  boundMs: number,
): Promise<readonly { readonly name: string; readonly sinceMs: number }[]> {
  const seen = othersOf(swarm, member).map(({ name }) =>
    eventually(
      `${name} to see ${member.name} ${state}`,
      async () => {
        const view = await swarm.view(name, member)
        return view?.state === state ? { name, sinceMs: Date.parse(view.since) } : undefined
      },
      boundMs,
    ),
  )
  return Promise.all(seen)
}

export function after(startMs: number, seen: readonly { readonly name: string; readonly sinceMs: number }[]): string {
  return seen.map(({ name, sinceMs }) => `${name} ${((sinceMs - startMs) / 1000).toFixed(1)} s`).join(', ')
}
