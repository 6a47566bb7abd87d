import { RULES, type Rules, type Seat, type View } from '../../src/consensus/index.ts'
import type { Kind, Wiring } from './scenario.ts'

export interface Bug {
  /** The clause it breaks. */
  readonly clause: string
  readonly wiring: Wiring
  /** Suites that are asked to find it. */
  readonly kinds: readonly Kind[]
}

const ALL: readonly Kind[] = ['twins', 'fuzz', 'behaviour', 'pair', 'crash', 'membership', 'lossy', 'aimed']

function planted(clause: string, rules: Partial<Rules>, kinds: readonly Kind[] = ALL): Bug {
  return { clause, wiring: { rules: { ...RULES, ...rules } }, kinds }
}

/** Mistakes that have been made, or nearly, in other people's implementations and in ours. Each must be found. */
export const BUGS: Readonly<Record<string, Bug>> = {
  'quorum of 2f': planted('B-3', { quorum: (n) => Math.max(1, 2 * Math.floor((n - 1) / 3)) }),
  'majority quorum': planted('B-3', { quorum: (n) => Math.floor(n / 2) + 1 }),
  'signers counted twice': planted('B-3', { distinct: (seats) => seats.length }),
  'vote before durable': { clause: 'B-19', wiring: { barrier: false }, kinds: ['crash'] },
  'prepares twice': planted('B-14', { mayPrepare: (own, view) => view >= own.prepared }),
  'commit after skip': planted('B-15', {
    mayCommit: (own, view, digest, current) => RULES.mayCommit({ ...own, skipped: 0 as View }, view, digest, current),
  }),
  'late certificate commits': planted('B-15', {
    mayCommit: (own, view, digest) => RULES.mayCommit({ ...own, skipped: 0 as View }, view, digest, view),
  }),
  'commits against its own prepare': planted('B-15', {
    mayCommit: (own, view, digest, current) =>
      RULES.mayCommit({ ...own, preparedDigest: digest }, view, digest, current),
  }),
  'votes counted without digest': planted('B-3', { counts: () => true }),
  'own vote not counted': { clause: 'B-13', wiring: { countsOwn: false }, kinds: ALL },
  'skip after commit': planted('B-16', {
    maySkip: (own, view) => view > own.skipped,
    skipTip: (tip) => Math.max(0, tip - 1) as typeof tip,
  }),
  'skip names no tip': planted('B-16', { skipTip: () => 0 as never }),
  'unjustified proposal': planted('B-17', { justified: () => true }),
  'any skip certificate covers': planted('B-17', {
    justified: (tip, view, skip) => tip === view - 1 || (skip !== undefined && skip.view === view - 1),
  }),
  'parent not checked': planted('B-17', { standsOn: () => true }),
  'boundary without checkpoint': planted('B-18', { needsCheckpoint: () => false }),
  'segments without end': planted('B-18', { mustEnd: () => false }),
  'epoch not checked': planted('B-7', { sameEpoch: () => true }),
  'log cut before stable': { clause: 'B-19', wiring: { cutsEarly: true }, kinds: ['crash'] },
  'snapshot believed': planted('B-23', { believesChunk: () => true }),
  'replays applied': planted('B-21', { refusesReplay: () => false }),
  'votes after amnesia': planted('B-20', { abstains: () => false }),
  'damage not reported': { clause: 'B-20', wiring: { tellsSuspect: false }, kinds: ['crash'] },
  'membership at a stroke': planted('B-24', { membershipStep: () => 64 }),
  'time-outs do not grow': planted('B-13', { timeoutMs: () => 3 }),
  'first member always primary': planted('B-12', { primarySeat: () => 0 as Seat }),
}
