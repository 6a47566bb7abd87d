import {
  DIRECTORY_PROFILES,
  type DigestBody,
  Directory,
  type DirectoryEffect,
  type DirectoryEntry,
  type DirectoryMessage,
  type DirectoryParams,
  digestBody,
  type MemberProfile,
  type OwnReport,
  type SkillSummary,
} from '../../src/directory/index.ts'
import type { Incarnation, Millis, NodeId, OrgId } from '../../src/kernel/index.ts'
import { Random } from '../../src/kernel/index.ts'
import { encode, type Statement } from '../../src/wire/index.ts'
import { fakeSigner, fakeVerifier } from './membership-net.ts'

export const AT = { x: 0, y: 0, z: 0, height: 0, errorThousandths: 0 }

export function profile(node: string, labels: Readonly<Record<string, string>> = {}): MemberProfile {
  return { node: node as NodeId, org: 'acme' as OrgId, region: 'eu-west', zone: 'a', labels }
}

export function skill(name: string, change: Partial<SkillSummary> = {}): SkillSummary {
  return { name, slotsFree: 4, slotsTotal: 4, proficiencyThousandths: 800, price: 1, queued: 0, ...change }
}

export function report(change: Partial<OwnReport> = {}): OwnReport {
  return {
    skills: [skill('echo')],
    resources: { cpu: 8 },
    capacity: { cpu: 8 },
    labels: {},
    coordinate: AT,
    cpuThousandths: 100,
    eventLoopLagMs: 1,
    rssMiB: 90,
    agents: 1,
    accepting: true,
    ...change,
  }
}

export function digest(node: string, version: number, change: Partial<DigestBody> = {}): Statement {
  const body = { ...report(), run: 1 as Incarnation, version, ...change }
  return fakeSigner(node as NodeId).sign('digest', encode(digestBody, body))
}

export function directoryEntry(node: string, change: Partial<OwnReport> = {}, labels = {}): DirectoryEntry {
  const body = { ...report(change), run: 1 as Incarnation, version: 1 }
  return { node: node as NodeId, profile: profile(node, labels), digest: body, heardAt: 0 as Millis }
}

/** One directory core, called `me` unless named. */
export class SoloDirectory {
  readonly core: Directory
  readonly effects: DirectoryEffect[] = []
  readonly id: string
  now = 1000

  constructor(params: Partial<DirectoryParams> = {}, id = 'me') {
    this.id = id
    this.core = new Directory({
      signer: fakeSigner(id as NodeId),
      verifier: fakeVerifier,
      random: new Random(`directory ${id}`),
      params: { ...DIRECTORY_PROFILES.lan, ...params },
      run: 1 as Incarnation,
      self: profile(id),
    })
  }

  step(input: Parameters<Directory['step']>[1]): readonly DirectoryEffect[] {
    const effects = this.core.step(this.now as Millis, input)
    this.effects.push(...effects)
    return effects
  }

  run(ms: number): void {
    const end = this.now + ms
    for (let at = this.core.deadline(); at <= end; at = this.core.deadline()) {
      this.now = Math.max(this.now, at)
      this.step({ kind: 'tick' })
    }
    this.now = end
  }

  members(...nodes: string[]): void {
    for (const node of nodes) this.step({ kind: 'member-up', member: profile(node) })
  }

  say(from: string, message: DirectoryMessage): readonly DirectoryEffect[] {
    return this.step({ kind: 'message', from: from as NodeId, message })
  }

  gossip(statement: Statement): readonly DirectoryEffect[] {
    return this.say('gossiper', { kind: 'directory.digest', body: statement })
  }

  version(node: string): number | undefined {
    return this.core.entry(node as NodeId)?.digest.version
  }

  published(): DirectoryEffect[] {
    return this.effects.filter((effect) => effect.kind === 'publish')
  }
}
