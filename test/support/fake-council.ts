import type { CouncilHandle } from '../../node/node-handle.ts'
import {
  type CouncilDecision,
  type CouncilLogReport,
  type CouncilShowReport,
  type ParamsOf,
  SwarmError,
} from '../../src/index.ts'

const AT = '2026-01-01T00:00:00.000Z'

export const DECISIONS: readonly CouncilDecision[] = [
  {
    kind: 'tenant',
    body: { name: 'gold', weight: 2, quota: { cpu: 16 } },
    outcome: 'applied',
    height: 3,
    revision: 1,
    proposer: '12D3KooWKey',
    at: AT,
    signers: ['12D3KooWFake'],
  },
  {
    kind: 'validator',
    body: { add: [{ node: '12D3KooWNew', org: 'acme' }], remove: ['12D3KooWOld'] },
    outcome: 'voted',
    height: 4,
    motion: '00000000001a',
    votes: 1,
    needed: 3,
    proposer: '12D3KooWFake',
    at: AT,
    signers: ['12D3KooWFake'],
  },
  {
    kind: 'conviction',
    body: { node: '12D3KooWLiar', votes: 'prepare of 11111111 in view 7 and prepare of 22222222 in view 7' },
    outcome: 'convicted',
    height: 5,
    proposer: '12D3KooWFake',
    at: AT,
    signers: ['12D3KooWFake'],
  },
]

/** A council that holds still: it notes what is proposed, and answers as it is told. */
export class FakeCouncil implements CouncilHandle {
  readonly proposals: ParamsOf<'council.propose'>[] = []
  /** What `propose` throws instead of deciding. */
  refusal: SwarmError | undefined
  validators: readonly string[] = ['12D3KooWFake']
  /** What `log` says of decisions that are missing. */
  complete: CouncilLogReport['complete']

  status({ cell = false }: ParamsOf<'council.status'> = {}) {
    return {
      members: [
        { node: cell ? '12D3KooWCustodian' : '12D3KooWFake', org: 'acme', state: 'voting' as const, height: 4 },
      ],
      f: 0,
      quorum: 1,
      epoch: 2,
      view: 9,
      height: 4,
      primary: '12D3KooWFake',
      checkpoint: null,
      role: 'member' as const,
      revision: 2,
      pending: 0,
    }
  }

  log({ since = 1, limit = 50 }: ParamsOf<'council.log'>) {
    const decisions = DECISIONS.filter(({ height }) => height >= since).slice(-limit)
    return { decisions, ...(this.complete === undefined ? {} : { complete: this.complete }) }
  }

  show({ section }: ParamsOf<'council.show'>): CouncilShowReport {
    if (section === 'validators')
      return { section, rows: this.validators.map((node) => ({ node, org: 'acme', atMs: 0, revision: 1 })) }
    if (section !== 'tenants') return { section, rows: [] }
    return { section, rows: [{ name: 'gold', weight: 2, quota: { cpu: 16 }, revision: 1 }], next: 'gold' }
  }

  async propose(proposal: ParamsOf<'council.propose'>) {
    if (this.refusal !== undefined) throw this.refusal
    this.proposals.push(proposal)
    if (proposal.kind === 'revoke') return { outcome: 'voted' as const, height: 5, motion: 'm', votes: 1, needed: 3 }
    return { outcome: 'applied' as const, height: 5, revision: 3 }
  }

  proof({ height }: ParamsOf<'council.proof'>): never {
    throw new SwarmError('NOT_FOUND', `nothing was decided at height ${height}`)
  }
}
