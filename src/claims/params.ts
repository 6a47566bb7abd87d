import { assert } from '../kernel/index.ts'
import { PAYLOAD_BYTES_MAX } from './messages.ts'

/** All times in milliseconds. */
export interface ClaimsParams {
  /** How long an award or a renewal is good for, by the coordinator's clock. */
  readonly leaseMs: number
  /** The executor stops this much before the end: more than two clocks can drift apart in a lease, and a late timer. */
  readonly leaseMarginMs: number
  /** Leases are renewed this often, all of one coordinator in one message. */
  readonly renewIntervalMs: number
  /** Bid window = this many round trips to the farthest peer asked, plus `windowSlackMs`, within the two bounds. */
  readonly windowRoundTripsFactor: number
  readonly windowSlackMs: number
  readonly windowMinMs: number
  readonly windowMaxMs: number
  /** Round trip assumed of a peer that was never measured. */
  readonly rttUnknownMs: number
  /** Peers asked in one round (d). */
  readonly candidatesMax: number
  /** Rounds of offers open at once, those that wait for a reservation to fire included. */
  readonly roundsMax: number
  /** Like tasks that one offer may name, and that one award may carry. */
  readonly offerTasksMax: number
  readonly awardTasksMax: number
  /** A bid keeps its slots free this long beyond the window, for the award to arrive. */
  readonly promiseSlackMs: number
  /** A busy peer keeps an offer this long, then the coordinator looks around again. */
  readonly holdMs: number
  readonly holdsMax: number
  readonly holdsPerPeerMax: number
  /** A group that found nobody looks again after this, doubling up to the bound; news of a candidate ends the wait. */
  readonly reofferMinMs: number
  readonly reofferMaxMs: number
  /** All groups that found nobody together look again at most so often; with many of them each waits longer. */
  readonly reoffersPerSecond: number
  /** Back-off before a failed task is tried again, doubling. */
  readonly retryMinMs: number
  readonly retryMaxMs: number
  readonly retriesDefaultCount: number
  readonly retriesMax: number
  /** Executors that a task may lose (crash, cut off, agent gone) before it is dead-lettered as dangerous. */
  readonly lossesMax: number
  /** Open tasks (accepted, not ended) and their inputs. The lowest class is refused first, the highest at the bound. */
  readonly openTasksMax: number
  readonly openBytesMax: number
  /** Share of the bounds from which the lowest class is refused. */
  readonly shedFromShare: number
  /** Hint to who was refused. */
  readonly retryAfterMs: number
  /** Ended tasks whose record is kept for queries: by time, by number and by bytes of output; oldest go first. */
  readonly endedRetentionMs: number
  readonly endedTasksMax: number
  readonly endedBytesMax: number
  /** Submission keys are remembered this long after the task has ended; at the bound keyed submissions are refused. */
  readonly keyRetentionMs: number
  readonly keysMax: number
  /** T-11: whoever has waited this long takes part in the share of the oldest. */
  readonly agingMs: number
  /** One pick in so many goes to the oldest of the aged, whatever its class. */
  readonly agingEveryCount: number
  /** Lanes of a tenant looked at for one that fits what an agent has free; in vain, further ones a moment later. */
  readonly scanMax: number
  /** Idle agents compared for one task. */
  readonly sampleMax: number
  readonly agentsMax: number
  readonly slotsPerAgentMax: number
  /** Distinct demands waiting or held at once. */
  readonly demandsMax: number
  readonly tenantsMax: number
  /** Consecutive failures that open an executor's breaker, and how long it stays open, doubling. */
  readonly breakerFailuresCount: number
  readonly breakerOpenMinMs: number
  readonly breakerOpenMaxMs: number
  /** Executors and skills whose outcomes are remembered. */
  readonly tracksMax: number
  /** Service time assumed of a skill that nobody has measured. */
  readonly serviceUnknownMs: number
  /** Outcomes not yet acknowledged are sent again this often. */
  readonly resendMs: number
  /** An agent all of whose slots are taken by tasks it was told to stop is given up after this. */
  readonly stopGraceMs: number
  /** Messages to peers without a link wait this long for one, so many at most in all. */
  readonly linkPatienceMs: number
  readonly outboxMessagesMax: number
  /** Links asked for at once beyond those that are there. */
  readonly linksWantedMax: number
  /** Questions to other nodes and waiters open at once. */
  readonly requestsMax: number
  /** A question to another node is given up after this, unless it waits for an end. */
  readonly requestTimeoutMs: number
  /** Whoever waits for an end elsewhere asks again this often, in case the question or its answer was lost. */
  readonly waitAgainMs: number
  /** Payloads longer than this travel in parts, on the bulk lane. */
  readonly inlineBytesMax: number
  readonly partBytes: number
  /** Long payloads named by one peer and not yet here; a further one is refused. As many of this node's may be fetched. */
  readonly transfersPerPeerMax: number
  /** Room for those whose parts are asked for; the others wait for it. */
  readonly transferBytesPerPeerMax: number
  /** Parts asked for at once, in bytes: what the bulk lane takes, which refuses more; it is the most per round trip. */
  readonly transferWindowBytes: number
  /** A task that nobody was told of is on its way to the disk after this, if it has not ended by then. */
  readonly commitDelayMs: number
  /** What this node says about its agents is brought up to date at most this often. */
  readonly reportIntervalMs: number
}

const KIB = 1024
const MIB = 1024 * KIB

const LAN: ClaimsParams = {
  leaseMs: 10_000,
  leaseMarginMs: 250,
  renewIntervalMs: 3_000,
  windowRoundTripsFactor: 3,
  windowSlackMs: 10,
  windowMinMs: 25,
  windowMaxMs: 1_500,
  rttUnknownMs: 20,
  candidatesMax: 3,
  roundsMax: 1024,
  offerTasksMax: 256,
  awardTasksMax: 64,
  promiseSlackMs: 1_000,
  holdMs: 10_000,
  holdsMax: 4096,
  holdsPerPeerMax: 512,
  reofferMinMs: 250,
  reofferMaxMs: 5_000,
  reoffersPerSecond: 200,
  retryMinMs: 250,
  retryMaxMs: 30_000,
  retriesDefaultCount: 3,
  retriesMax: 100,
  lossesMax: 50,
  openTasksMax: 200_000,
  openBytesMax: 256 * MIB,
  shedFromShare: 0.6,
  retryAfterMs: 1_000,
  endedRetentionMs: 3_600_000,
  endedTasksMax: 20_000,
  endedBytesMax: 64 * MIB,
  keyRetentionMs: 24 * 3_600_000,
  keysMax: 200_000,
  agingMs: 30_000,
  agingEveryCount: 8,
  scanMax: 32,
  sampleMax: 4,
  agentsMax: 20_000,
  slotsPerAgentMax: 10_000,
  demandsMax: 200_000,
  tenantsMax: 10_000,
  breakerFailuresCount: 3,
  breakerOpenMinMs: 1_000,
  breakerOpenMaxMs: 60_000,
  tracksMax: 50_000,
  serviceUnknownMs: 1_000,
  resendMs: 3_000,
  stopGraceMs: 30_000,
  linkPatienceMs: 3_000,
  outboxMessagesMax: 4096,
  linksWantedMax: 48,
  requestsMax: 20_000,
  requestTimeoutMs: 5_000,
  waitAgainMs: 30_000,
  inlineBytesMax: 64 * KIB,
  partBytes: 96 * KIB,
  transfersPerPeerMax: 4096,
  transferBytesPerPeerMax: 8 * MIB,
  transferWindowBytes: 512 * KIB,
  commitDelayMs: 5,
  reportIntervalMs: 100,
}

export const CLAIMS_PROFILES = {
  local: { ...LAN, rttUnknownMs: 5, reportIntervalMs: 50 },
  lan: LAN,
  wan: { ...LAN, leaseMs: 20_000, renewIntervalMs: 6_000, windowMinMs: 100, rttUnknownMs: 200, holdMs: 20_000 },
} as const satisfies Record<string, ClaimsParams>

/** Worst difference of two clocks' rates that is still allowed for (L-2's assumption). */
export const CLOCK_RATE_DIFFERENCE_MAX_SHARE = 0.002

/** The relations between the constants, each with its reason. */
export function checkClaimsParams(p: ClaimsParams): void {
  assert(p.renewIntervalMs * 3 < p.leaseMs, 'two lost renewals must not end a lease', { p })
  assert(
    p.leaseMarginMs > p.leaseMs * CLOCK_RATE_DIFFERENCE_MAX_SHARE + 100,
    'T-1: the executor stops before the coordinator thinks so, whatever clocks drift and a timer is late',
    { p },
  )
  assert(
    p.windowMinMs <= p.windowMaxMs && p.windowMaxMs + p.promiseSlackMs < p.leaseMs / 2,
    'a bid outlives its window',
    {
      p,
    },
  )
  assert(p.resendMs < p.leaseMs, 'an outcome is repeated before its lease would end', { p })
  assert(p.awardTasksMax <= p.offerTasksMax, 'an award is part of an offer', { p })
  assert(p.inlineBytesMax <= p.partBytes && p.partBytes < 200 * KIB, 'what is sent fits its message kind', { p })
  assert(p.partBytes <= p.transferWindowBytes, 'one part at least can be asked for', { p })
  assert(p.transferBytesPerPeerMax >= PAYLOAD_BYTES_MAX, 'there is room for the longest payload', { p })
  assert(p.shedFromShare > 0 && p.shedFromShare <= 1, 'a share', { p })
  assert(p.agingEveryCount >= 2, 'the aged get a share, not everything', { p })
}
