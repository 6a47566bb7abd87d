import { after, BoundedMap, type Millis, type NodeId } from '../kernel/index.ts'
import type { Agent } from './agent.ts'
import type { Alarm } from './alarms.ts'
import type { Ground } from './ground.ts'
import type { Links } from './links.ts'
import type { AttemptRow, BodyOf, LeaseRow, OutcomeBody, PayloadBody } from './messages.ts'
import { CLOCK_RATE_DIFFERENCE_MAX_SHARE } from './params.ts'
import { attemptKey, type Run, type RunOutcome, type Runs, type RunTerms } from './runs.ts'
import type { Transfers } from './transfers.ts'

/** An outcome that is not acknowledged. */
interface Waiting {
  readonly outcome: RunOutcome
  readonly runMs: number
  readonly transfer: number
  /** When it is said again. */
  resend: Alarm | undefined
  /** When nobody is taken to want it any more. */
  expiry: Alarm | undefined
}

/** What this node holds of one coordinator's. */
interface Account {
  readonly runs: Map<string, Run>
  /** Outcomes not yet acknowledged, and the numbers under which their outputs are to be had. */
  readonly outcomes: Map<Run, Waiting>
  /** Of their outputs. */
  outcomeBytes: number
  renewal: Alarm | undefined
  readonly renewals: BoundedMap<number, { readonly sentAt: Millis; readonly runs: readonly Run[] }>
  /** The latest question for the inventory: what was awarded before it and is not listed is not taken any more. */
  epoch: number
  serial: number
}

export interface TenuresParts {
  readonly links: Links
  readonly transfers: Transfers
  readonly runs: Runs
}

/** What runs here for other coordinators, from its award to its acknowledgement: leases, renewals, outcomes. T-1. */
export class Tenures {
  readonly #ground: Ground
  readonly #parts: TenuresParts
  readonly #accounts = new Map<NodeId, Account>()
  #sequence: number

  constructor(ground: Ground, parts: TenuresParts) {
    this.#ground = ground
    // Begins anywhere, so that an answer to an earlier life of this node is not taken for one to this.
    this.#sequence = ground.random.uint32()
    this.#parts = parts
  }

  /** Whether an award was overtaken by a question for the inventory, whose answer said that it is not held. */
  isOutdated(from: NodeId, { epoch, serial }: { readonly epoch: number; readonly serial: number }): boolean {
    const account = this.#account(from)
    return epoch < account.epoch || (epoch === account.epoch && serial < account.serial)
  }

  /**
   * An awarded task has a slot that is taken for it, and starts there when its input has come. Until then its lease is
   * kept like any other. Undefined when there is no room for the input; the slot is free again.
   */
  begin(agent: Agent, terms: RunTerms, input: PayloadBody): Run | undefined {
    const { coordinator } = terms
    const { runs, transfers } = this.#parts
    const account = this.#account(coordinator)
    const run = runs.expect(agent, terms)
    account.runs.set(keyOf(run), run)
    let isLate = false
    const reception = transfers.receive(coordinator, input, {
      done: (bytes) => {
        if (run.state !== 'arriving') return
        runs.begin(run, terms, bytes)
        if (isLate) this.#accept(run)
      },
      lost: () => this.#giveUp(run, { kind: 'released', reason: 'payload-lost' }),
      malformed: () => this.#giveUp(run, MALFORMED_INPUT),
    })
    if (reception === 'full') {
      this.#close(account, run)
      runs.stop(run, 'superseded')
      return undefined
    }
    isLate = true
    if (run.state === 'over') return run
    this.#watchLease(account, run)
    account.renewal ??= this.#ground.in(this.#ground.params.renewIntervalMs, () =>
      this.#renewAgain(coordinator, account),
    )
    return run
  }

  /** The agent is not there for it any more: what has not begun need not. */
  lose(agent: Agent): void {
    for (const run of [...this.#parts.runs.of(agent)]) this.#giveUp(run, { kind: 'released', reason: 'payload-lost' })
  }

  /** Nobody wants these any more. */
  revoke(from: NodeId, rows: readonly AttemptRow[]): void {
    const account = this.#accounts.get(from)
    if (account === undefined) return
    for (const row of rows) {
      const run = account.runs.get(attemptKey(row.task, row))
      if (run === undefined) continue
      this.#close(account, run)
      this.#parts.runs.stop(run, 'cancelled')
    }
  }

  onRenewed(from: NodeId, body: BodyOf<'claims.renewed'>): void {
    const account = this.#accounts.get(from)
    const renewal = account?.renewals.get(body.sequence)
    if (account === undefined || renewal === undefined) return
    account.renewals.delete(body.sequence)
    const lost = new Set(body.lost.map((row) => attemptKey(row.task, row)))
    for (const run of renewal.runs) {
      if (!account.runs.has(keyOf(run))) continue
      if (lost.has(keyOf(run))) {
        this.#close(account, run)
        this.#parts.runs.stop(run, 'superseded')
      } else {
        run.endsAt = Math.max(run.endsAt, this.leaseEnd(renewal.sentAt, body.leaseMs)) as Millis
      }
    }
  }

  onAck(from: NodeId, body: BodyOf<'claims.ack'>): void {
    const account = this.#accounts.get(from)
    const run = account?.runs.get(attemptKey(body.task, body))
    if (account === undefined || run === undefined) return
    if (!account.outcomes.has(run)) return
    this.#close(account, run)
    if (run.state === 'reported') this.#parts.runs.forget(run)
  }

  /** "What do you hold of mine?": answered in full, and a renewal at the same time. */
  onAsked(from: NodeId, epoch: number, serial: number): void {
    const account = this.#account(from)
    if (epoch < account.epoch || (epoch === account.epoch && serial < account.serial)) return
    account.epoch = epoch
    account.serial = serial
    const pages = pagesOf(this.#renewable(account))
    for (const [i, runs] of pages.entries()) {
      const sequence = this.#renewing(account, runs)
      const leases = runs.map(rowOf)
      const held = { kind: 'held' as const, serial, sequence, last: i === pages.length - 1, leases }
      this.#parts.links.sendIfUp(from, { kind: 'claims.inventory', body: held })
    }
    this.#resend(account)
  }

  /** A run for another coordinator has ended here. */
  report(run: Run, outcome: RunOutcome, runMs: number): void {
    const account = this.#account(run.coordinator)
    account.outcomeBytes += bytesOf(outcome)
    for (const oldest of account.outcomes.keys()) {
      if (account.outcomes.size < OUTCOMES_MAX && account.outcomeBytes <= OUTCOME_BYTES_MAX) break
      this.#drop(account, oldest)
    }
    const transfer = this.#parts.transfers.number()
    const waiting: Waiting = { outcome, runMs, transfer, resend: undefined, expiry: undefined }
    account.outcomes.set(run, waiting)
    this.#send(run, account)
    this.#sayAgain(account, run, waiting)
    this.#keepUntil(account, run, waiting)
  }

  /** What nobody asks for any more is dropped some time after its lease has ended. */
  #keepUntil(account: Account, run: Run, waiting: Waiting): void {
    const { now } = this.#ground
    const endsAt = after(Math.max(run.endsAt, now) as Millis, this.#keptMs)
    waiting.expiry = this.#ground.alarms.set(endsAt, () => {
      if (run.endsAt > this.#ground.now) this.#keepUntil(account, run, waiting)
      else this.#drop(account, run)
    })
  }

  get #keptMs(): number {
    return this.#ground.params.leaseMs * OUTCOME_KEPT_LEASES
  }

  #drop(account: Account, run: Run): void {
    this.#close(account, run)
    // T-7: one that was told to stop has its slot until its agent lets go of it.
    if (run.state === 'reported') this.#parts.runs.forget(run)
  }

  progress(
    run: Run,
    said: {
      readonly fraction: number | undefined
      readonly message: string | undefined
      readonly partial: Uint8Array | undefined
    },
  ): void {
    const body = { task: run.task, ...run.token, ...said }
    this.#parts.links.sendIfUp(run.coordinator, { kind: 'claims.progress', body })
  }

  /** The link is back: what waits to be said is said again. */
  linkUp(peer: NodeId): void {
    const account = this.#accounts.get(peer)
    if (account === undefined) return
    this.#resend(account)
    this.#renew(peer, account)
  }

  /** The executor's end of a lease: the coordinator's, less a margin for clocks and late timers. */
  leaseEnd(sentAt: Millis, leaseMs: number): Millis {
    const { leaseMarginMs, leaseMs: ownMs } = this.#ground.params
    // Who grants much longer ones than anybody has use for would have its outcomes kept as long.
    const grantedMs = Math.min(leaseMs, LEASE_OWN_MAX * ownMs)
    return after(sentAt, grantedMs * (1 - CLOCK_RATE_DIFFERENCE_MAX_SHARE) - leaseMarginMs)
  }

  #watchLease(account: Account, run: Run): void {
    run.lease = this.#ground.alarms.set(run.endsAt, () => {
      if (run.endsAt > this.#ground.now) this.#watchLease(account, run)
      else this.#lapse(account, run)
    })
  }

  /** T-1: the work stops, unless it may be done twice. What is done already may still be wanted, and is offered. */
  #lapse(account: Account, run: Run): void {
    if (run.state === 'reported' || account.outcomes.has(run)) return
    if (run.guarantee === 'at-least-once' && this.#ground.now < after(run.endsAt, this.#keptMs)) {
      // It goes on, and is of use if its coordinator is heard of again.
      run.lease = this.#ground.in(this.#keptMs, () => this.#watchLease(account, run))
      return
    }
    this.#close(account, run)
    this.#parts.runs.stop(run, 'lease-ended')
  }

  #renewable(account: Account): readonly Run[] {
    return [...account.runs.values()].filter(
      (run) => run.endsAt > this.#ground.now || run.guarantee === 'at-least-once',
    )
  }

  #renewAgain(peer: NodeId, account: Account): void {
    account.renewal = undefined
    this.#renew(peer, account)
    if (account.runs.size > 0) {
      this.#parts.links.keep(peer)
      account.renewal = this.#ground.in(this.#ground.params.renewIntervalMs, () => this.#renewAgain(peer, account))
    }
  }

  /** All leases of one coordinator in one message: of what goes on, or is done and on its way, not of what came to nothing. */
  #renew(peer: NodeId, account: Account): void {
    const isWanted = (run: Run): boolean => (account.outcomes.get(run)?.outcome.kind ?? 'completed') === 'completed'
    for (const runs of pagesOf(this.#renewable(account).filter(isWanted))) {
      if (runs.length === 0) continue
      const sequence = this.#renewing(account, runs)
      this.#parts.links.sendIfUp(peer, { kind: 'claims.renew', body: { sequence, leases: runs.map(rowOf) } })
    }
  }

  #renewing(account: Account, runs: readonly Run[]): number {
    this.#sequence += 1
    account.renewals.set(this.#sequence, { sentAt: this.#ground.now, runs })
    return this.#sequence
  }

  #sayAgain(account: Account, run: Run, waiting: Waiting): void {
    waiting.resend = this.#ground.in(this.#ground.params.resendMs, () => {
      this.#send(run, account)
      this.#sayAgain(account, run, waiting)
    })
  }

  #resend(account: Account): void {
    for (const run of [...account.outcomes.keys()]) this.#send(run, account)
  }

  #send(run: Run, account: Account): void {
    const waiting = account.outcomes.get(run)
    if (waiting === undefined || !this.#parts.links.isUp(run.coordinator)) return
    const { outcome, runMs, transfer } = waiting
    this.#sendResult(
      run,
      outcome.kind === 'completed' ? this.#completed(run, account, outcome.output, transfer) : outcome,
      runMs,
    )
  }

  #completed(run: Run, account: Account, output: Uint8Array, transfer: number): OutcomeBody {
    const source = (): Uint8Array | undefined => {
      const outcome = account.outcomes.get(run)?.outcome
      return outcome?.kind === 'completed' ? outcome.output : undefined
    }
    return { kind: 'completed', output: this.#parts.transfers.payload(run.coordinator, output, source, transfer) }
  }

  #accept(run: Run): void {
    const accepted = { task: run.task, ...run.token, agent: run.agent.facts.name }
    const body = { accepted: [accepted], refused: [] }
    this.#parts.links.sendIfUp(run.coordinator, { kind: 'claims.accept', body })
  }

  /** The input will not come, or there is no agent for it: it never began, and the coordinator need not wait. */
  #giveUp(run: Run, outcome: OutcomeBody): void {
    const account = this.#accounts.get(run.coordinator)
    if (account === undefined || run.state !== 'arriving') return
    this.#close(account, run)
    this.#sendResult(run, outcome, 0)
    this.#parts.runs.stop(run, 'superseded')
  }

  #sendResult(run: Run, outcome: OutcomeBody, runMs: number): void {
    const agent = run.agent.facts.name
    const body = { ...rowOf(run), agent, runMs: Math.max(0, Math.round(runMs)), outcome }
    this.#parts.links.sendIfUp(run.coordinator, { kind: 'claims.result', body })
  }

  #account(peer: NodeId): Account {
    const known = this.#accounts.get(peer)
    if (known !== undefined) return known
    const account: Account = {
      runs: new Map(),
      outcomes: new Map(),
      outcomeBytes: 0,
      renewal: undefined,
      renewals: new BoundedMap(RENEWALS_MAX),
      epoch: 0,
      serial: 0,
    }
    this.#accounts.set(peer, account)
    return account
  }

  /** With its alarms: a coordinator that gives out and takes back at its pleasure would leave a heap of them. */
  #close(account: Account, run: Run): void {
    const { alarms } = this.#ground
    account.runs.delete(keyOf(run))
    alarms.cancel(run.lease)
    const waiting = account.outcomes.get(run)
    if (waiting === undefined) return
    alarms.cancel(waiting.resend)
    alarms.cancel(waiting.expiry)
    account.outcomeBytes -= bytesOf(waiting.outcome)
    account.outcomes.delete(run)
  }
}

const MALFORMED_INPUT: OutcomeBody = {
  kind: 'failed',
  error: { code: 'BAD_REQUEST', message: 'its input is not JSON', retryable: false },
}

/** Renewals under way per coordinator whose answers are still of use. */
const RENEWALS_MAX = 64
/** A lease is taken for at most so many of this node's own. */
const LEASE_OWN_MAX = 10
/** Outcomes kept for one coordinator that does not acknowledge them, and their outputs; the oldest goes first. */
const OUTCOMES_MAX = 4096
const OUTCOME_BYTES_MAX = 64 * 1024 * 1024
/** An outcome that nobody asks for is kept for so many leases; so long, too, goes on what may be done twice. */
const OUTCOME_KEPT_LEASES = 12
const PAGE_ROWS_MAX = 1024

function bytesOf(outcome: RunOutcome): number {
  return outcome.kind === 'completed' ? outcome.output.length : 0
}

function rowOf({ task, token, seal }: Run): LeaseRow {
  return { task, epoch: token.epoch, attempt: token.attempt, seal }
}

/** At least one page, so that an empty inventory is an answer. */
function pagesOf(runs: readonly Run[]): readonly (readonly Run[])[] {
  const pages: Run[][] = [[]]
  for (const run of runs) {
    const last = pages.at(-1) as Run[]
    if (last.length < PAGE_ROWS_MAX) last.push(run)
    else pages.push([run])
  }
  return pages
}

function keyOf({ task, token }: Run): string {
  return attemptKey(task, token)
}
