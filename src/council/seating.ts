import type { Vouched } from '../identity/types.ts'
import { type NodeId, type OrgId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import { type Bench, type Judgement, type Passing, refuse } from './judgement.ts'
import type { ActOf } from './operations.ts'
import { CLOCK_TOLERANCE_MS } from './params.ts'
import { faultOfSeating } from './seats.ts'
import type { CouncilState } from './state.ts'

interface Newcomer {
  readonly node: NodeId
  readonly org: OrgId
}

/** Who comes and goes, judged by the council that results (GV-5, GV-6). */
export function judgeSeating(act: ActOf<'validator'>, bench: Bench): Judgement {
  const { state } = bench
  const named = [...act.remove]
  const newcomers: Newcomer[] = []
  for (const bytes of act.add) {
    const newcomer = judgeNewcomer(bytes, bench)
    if (!newcomer.ok) return newcomer
    named.push(newcomer.value.node)
    newcomers.push(newcomer.value)
  }
  if (named.length === 0) return refuse('BAD_REQUEST', 'nobody is named: --add ID or --remove ID')
  if (new Set(named).size < named.length) return refuse('BAD_REQUEST', 'a node is named twice')
  const stranger = act.remove.find((node) => !state.validators.has(node))
  if (stranger !== undefined) return refuse('NOT_FOUND', `${stranger} is no validator: 'council status' lists them`)
  const fault = faultOfCouncil(act, newcomers, state)
  if (fault !== undefined) return { ok: false, error: fault }

  const removed = act.remove.map((node): Newcomer => ({ node, org: state.validators.get(node)?.org as OrgId }))
  return ok({
    orgs: [...newcomers, ...removed].map(({ org }) => org),
    commit: (passing) => seat(newcomers, act.remove, state, passing),
  })
}

function judgeNewcomer(bytes: Uint8Array, { state, ports, at }: Bench): Result<Newcomer, MachineRefusal> {
  const vouched = ports.readCertificate(bytes)
  if (vouched === undefined) return refuse('CERTIFICATE_INVALID', 'what was shown is no certificate of this swarm')
  const { node, org, roles } = vouched.certificate
  if (state.organisationOf(vouched.authority) !== org) {
    return refuse('CERTIFICATE_INVALID', `the certificate of ${node} is not signed by an authority of ${org}`)
  }
  if (!roles.includes('validator')) {
    return refuse('CERTIFICATE_INVALID', `${node} is not certified as a validator: it needs a ticket with that role`)
  }
  if (at !== undefined && !inForce(vouched, at)) {
    return refuse('CERTIFICATE_EXPIRED', `the certificate of ${node} is not in force now: it has to be renewed`)
  }
  if (state.revocations.has(node)) return refuse('CERTIFICATE_REVOKED', `${node} is revoked`)
  if (state.isExpelled(node, org)) return refuse('CERTIFICATE_REVOKED', `${org} has ended the membership of ${node}`)
  if (state.convicted.has(node)) {
    const reason = `${node} was convicted of votes that contradict each other and never votes again: its host can come with a new key`
    return refuse('UNSAFE_CHANGE', reason)
  }
  if (state.organisationOf(node) !== undefined) return refuse('BAD_REQUEST', `${node} is the key of an organisation`)
  if (state.validators.has(node)) return refuse('ALREADY_SO', `${node} is a validator already`)
  return ok({ node, org })
}

function inForce({ certificate }: Vouched, at: WallMillis): boolean {
  return at >= certificate.notBefore - CLOCK_TOLERANCE_MS && at <= certificate.notAfter + CLOCK_TOLERANCE_MS
}

function faultOfCouncil(
  act: ActOf<'validator'>,
  newcomers: readonly Newcomer[],
  state: CouncilState,
): MachineRefusal | undefined {
  const before = state.seating()
  const after = new Map(before)
  for (const node of act.remove) after.delete(node)
  for (const { node, org } of newcomers) after.set(node, org)
  if (after.size === 0) return { code: 'UNSAFE_CHANGE', reason: 'a council has one member at least' }
  const sizeMax = Number(state.parameter('council.sizeMax'))
  if (after.size > sizeMax && after.size > before.size) {
    const reason = `the council has room for ${sizeMax}: set the parameter council.sizeMax, or let one go in the same operation`
    return { code: 'QUOTA_EXCEEDED', reason }
  }
  const reason = faultOfSeating(before, after, (org) => state.organisations.get(org)?.seatsMax ?? 0)
  return reason === undefined ? undefined : { code: 'UNSAFE_CHANGE', reason }
}

function seat(
  newcomers: readonly Newcomer[],
  removed: readonly NodeId[],
  state: CouncilState,
  { at, carried }: Passing,
): void {
  const seating = new Map(state.seating())
  for (const node of removed) {
    seating.delete(node)
    // Whom the validators' vote let go was absent and may come back by itself; whom an authority let go is not wanted (GV-5).
    if (!carried) bar(node, state)
  }
  for (const { node, org } of newcomers) {
    seating.set(node, org)
    state.barred.delete(node)
  }
  state.seat(seating, at)
}

/** Of too many the one that was let go first is forgotten. */
function bar(node: NodeId, { barred, revision }: CouncilState): void {
  if (barred.full) {
    const oldest = barred.rows().reduce((a, b) => (b.value.revision < a.value.revision ? b : a))
    barred.delete(oldest.key)
  }
  barred.set(node, { revision })
}
