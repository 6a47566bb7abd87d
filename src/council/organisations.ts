import type { NodeId, OrgId, WallMillis } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import { type Bench, full, isName, type Judged, type Judgement, refuse, valid } from './judgement.ts'
import type { ActOf } from './operations.ts'
import { EXPELLED_PER_ORGANISATION_MAX, WITHDRAWN_PER_ORGANISATION_MAX } from './params.ts'
import { type CouncilState, expulsionKey } from './state.ts'

export function judgeOrganisation(act: ActOf<'org'>, bench: Bench): Judgement {
  const { name, authorities, seatsMax } = act
  const { state } = bench
  if (!isName(name)) return refuse('BAD_REQUEST', `'${name}' is no name for an organisation`)
  const fault = faultOfKeys(act, bench)
  if (fault !== undefined) return refuse('BAD_REQUEST', fault)
  const known = state.organisations.get(name)
  if (authorities.length === 0) {
    const end = faultOfEnd(act, bench)
    if (end !== undefined) return { ok: false, error: end }
  }
  const share = state.validators.rows().filter(({ value }) => value.org === name).length
  if (seatsMax < share) {
    return refuse('UNSAFE_CHANGE', `${name} has ${share} validators, more than ${seatsMax}: let some go first`)
  }
  if (known?.seatsMax === seatsMax && known.authorities.join() === authorities.join()) {
    return refuse('ALREADY_SO', `${name} has these keys and seats`)
  }
  if (known === undefined && state.organisations.full) return full('organisations', state.organisations.rowsMax)
  return valid(() => establish(act, state), [known === undefined ? undefined : name])
}

/** GV-8. */
function faultOfKeys({ name, authorities }: ActOf<'org'>, { state, ports }: Bench): string | undefined {
  if (new Set(authorities).size < authorities.length) return 'a key is named twice'
  for (const authority of authorities) {
    if (!ports.isKey(authority))
      return `${authority} is no key: 'swarm-node authority create' makes one and prints its id`
    const owner = state.organisationOf(authority) ?? state.withdrawn.get(authority)?.org
    // Who has not heard yet would take what it signs for the other's.
    if (owner !== undefined && owner !== name) return `the key ${authority} is or was ${owner}'s: make a new one`
    if (state.validators.has(authority) || state.revocations.has(authority)) {
      return `${authority} is a node's key: an organisation has one of its own ('swarm-node authority create')`
    }
  }
  return undefined
}

/** GV-14: an organisation without keys and seats is none any more. */
function faultOfEnd({ name, seatsMax }: ActOf<'org'>, { state, founder }: Bench): MachineRefusal | undefined {
  if (seatsMax > 0)
    return { code: 'BAD_REQUEST', reason: `${name} needs an authority key (--key), or none and no seats` }
  if (!state.organisations.has(name)) {
    return { code: 'NOT_FOUND', reason: `there is no organisation ${name}: 'council show organisations' lists them` }
  }
  if (name !== founder) return undefined
  return { code: 'UNSAFE_CHANGE', reason: `${name} has founded the swarm and stays: exchange its keys instead` }
}

/** GV-13: the keys that it no longer has are remembered as withdrawn. */
function establish({ name, authorities, seatsMax }: Omit<ActOf<'org'>, 'kind'>, state: CouncilState): void {
  const { revision, organisations, withdrawn } = state
  for (const key of organisations.get(name)?.authorities ?? [])
    if (!authorities.includes(key)) withdraw(key, name, state)
  for (const key of authorities) withdrawn.delete(key)
  if (authorities.length === 0 && seatsMax === 0) organisations.delete(name)
  else organisations.set(name, { authorities, seatsMax, revision })
}

/** Of too many of one organisation, its oldest is forgotten; should there be no room, that of one which has ended. */
function withdraw(key: NodeId, org: OrgId, { organisations, withdrawn, revision }: CouncilState): void {
  const rows = withdrawn.rows()
  const own = rows.filter(({ value }) => value.org === org)
  const spare = withdrawn.full ? rows.filter(({ value }) => !organisations.has(value.org)) : []
  const forgettable = own.length >= WITHDRAWN_PER_ORGANISATION_MAX ? own : spare
  if (forgettable.length > 0) {
    withdrawn.delete(forgettable.reduce((a, b) => (b.value.revision < a.value.revision ? b : a)).key)
  }
  withdrawn.set(key, { org, revision })
}

export function judgeRevocation(act: ActOf<'revoke'>, bench: Bench): Judgement {
  const { node, org } = act
  const { state, ports } = bench
  if (!ports.isKey(node)) return refuse('BAD_REQUEST', `${node} is no node id`)
  if (state.revocations.has(node)) return refuse('ALREADY_SO', `${node} is revoked already`)
  if (state.validators.has(node) && state.validators.size === 1) {
    return refuse('UNSAFE_CHANGE', `${node} is the only validator: take another one in first`)
  }
  return org === undefined ? judgeEnd(node, bench) : judgeExpulsion(node, org, bench)
}

/** The end of whatever the node is to anybody: member, validator, admin, and an organisation's key (GV-8). */
function judgeEnd(node: NodeId, { state, founder }: Bench): Judgement {
  const authorityOf = state.organisationOf(node)
  const organisation = authorityOf === undefined ? undefined : state.organisations.get(authorityOf)
  const authorities = (organisation?.authorities ?? []).filter((key) => key !== node)
  if (authorityOf === founder && authorities.length === 0) {
    return refuse('UNSAFE_CHANGE', `${node} is the only key of ${founder}: give it another with 'council propose org'`)
  }
  if (state.revocations.full) {
    const what = `${state.revocations.rowsMax} nodes are revoked, which is never forgotten, and there is no room for more`
    const instead = `give its organisation another key (council propose org) and tickets by that to all but ${node}`
    return refuse('QUOTA_EXCEEDED', `${what}: ${instead}`)
  }
  return valid(
    ({ at }) => {
      state.revocations.set(node, { at, revision: state.revision })
      state.roles.delete(node)
      state.barred.delete(node)
      unseat(node, state, at)
      if (authorityOf !== undefined && organisation !== undefined) {
        establish({ name: authorityOf, authorities, seatsMax: organisation.seatsMax }, state)
      }
    },
    [undefined],
  )
}

/** GV-16: the node's membership of this organisation, and no other's; nor what others have given it. */
function judgeExpulsion(node: NodeId, org: OrgId, { state, founder }: Bench): Judgement {
  const { expelled, organisations } = state
  if (!organisations.has(org)) {
    return refuse('NOT_FOUND', `there is no organisation ${org}: 'council show organisations' lists them`)
  }
  if (state.organisationOf(node) !== undefined) {
    return refuse('BAD_REQUEST', `${node} is the key of an organisation: take it away with 'council propose org'`)
  }
  if (state.isExpelled(node, org)) return refuse('ALREADY_SO', `${org} has ended the membership of ${node} already`)
  const count = expelled.rows().filter(({ value }) => value.org === org).length
  if (count >= EXPELLED_PER_ORGANISATION_MAX || expelled.full) {
    const what = `${org} has ended ${count} memberships, which are never forgotten, and there is no room for more`
    return refuse('QUOTA_EXCEEDED', `${what}: ${founder} can revoke ${node}, for good`)
  }
  const commit: Judged['commit'] = ({ at }) => {
    expelled.set(expulsionKey(org, node), { org, node, at, revision: state.revision })
    if (state.isSeated(node, org)) unseat(node, state, at)
  }
  return valid(commit, [org])
}

/** GV-6: a hostile validator goes whatever the balance; the next change restores it. */
function unseat(node: NodeId, state: CouncilState, at: WallMillis): void {
  const seating = new Map(state.seating())
  if (seating.delete(node)) state.seat(seating, at)
}
