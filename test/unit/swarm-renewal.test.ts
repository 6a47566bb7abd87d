import { expect, it } from 'vitest'
import { CLAIMS_PROFILES } from '../../src/claims/index.ts'
import { DIRECTORY_PROFILES } from '../../src/directory/index.ts'
import { type Millis, type NodeId, type OrgId, Random, type WallMillis } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES } from '../../src/membership/index.ts'
import { ISSUER_LABEL } from '../../src/renewal/index.ts'
import { composeSwarm, type SwarmEffect, type SwarmInput } from '../../src/swarm/index.ts'
import { sealerOf } from '../support/sealer.ts'
import { certificate, HOUR_MS, keys, ORG, replaced, verifier, WALL } from './renewal-fixtures.ts'

/** Two nodes as they ship, joined by hand: what one sends is what the other hears. */
class Pair {
  readonly #swarms: Readonly<Record<string, ReturnType<typeof composeSwarm>>>
  now = 1000

  constructor() {
    this.#swarms = { issuer: this.#compose('issuer', ORG), member: this.#compose('member') }
    for (const [node, peer] of [
      ['issuer', 'member'],
      ['member', 'issuer'],
    ] as const) {
      const credentials = { node: peer as NodeId, org: ORG, roles: [], certificateExpiresAt: WALL as WallMillis }
      this.step(node, { kind: 'link-up', peer: credentials })
    }
  }

  /** Steps one, and delivers what it sends to the other. */
  step(node: string, input: SwarmInput): readonly SwarmEffect[] {
    const swarm = this.#swarms[node]
    if (swarm === undefined) throw new Error(`no ${node}`)
    const effects = [...swarm.step(this.now as Millis, input)]
    for (const effect of [...effects]) {
      if (effect.kind !== 'send') continue
      effects.push(...this.step(effect.to, { kind: 'message', from: node as NodeId, message: effect.message }))
    }
    return effects
  }

  clock(node: string, wall: number): readonly SwarmEffect[] {
    return this.step(node, { kind: 'clock', wallNow: wall as WallMillis })
  }

  certificateOf(node: string) {
    return this.#swarms[node]?.renewal.certificate
  }

  seenBy(node: string, subject: string) {
    return this.#swarms[node]?.membership.member(subject as NodeId)
  }

  #compose(node: string, issuer?: OrgId) {
    return composeSwarm({
      isPayload: () => true,
      seal: sealerOf(node),
      signer: keys.signer(node as NodeId),
      verifier,
      random: new Random(node),
      params: { membership: MEMBERSHIP_PROFILES.lan, directory: DIRECTORY_PROFILES.lan, claims: CLAIMS_PROFILES.lan },
      certificate: keys.certificate(certificate(node)),
      facts: {
        addresses: [`/memory/${node}`],
        region: '',
        zone: '',
        labels: issuer === undefined ? {} : { [ISSUER_LABEL]: issuer },
        version: '0',
        startedAt: WALL as WallMillis,
      },
      issuer,
    })
  }
}

it('G-6 a certificate is persisted, behind a barrier, before anything of it leaves the node', () => {
  const pair = new Pair()
  const due = WALL + 7 * HOUR_MS
  pair.clock('issuer', WALL)
  const issue = pair.clock('member', due).find((effect) => effect.kind === 'issue')
  if (issue?.kind !== 'issue') throw new Error('the issuer was not asked')
  expect(issue.request.previous).toEqual(certificate('member'))

  const next = replaced(issue.request.previous, due)
  const value = keys.certificate(next)
  const effects = pair.step('issuer', { kind: 'issued', id: issue.request.id, outcome: { ok: true, value } })
  const at = (wanted: (effect: SwarmEffect) => boolean) => effects.findIndex(wanted)
  const persisted = at((e) => e.kind === 'persist' && e.record.kind === 'certificate')
  const shown = at((e) => e.kind === 'send' && e.to === 'issuer' && e.message.kind === 'membership.gossip')
  const used = at((e) => e.kind === 'certified')
  expect(effects[persisted]).toEqual({ kind: 'persist', record: { kind: 'certificate', bytes: value }, barrier: true })
  expect(persisted).toBeLessThan(shown)
  expect(persisted).toBeLessThan(used)
  expect(pair.certificateOf('member')).toEqual(next)

  // G-11: the other end has seen it, and lets the connection live as long.
  expect(pair.seenBy('issuer', 'member')).toMatchObject({ certificateEpoch: 11, certificateExpiresAt: next.notAfter })
  expect(effects).toContainEqual({ kind: 'peer-renewed', peer: 'member', certificateExpiresAt: next.notAfter })
})

it('G-7 a node that is put out is renewed no more', () => {
  const pair = new Pair()
  pair.clock('issuer', WALL)
  pair.step('issuer', { kind: 'revoke', node: 'member' as NodeId })
  const effects = pair.clock('member', WALL + 7 * HOUR_MS)
  expect(effects.filter((effect) => effect.kind === 'issue')).toEqual([])
  expect(effects).toContainEqual(
    expect.objectContaining({ message: { kind: 'renewal.refused', body: { reason: 'revoked' } } }),
  )
})
