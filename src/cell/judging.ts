import { type ErrorCode, err, type NodeId, ok, type Result, unreachable, type WallMillis } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import type { CellOperation, CellResult, Configuration, CustodyEpoch, JournalName } from './operations.ts'
import { CUSTODIANS_MAX, JOURNALS_PER_OWNER_MAX } from './params.ts'
import { type CellState, ownerOf } from './state.ts'

/** What a valid operation does, once the state's revision has been raised. */
export interface Judged {
  /** Whether it takes the members' vote. */
  readonly byVote: boolean
  readonly commit: (at: WallMillis) => CellResult
}

type Judgement = Result<Judged, MachineRefusal>
type Of<K extends CellOperation['kind']> = Extract<CellOperation, { readonly kind: K }>

const JOURNAL = /^[A-Za-z0-9]{1,64}(?:\/[A-Za-z0-9._-]{1,31})?$/

/** CE-1: everything about an operation of a member. Changes nothing. */
export function judge(operation: CellOperation, client: NodeId, state: CellState): Judgement {
  switch (operation.kind) {
    case 'custodians':
      return judgeCustodians(operation, state)
    case 'open':
      return judgeOpening(operation, client, state)
    case 'configure':
      return judgeConfiguration(operation, client, state)
    case 'close':
      return judgeClosing(operation, client, state)
    default:
      return unreachable(operation)
  }
}

function refuse(code: ErrorCode, reason: string): { readonly ok: false; readonly error: MachineRefusal } {
  return err({ code, reason })
}

function judgeCustodians({ add, remove, lost }: Of<'custodians'>, state: CellState): Judgement {
  const named = [...add, ...remove]
  if (named.length === 0) return refuse('BAD_REQUEST', 'nobody is named')
  if (new Set(named).size < named.length) return refuse('BAD_REQUEST', 'a node is named twice')
  const known = add.find((node) => state.custodians.has(node))
  if (known !== undefined) return refuse('ALREADY_SO', `${known} is a custodian of this cell already`)
  const stranger = remove.find((node) => !state.custodians.has(node))
  if (stranger !== undefined) return refuse('NOT_FOUND', `${stranger} is no custodian of this cell`)
  const size = state.custodians.size + add.length - remove.length
  if (size < 1) return refuse('UNSAFE_CHANGE', 'a cell has one custodian at least')
  if (size > CUSTODIANS_MAX) return refuse('QUOTA_EXCEEDED', `a cell has ${CUSTODIANS_MAX} custodians at most`)
  for (const node of remove) {
    // CE-8: what only those hold who go.
    const held = state.heldBy(node).find(({ value }) => !lost || value.inSync.some((other) => !remove.includes(other)))
    if (held === undefined) continue
    const advice = lost ? 'another replica can take it over' : 'change that first, or declare it lost'
    return refuse('UNSAFE_CHANGE', `${node} is in the configuration of the journal ${held.key}: ${advice}`)
  }
  const commit = (at: WallMillis): CellResult => {
    for (const node of remove) {
      for (const { key } of state.heldBy(node)) state.journals.delete(key)
      state.custodians.delete(node)
    }
    for (const node of add) state.custodians.set(node, { since: at })
    return { kind: 'done' }
  }
  return ok({ byVote: true, commit })
}

function judgeOpening({ journal, inSync }: Of<'open'>, client: NodeId, state: CellState): Judgement {
  if (!JOURNAL.test(journal) || ownerOf(journal) !== client) {
    return refuse('BAD_REQUEST', `a journal of ${client} is called ${client}, or ${client}/ and a word`)
  }
  if (state.journals.has(journal))
    return refuse('ALREADY_SO', `the journal ${journal} is open: change its configuration`)
  const owned = state.journals.rows().filter(({ key }) => ownerOf(key) === client).length
  if (owned >= JOURNALS_PER_OWNER_MAX || state.journals.full) {
    return refuse('QUOTA_EXCEEDED', `${client} has ${owned} journals, and there is no room for more: close one`)
  }
  const fault = faultOfReplicas(client, inSync, state)
  if (fault !== undefined) return fault
  return ok({ byVote: false, commit: () => configure(journal, state.revision as CustodyEpoch, client, inSync, state) })
}

function judgeConfiguration(operation: Of<'configure'>, client: NodeId, state: CellState): Judgement {
  const { journal, primary, inSync } = operation
  const current = currentOf(operation, state)
  if (!current.ok) return current
  const before = current.value
  const fault = faultOfReplicas(primary, inSync, state)
  if (fault !== undefined) return fault
  const unsynced = inSync.find((node) => !before.inSync.includes(node))
  if (client === before.primary) {
    if (!before.inSync.includes(primary)) {
      return refuse('UNSAFE_CHANGE', `${primary} is not in sync: a journal is handed to a replica that holds all of it`)
    }
  } else if (!before.inSync.includes(client) || primary !== client) {
    const who = `its primary ${before.primary} or, for itself, an in-sync replica`
    return refuse('UNAUTHORISED', `the configuration of ${journal} is changed by ${who}`)
  } else if (unsynced !== undefined || inSync.includes(before.primary)) {
    const reason = 'whoever takes over keeps none but other in-sync replicas, and not the primary it deposes'
    return refuse('UNSAFE_CHANGE', reason)
  }
  if (primary === before.primary && inSync.toSorted().join() === before.inSync.join()) {
    return refuse('ALREADY_SO', `${journal} has this configuration, with epoch ${before.epoch}`)
  }
  const epoch = (before.epoch + 1) as CustodyEpoch
  return ok({ byVote: false, commit: () => configure(journal, epoch, primary, inSync, state) })
}

function judgeClosing(operation: Of<'close'>, client: NodeId, state: CellState): Judgement {
  const { journal } = operation
  const current = currentOf(operation, state)
  if (!current.ok) return current
  if (current.value.primary !== client) {
    return refuse('UNAUTHORISED', `${journal} is closed by its primary ${current.value.primary}`)
  }
  const commit = (): CellResult => {
    state.journals.delete(journal)
    return { kind: 'done' }
  }
  return ok({ byVote: false, commit })
}

/** CE-5. */
function currentOf(
  { journal, expect }: { readonly journal: JournalName; readonly expect: CustodyEpoch },
  state: CellState,
): Result<Configuration, MachineRefusal> {
  const current = state.journals.get(journal)
  if (current === undefined) return refuse('NOT_FOUND', `there is no journal ${journal}`)
  if (current.epoch === expect) return ok(current)
  return refuse('STALE', `${journal} has epoch ${current.epoch}, not ${expect}: its primary is ${current.primary}`)
}

/** CE-4: a configuration that can be one at all. */
function faultOfReplicas(
  primary: NodeId,
  inSync: readonly NodeId[],
  state: CellState,
): { readonly ok: false; readonly error: MachineRefusal } | undefined {
  if (new Set(inSync).size < inSync.length) return refuse('BAD_REQUEST', 'a replica is named twice')
  if (!inSync.includes(primary)) return refuse('BAD_REQUEST', 'a primary is one of the in-sync replicas')
  const stranger = inSync.find((node) => !state.custodians.has(node))
  return stranger === undefined ? undefined : refuse('NOT_FOUND', `${stranger} is no custodian of this cell`)
}

function configure(
  journal: JournalName,
  epoch: CustodyEpoch,
  primary: NodeId,
  inSync: readonly NodeId[],
  state: CellState,
): CellResult {
  state.journals.set(journal, { epoch, primary, inSync: inSync.toSorted() })
  return { kind: 'configured', epoch }
}
