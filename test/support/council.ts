import {
  type Act,
  type ActOf,
  type CouncilFounding,
  CouncilMachine,
  type CouncilPorts,
  type CouncilResult,
  councilResultShape,
  encodeOperation,
} from '../../src/council/index.ts'
import type { Role, Vouched } from '../../src/identity/types.ts'
import { isNodeId, type NodeId, type OrgId, type SwarmId, type WallMillis } from '../../src/kernel/index.ts'
import { decode, type Height, type MachineRefusal } from '../../src/wire/index.ts'

/** A moment by block time, in ms. */
export const NOON = 1_800_000_000_000

export const node = (name: string): NodeId => name as NodeId
export const org = (name: string): OrgId => name as OrgId

/** Certificates as the tests make them: JSON, believed as it stands. Authorities are called `key…`. */
export function certificateOf(
  of: string,
  changes: { org?: string; authority?: string; roles?: readonly Role[]; notBefore?: number; notAfter?: number } = {},
): Uint8Array {
  const { org: name = 'acme', authority = `key${name}`, roles = ['worker', 'validator'] } = changes
  const { notBefore = NOON - 1000, notAfter = NOON + 1_000_000 } = changes
  const certificate = { swarm: 'swarm', node: of, org: name, roles, labels: {}, epoch: 1, notBefore, notAfter }
  return new TextEncoder().encode(JSON.stringify({ certificate, authority }))
}

export const PORTS: CouncilPorts = {
  readCertificate: (bytes) => {
    try {
      const vouched = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes)) as Vouched
      return isWhole(vouched) ? vouched : undefined
    } catch {
      return undefined
    }
  },
  isKey: (name) => /^[a-z]/.test(name),
}

/** Fuzzing damages certificates; what a real one's codec refuses is refused here too. */
function isWhole({ certificate, authority }: Partial<Vouched>): boolean {
  if (certificate === undefined || typeof authority !== 'string') return false
  const { swarm, node: of, org: whose, roles, notBefore, notAfter } = certificate
  return (
    swarm === ('swarm' as SwarmId) &&
    typeof of === 'string' &&
    isNodeId(of) &&
    typeof whose === 'string' &&
    Array.isArray(roles) &&
    typeof notBefore === 'number' &&
    typeof notAfter === 'number'
  )
}

/** A council of acme, founded by `keyacme` with these validators. */
export function founding(validators: readonly string[], changes: Partial<CouncilFounding> = {}): CouncilFounding {
  return {
    founder: org('acme'),
    organisations: [{ name: org('acme'), authorities: [node('keyacme')], seatsMax: 16 }],
    parameters: { 'membership.fullMeshMin': '9', 'membership.fullMeshMax': '12' },
    validators: validators.map((name) => ({ node: node(name), org: org('acme') })),
    ...changes,
  }
}

/** A machine with a hand for tests: operations by name, outcomes as values. */
export class Bench {
  readonly machine: CouncilMachine
  at = NOON
  #height = 0

  constructor(about: readonly string[] | CouncilFounding) {
    this.machine = new CouncilMachine('founder' in about ? about : founding(about), PORTS)
  }

  apply(client: string, act: Act, expect?: number): CouncilResult | MachineRefusal {
    return this.applyBytes(client, encodeOperation({ expect, act }))
  }

  applyBytes(client: string, operation: Uint8Array): CouncilResult | MachineRefusal {
    this.#height += 1
    const about = { client: node(client), height: this.#height as Height, at: this.at as WallMillis }
    const applied = this.machine.apply(operation, about)
    if ('code' in applied) return applied
    const result = decode(councilResultShape, applied.result)
    if (!result.ok) throw new Error(result.error)
    return result.value
  }

  check(client: string, act: Act): string | undefined {
    return this.machine.check(encodeOperation({ expect: undefined, act }), node(client))?.code
  }

  /** All pieces of the state as one text. */
  get root(): string {
    return this.machine
      .snapshot()
      .map((piece) => Buffer.from(piece).toString('hex'))
      .join(' ')
  }

  get seats(): string {
    return this.machine.members().join(' ')
  }
}

type Made<K extends Act['kind']> = Partial<Omit<ActOf<K>, 'kind'>>

/** Acts with what does not matter filled in. */
export const act = {
  tenant: (name: string, more: Made<'tenant'> = {}): Act => ({ kind: 'tenant', name, weight: 1, quotas: {}, ...more }),
  revoke: (name: string, whose?: string): Act => {
    return { kind: 'revoke', node: node(name), org: whose === undefined ? undefined : org(whose) }
  },
  org: (name: string, more: Made<'org'> = {}): Act => {
    return { kind: 'org', name: org(name), authorities: [node(`key${name}`)], seatsMax: 8, ...more }
  },
  add: (...certificates: readonly Uint8Array[]): Act => ({ kind: 'validator', add: certificates, remove: [] }),
  remove: (...names: readonly string[]): Act => ({ kind: 'validator', add: [], remove: names.map(node) }),
  swap: (add: readonly Uint8Array[], remove: readonly string[]): Act => {
    return { kind: 'validator', add, remove: remove.map(node) }
  },
  parameter: (name: string, value: string): Act => ({ kind: 'parameter', name, value }),
  role: (tenant: string, subject: string, role: string, withdraw = false): Act => {
    return { kind: 'role', tenant, subject, role, withdraw }
  },
  override: (subject: string, action: string, ttlMs = 60_000): Act => ({ kind: 'override', subject, action, ttlMs }),
} as const
