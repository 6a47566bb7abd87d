import type { NodeId, OrgId } from '../kernel/index.ts'
import { type Bench, full, isName, type Judged, type Judgement, refuse, valid } from './judgement.ts'
import type { ActOf } from './operations.ts'

export function judgeOrganisation({ name, authorities, seatsMax }: ActOf<'org'>, { state, ports }: Bench): Judgement {
  if (!isName(name)) return refuse('BAD_REQUEST', `'${name}' is no name for an organisation`)
  if (authorities.length === 0) return refuse('BAD_REQUEST', `${name} needs an authority key: --key`)
  if (new Set(authorities).size < authorities.length) return refuse('BAD_REQUEST', 'a key is named twice')
  for (const authority of authorities) {
    if (!ports.isKey(authority))
      return refuse('BAD_REQUEST', `${authority} is no key: 'authority.key' has an id like a node's`)
    const owner = state.organisationOf(authority)
    if (owner !== undefined && owner !== name) return refuse('BAD_REQUEST', `the key ${authority} is ${owner}'s`)
    if (state.validators.has(authority) || state.revocations.has(authority)) {
      return refuse('BAD_REQUEST', `${authority} is a node's key: an organisation has one of its own`)
    }
  }
  const known = state.organisations.get(name)
  const share = state.validators.rows().filter(({ value }) => value.org === name).length
  if (seatsMax < share) {
    return refuse('UNSAFE_CHANGE', `${name} has ${share} validators, more than ${seatsMax}: let some go first`)
  }
  if (known?.seatsMax === seatsMax && known.authorities.join() === authorities.join()) {
    return refuse('ALREADY_SO', `${name} has these keys and seats`)
  }
  if (known === undefined && state.organisations.full) return full('organisations', state.organisations.rowsMax)
  const commit = () => state.organisations.set(name, { authorities, seatsMax, revision: state.revision })
  return valid(commit, [known === undefined ? undefined : name])
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
