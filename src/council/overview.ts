import type { Vouched } from '../identity/types.ts'
import { unreachable, type WallMillis } from '../kernel/index.ts'
import { type Table, voicesNeeded } from '../machine/index.ts'
import { plain, type Shown, shownOf } from './forms.ts'
import { decodeOperation } from './operations.ts'
import type { CouncilState } from './state.ts'

/** What of the state can be listed (`council show SECTION`). */
export const SECTIONS = [
  'organisations',
  'withdrawn',
  'validators',
  'convicted',
  'tenants',
  'parameters',
  'roles',
  'revoked',
  'expelled',
  'overrides',
  'motions',
] as const
export type Section = (typeof SECTIONS)[number]

/** One thing that stands decided. `revision` is what `--expect` names; times are milliseconds of block time. */
export type GovernedRow =
  | { readonly name: string; readonly keys: readonly string[]; readonly seats: number; readonly revision: number }
  | { readonly key: string; readonly org: string; readonly revision: number }
  | { readonly node: string; readonly org: string; readonly sinceMs: number; readonly revision: number }
  | {
      readonly name: string
      readonly weight: number
      readonly quota: Readonly<Record<string, number>>
      readonly revision: number
    }
  | { readonly name: string; readonly value: string | number; readonly revision: number }
  | { readonly subject: string; readonly tenant: string; readonly role: string; readonly revision: number }
  | { readonly node: string; readonly atMs: number; readonly revision: number }
  | { readonly node: string; readonly org: string; readonly atMs: number; readonly revision: number }
  | {
      readonly subject: string
      readonly action: string
      readonly untilMs: number
      readonly by: string
      readonly revision: number
    }
  | {
      readonly motion: string
      readonly act: Shown | undefined
      readonly voters: readonly string[]
      readonly needed: number
      readonly untilMs: number
    }

/** A page of a section. */
export interface Overview {
  readonly rows: readonly GovernedRow[]
  /** What to ask for next (`after`), if there is more. */
  readonly next: string | undefined
}

interface Page {
  /** Keys after this one. */
  readonly after: string | undefined
  /** Keys at most. */
  readonly limit: number
}

/** What is in force at a time, in the order of its keys. */
export function overviewOf(
  state: CouncilState,
  section: Section,
  page: Page,
  at: WallMillis,
  readCertificate: (bytes: Uint8Array) => Vouched | undefined,
): Overview {
  switch (section) {
    case 'organisations':
      return paged(state.organisations, page, (name, { authorities, seatsMax, revision }) => [
        { name, keys: authorities, seats: seatsMax, revision },
      ])
    case 'withdrawn':
      return paged(state.withdrawn, page, (key, { org, revision }) => [{ key, org, revision }])
    case 'validators':
      return paged(state.validators, page, (node, { org, since, revision }) => [
        { node, org, sinceMs: since, revision },
      ])
    case 'convicted':
      return paged(state.convicted, page, (node, { at: atMs, revision }) => [{ node, atMs, revision }])
    case 'tenants':
      return paged(state.tenants, page, (name, { weight, quotas, revision }) => [
        { name, weight, quota: quotas, revision },
      ])
    case 'parameters':
      return paged(state.parameters, page, (name, { value, revision }) => [{ name, value: plain(value), revision }])
    case 'roles':
      return paged(state.roles, page, (subject, { grants }) => grants.map((grant) => ({ subject, ...grant })))
    case 'revoked':
      return paged(state.revocations, page, (node, { at: atMs, revision }) => [{ node, atMs, revision }])
    case 'expelled':
      return paged(state.expelled, page, (_, { node, org, at: atMs, revision }) => [{ node, org, atMs, revision }])
    case 'overrides':
      return paged(state.overrides, page, (key, { until, by, revision }) => {
        const [subject = '', action = ''] = key.split(' ')
        return until > at ? [{ subject, action, untilMs: until, by, revision }] : []
      })
    case 'motions': {
      const needed = voicesNeeded(state.validators.rows().map(({ key }) => key))
      return paged(state.motions.table, page, (motion, { operation, voters, until }) => {
        const decoded = decodeOperation(operation)
        const act = decoded.ok ? shownOf(decoded.value.act, readCertificate) : undefined
        return until > at ? [{ motion, act, voters, needed, untilMs: until }] : []
      })
    }
    default:
      return unreachable(section)
  }
}

function paged<K extends string, V>(
  table: Table<K, V>,
  { after, limit }: Page,
  rowsOf: (key: K, value: V) => readonly GovernedRow[],
): Overview {
  const rest = table.rows().filter(({ key }) => after === undefined || key > after)
  const taken = rest.slice(0, limit)
  const rows = taken.flatMap(({ key, value }) => rowsOf(key, value))
  return { rows, next: rest.length > taken.length ? taken.at(-1)?.key : undefined }
}
