import { describe, expect, it } from 'vitest'
import type { Act } from '../../src/council/index.ts'
import { foundSwarm, KeyPair, newNonce } from '../../src/identity/index.ts'
import type { OrgId, WallMillis } from '../../src/kernel/index.ts'
import { act } from '../support/council.ts'
import { RealCouncil } from '../support/real-council.ts'

const WALL_MS = 1_800_000_000_000
const ACME = 'acme' as OrgId

/** Four validators, with the organisation's key on each: later ones have later sessions, as nodes with later certificates do. */
function council() {
  const authority = KeyPair.generate()
  const keys = Array.from({ length: 4 }, () => KeyPair.generate())
  const founded = foundSwarm(
    {
      name: 'holders',
      createdAt: WALL_MS as WallMillis,
      nonce: newNonce(),
      organisations: [{ name: ACME, authorities: [authority.node], validatorSeatsMax: 8 }],
      validators: keys.map(({ node }) => ({ node, org: ACME })),
      parameters: {},
    },
    authority,
  )
  if (!founded.ok) throw new Error(founded.error.message)
  const real = new RealCouncil(founded.value, WALL_MS, keys, authority)
  const at = (place: number) => keys[place]?.node ?? authority.node
  return { real, at, as: authority.node }
}

const tenant = (name: string): Act => act.tenant(name)

describe('several holders of one organisation’s key', () => {
  it('B-21 each is heard, in whatever order they speak', () => {
    const { real, at, as } = council()
    for (const [i, place] of [0, 2, 0, 1, 2, 0, 3, 0].entries()) {
      expect([i, real.propose(at(place), tenant(`t${i}`), as)]).toMatchObject([i, { kind: 'applied' }])
    }
  })

  it('B-21 each is heard if they speak at the same time, and what they say is applied once', () => {
    const { real, at, as } = council()
    const ids = Array.from({ length: 12 }, (_, i) => real.submit(at(i % 3), tenant(`t${i}`), as))
    real.pass(8_000)
    expect(ids.map((id) => real.outcomes.get(id)?.kind)).toEqual(ids.map(() => 'applied'))
    const applied = real.decisions.flatMap(({ results }) => results.flatMap(({ outcomes }) => outcomes))
    expect(applied.filter(({ kind }) => kind === 'applied')).toHaveLength(ids.length)
  })
})
