import type { WallMillis } from '../kernel/index.ts'
import { type Bench, full, isName, isSubject, type Judgement, refuse, valid } from './judgement.ts'
import type { ActOf } from './operations.ts'
import { faultOfParameter, faultOfRelations } from './parameters.ts'
import { OVERRIDE_TTL_MS_MIN } from './params.ts'
import { overrideKey } from './state.ts'

export function judgeParameter({ name, value }: ActOf<'parameter'>, { state }: Bench): Judgement {
  const fault = faultOfParameter(name, value) ?? faultOfRelations(name, value, (other) => state.parameter(other))
  if (fault !== undefined) return refuse('BAD_REQUEST', fault)
  if (state.parameter(name) === value) return refuse('ALREADY_SO', `${name} is ${value} already`)
  return valid(() => state.parameters.set(name, { value, revision: state.revision }))
}

export function judgeOverride({ subject, action, ttlMs }: ActOf<'override'>, { state, at }: Bench): Judgement {
  if (!isSubject(subject))
    return refuse('BAD_REQUEST', 'a subject is a node id, a tenant or another word without spaces')
  if (!isName(action)) return refuse('BAD_REQUEST', `'${action}' is no name for an action`)
  const key = overrideKey(subject, action)
  const known = state.overrides.get(key)
  const inForce = known !== undefined && (at === undefined || known.until > at)
  if (ttlMs === 0) {
    if (!inForce) return refuse('NOT_FOUND', `no override ${action} of ${subject} is in force`)
    return valid(() => state.overrides.delete(key))
  }
  if (ttlMs < OVERRIDE_TTL_MS_MIN)
    return refuse('BAD_REQUEST', `an override holds for ${OVERRIDE_TTL_MS_MIN} ms at least`)
  // Ahead of any block any may have ended by then.
  const hasRoom = known !== undefined || !state.overrides.full || at === undefined
  if (!hasRoom && state.endedOverrides(at).length === 0) return full('overrides', state.overrides.rowsMax)
  return valid(({ at: now, by }) => {
    for (const old of state.endedOverrides(now)) state.overrides.delete(old)
    state.override(key, { until: (now + ttlMs) as WallMillis, by, revision: state.revision })
  })
}
