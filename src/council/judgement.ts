import { type ErrorCode, err, type NodeId, type OrgId, ok, type Result, type WallMillis } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import type { Concerns } from './rights.ts'
import type { CouncilState } from './state.ts'
import type { CouncilPorts } from './types.ts'

/** What acts are judged by. `at` is the block's time; undefined where an act is judged ahead of any block. */
export interface Bench {
  readonly state: CouncilState
  /** The organisation that signed the genesis. */
  readonly founder: OrgId
  readonly ports: CouncilPorts
  readonly at: WallMillis | undefined
}

/** How an act came to be done. */
export interface Passing {
  readonly at: WallMillis
  /** Who proposed it, or whose voice was the last that was needed. */
  readonly by: NodeId
  /** By the validators' vote, not by one client's right. */
  readonly carried: boolean
}

/** An act that is valid as the state is, whoever proposes it: what it concerns, and how it is done. */
export interface Judged extends Concerns {
  /** Changes the state; its revision has been raised already. */
  readonly commit: (passing: Passing) => void
}

export type Judgement = Result<Judged, MachineRefusal>

export function refuse(code: ErrorCode, reason: string): { readonly ok: false; readonly error: MachineRefusal } {
  return err({ code, reason })
}

/** Refused because a bound of the state is reached. */
export function full(what: string, max: number): Judgement {
  return refuse(
    'QUOTA_EXCEEDED',
    `there are ${max} ${what}, and there is no room for more: end some that are not needed`,
  )
}

/** Valid; by default nobody's affair but the swarm's. */
export function valid(commit: Judged['commit'], orgs: Concerns['orgs'] = []): Judgement {
  return ok({ commit, orgs })
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?$/
const SUBJECT = /^[!-~]+$/

/** Whether a tenant, an organisation, a role, an action or a resource may be called so. */
export function isName(text: string): boolean {
  return NAME.test(text)
}

/** Whether a role or an override may be about this: visible characters, no space. */
export function isSubject(text: string): boolean {
  return SUBJECT.test(text)
}
