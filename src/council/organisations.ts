import type { NodeId, OrgId } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import { type Bench, full, isName, type Judged, type Judgement, refuse, valid } from './judgement.ts'
import type { ActOf } from './operations.ts'
import type { CouncilState } from './state.ts'

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
function establish({ name, authorities, seatsMax }: ActOf<'org'>, state: CouncilState): void {
  const { revision, organisations, withdrawn } = state
  for (const key of organisations.get(name)?.authorities ?? []) {
    if (authorities.includes(key)) continue
    if (withdrawn.full) {
      const oldest = withdrawn.rows().reduce((a, b) => (b.value.revision < a.value.revision ? b : a))
      withdrawn.delete(oldest.key)
    }
    withdrawn.set(key, { org: name, revision })
  }
  for (const key of authorities) withdrawn.delete(key)
  if (authorities.length === 0) organisations.delete(name)
  else organisations.set(name, { authorities, seatsMax, revision })
}

export function judgeRevocation({ node, certificate }: ActOf<'revoke'>, bench: Bench): Judgement {
  const { state, ports } = bench
  if (!ports.isKey(node)) return refuse('BAD_REQUEST', `${node} is no node id`)
  if (state.organisationOf(node) !== undefined) {
    return refuse('BAD_REQUEST', `${node} is the key of an organisation: take it away with 'council propose org'`)
  }
  if (state.revocations.has(node)) return refuse('ALREADY_SO', `${node} is revoked already`)
  const seat = state.validators.get(node)
  if (seat !== undefined && state.validators.size === 1) {
    return refuse('UNSAFE_CHANGE', `${node} is the only validator: take another one in first`)
  }
  if (state.revocations.full) return full('revoked nodes', state.revocations.rowsMax)
  const org = seat?.org ?? orgShown(certificate, node, bench)
  const commit: Judged['commit'] = ({ at }) => {
    state.revocations.set(node, { at, revision: state.revision })
    state.roles.delete(node)
    state.barred.delete(node)
    // GV-6: a hostile validator goes whatever the balance; the next change restores it.
    if (seat !== undefined) state.seat(without(state.seating(), node), at)
  }
  return valid(commit, [org])
}

function without<K, V>(map: ReadonlyMap<K, V>, key: K): ReadonlyMap<K, V> {
  const rest = new Map(map)
  rest.delete(key)
  return rest
}

/** Whose member a node is, if its certificate is shown and good. */
function orgShown(certificate: Uint8Array | undefined, node: NodeId, { state, ports }: Bench): OrgId | undefined {
  const vouched = certificate === undefined ? undefined : ports.readCertificate(certificate)
  if (vouched === undefined || vouched.certificate.node !== node) return undefined
  const { org } = vouched.certificate
  return state.organisationOf(vouched.authority) === org ? org : undefined
}
