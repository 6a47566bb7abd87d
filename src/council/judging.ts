import { unreachable } from '../kernel/index.ts'
import { type Bench, type Judgement, refuse } from './judgement.ts'
import { judgeOverride, judgeParameter } from './measures.ts'
import type { Act, Operation } from './operations.ts'
import { judgeOrganisation, judgeRevocation } from './organisations.ts'
import { judgeSeating } from './seating.ts'
import { type CouncilState, expulsionKey, overrideKey } from './state.ts'
import { grantOf, judgeRole, judgeTenant } from './tenancy.ts'

/** GV-1, GV-4, GV-5: everything about an operation but who proposes it. Changes nothing. */
export function judge(operation: Operation, bench: Bench): Judgement {
  const { act, expect } = operation
  const current = expect === undefined ? undefined : revisionOf(act, bench.state)
  if (expect !== current) {
    const now = current === 0 ? 'it is not there' : `it is at revision ${current}`
    return refuse('STALE', `revision ${expect} was expected but ${now}: look at it again and propose anew`)
  }
  switch (act.kind) {
    case 'tenant':
      return judgeTenant(act, bench)
    case 'revoke':
      return judgeRevocation(act, bench)
    case 'org':
      return judgeOrganisation(act, bench)
    case 'validator':
      return judgeSeating(act, bench)
    case 'parameter':
      return judgeParameter(act, bench)
    case 'role':
      return judgeRole(act, bench)
    case 'override':
      return judgeOverride(act, bench)
    default:
      return unreachable(act)
  }
}

/** The revision of what an act changes; 0 if there is no such thing (GV-4). */
export function revisionOf(act: Act, state: CouncilState): number {
  switch (act.kind) {
    case 'tenant':
      return state.tenants.get(act.name)?.revision ?? 0
    case 'revoke':
      if (act.org !== undefined) return state.expelled.get(expulsionKey(act.org, act.node))?.revision ?? 0
      return state.revocations.get(act.node)?.revision ?? 0
    case 'org':
      return state.organisations.get(act.name)?.revision ?? 0
    case 'validator':
      return state.validators.rows()[0]?.value.revision ?? 0
    case 'parameter':
      return state.parameters.get(act.name)?.revision ?? 0
    case 'role':
      return grantOf(act, state)?.revision ?? 0
    case 'override':
      return state.overrides.get(overrideKey(act.subject, act.action))?.revision ?? 0
    default:
      return unreachable(act)
  }
}
