import { assert } from '../kernel/index.ts'

const MINUTE_MS = 60_000

/** The label in a presence with which a node says that it holds the authority key of the organisation it names. */
export const ISSUER_LABEL = 'swarm.issuer'

/** A certificate is due when at most this share of its life is left (G-1). */
export const DUE_SHARE_MAX = 1 / 3

export interface RenewalParams {
  /** Each certificate is due when a share of its life is left that is drawn between these two (G-1). */
  readonly dueShareMin: number
  readonly dueShareMax: number
  /** Time for a link to an issuer to come up. */
  readonly reachTimeoutMs: number
  readonly answerTimeoutMs: number
  /** Between two tries; doubled with each, up to the bound (G-2). */
  readonly backoffMinMs: number
  readonly backoffMaxMs: number
  /** People are not told before a certificate was due for this long: at a start nobody is linked yet (G-12). */
  readonly patienceMs: number
  /** Within this time after an issuer has appeared it is asked (G-12). */
  readonly wakeSpreadMs: number
  /** How far clocks of honest hosts may be apart; the same as at the handshake. */
  readonly clockToleranceMs: number
  /** Requests of one node that are looked at, on average and at once (G-9). */
  readonly requestsPerSecond: number
  readonly requestsBurst: number
  /** Nodes whose requests are counted; at the bound the one that asked longest ago is forgotten. */
  readonly countedMax: number
  /** Certificates being signed at once (G-9). */
  readonly pendingMax: number
  /** Members whose certificates and labels are remembered: as many as membership holds. */
  readonly membersMax: number
}

export const RENEWAL_PARAMS: RenewalParams = {
  dueShareMin: 1 / 4,
  dueShareMax: DUE_SHARE_MAX,
  reachTimeoutMs: 15_000,
  answerTimeoutMs: 5_000,
  backoffMinMs: 5_000,
  backoffMaxMs: 5 * MINUTE_MS,
  patienceMs: 30_000,
  wakeSpreadMs: 5_000,
  clockToleranceMs: 5 * MINUTE_MS,
  requestsPerSecond: 1 / 60,
  requestsBurst: 3,
  countedMax: 4096,
  pendingMax: 64,
  membersMax: 20_000,
}

/** The relations between the constants, each with its reason. */
export function checkRenewalParams(p: RenewalParams): void {
  assert(0 < p.dueShareMin && p.dueShareMin <= p.dueShareMax && p.dueShareMax < 1, 'shares of a life', { p })
  assert(p.backoffMinMs <= p.backoffMaxMs, 'a back-off grows', { p })
  assert(p.answerTimeoutMs <= p.reachTimeoutMs, 'an answer over a link that is there is faster than a dial', { p })
  assert(p.backoffMaxMs * p.requestsPerSecond >= 1000, 'a member that backs off as far as it can is never too often', {
    p,
  })
}
