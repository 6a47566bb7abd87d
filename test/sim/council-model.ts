import type { Outcome } from '../../src/consensus/index.ts'
import { type Act, decodeCouncilResult, decodeOperation } from '../../src/council/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import type { CouncilDesk } from '../../src/swarm/index.ts'
import type { Model } from './model.ts'

const AUTHORITY = 'authority' as NodeId

/** The council's acts by their plain meaning: no rights but who has a voice at all, no bounds, no motions. */
export class CouncilModel implements Model<CouncilDesk> {
  readonly validators: Set<NodeId>
  readonly revoked = new Set<NodeId>()
  readonly barred = new Set<NodeId>()
  readonly #tenants = new Map<string, number>()
  readonly #parameters = new Map<string, string>()
  readonly #admins = new Map<string, Set<string>>()
  readonly #nodeOf: (certificate: Uint8Array) => NodeId | undefined
  /** Motions that were carried, and revocations, seats given and taken: what a campaign must have met. */
  readonly counts = { motions: 0, revoked: 0, seated: 0, unseated: 0, refused: 0, applied: 0 }

  constructor(founders: readonly NodeId[], nodeOf: (certificate: Uint8Array) => NodeId | undefined) {
    this.validators = new Set(founders)
    this.#nodeOf = nodeOf
  }

  apply(client: NodeId, operation: Uint8Array, outcome: Outcome): string | undefined {
    if (outcome.kind !== 'applied') {
      this.counts.refused += 1
      return undefined
    }
    const decoded = decodeOperation(operation)
    if (!decoded.ok) return `bytes that are no operation were applied: ${decoded.error}`
    const isAdmin = (this.#admins.get(client)?.size ?? 0) > 0
    if (client !== AUTHORITY && !this.validators.has(client) && !isAdmin) {
      return `${client} has no voice, and a ${decoded.value.act.kind} of it was applied (GV-2)`
    }
    if (decodeCouncilResult(outcome.result).kind === 'voted') return undefined
    this.counts.applied += 1
    const { act } = decoded.value
    if (client !== AUTHORITY && !isAdmin) this.counts.motions += 1
    return this.#take(act, client === AUTHORITY || isAdmin)
  }

  difference({ state }: CouncilDesk): string | undefined {
    const keysOf = (rows: readonly { readonly key: string }[]): string => rows.map(({ key }) => key).join(' ')
    const weights = (pairs: Iterable<readonly [string, number | string]>): string => [...pairs].sort().join(' ')
    const tenants = state.tenants.rows().map(({ key, value }) => [key, value.weight] as const)
    const parameters = state.parameters.rows().map(({ key, value }) => [key, value.value] as const)
    const pairs: readonly (readonly [what: string, held: string, expected: string])[] = [
      ['validators', keysOf(state.validators.rows()), [...this.validators].sort().join(' ')],
      ['revoked', keysOf(state.revocations.rows()), [...this.revoked].sort().join(' ')],
      ['tenants', weights(tenants), weights(this.#tenants)],
      ['parameters', weights(parameters), weights(this.#parameters)],
    ]
    const wrong = pairs.find(([, held, expected]) => held !== expected)
    return wrong === undefined ? undefined : `${wrong[0]} are ${wrong[1]}, decided was ${wrong[2]}`
  }

  #take(act: Act, byAuthority: boolean): string | undefined {
    switch (act.kind) {
      case 'tenant':
        this.#tenants.set(act.name, act.weight)
        return undefined
      case 'parameter':
        this.#parameters.set(act.name, act.value)
        return undefined
      case 'revoke':
        this.counts.revoked += 1
        this.revoked.add(act.node)
        this.validators.delete(act.node)
        this.#admins.delete(act.node)
        return this.validators.size === 0 ? 'the last validator was revoked' : undefined
      case 'role':
        if (act.role === 'admin') this.#grant(act.subject, act.tenant, !act.withdraw)
        return undefined
      case 'validator':
        return this.#seat(act.add, act.remove, byAuthority)
      default:
        return undefined
    }
  }

  #grant(subject: string, tenant: string, isGranted: boolean): void {
    const at = this.#admins.get(subject) ?? new Set()
    this.#admins.set(subject, at)
    if (isGranted) at.add(tenant)
    else at.delete(tenant)
  }

  #seat(add: readonly Uint8Array[], remove: readonly NodeId[], byAuthority: boolean): string | undefined {
    for (const certificate of add) {
      const node = this.#nodeOf(certificate)
      if (node === undefined) return 'a validator was taken in by a certificate of nobody (GV-5)'
      if (this.revoked.has(node)) return `${node} was revoked, and has a seat again (GV-5)`
      if (this.barred.has(node) && !byAuthority) return `${node} was let go on purpose and came back by a vote (GV-5)`
      this.counts.seated += 1
      this.barred.delete(node)
      this.validators.add(node)
    }
    for (const node of remove) {
      if (!this.validators.delete(node)) return `${node} has no seat to lose`
      this.counts.unseated += 1
      if (byAuthority) this.barred.add(node)
    }
    return this.validators.size === 0 ? 'the last validator was let go (GV-5)' : undefined
  }
}
