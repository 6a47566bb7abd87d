import { Session } from 'node:inspector'

/** Entries that a table of that name may have, in the campaign's parameters; by the node's own account of its bounds. */
const BOUNDS: Readonly<Record<string, (nodes: number) => number>> = {
  // holdsMax, and as many offers with a promise as there are slots.
  'Bidder.#foreign': () => 128 + 60,
  'Bidder.#heldFor': (nodes) => nodes,
  // demandsMax, and open tasks.
  'Groups.#groups': () => 1_500 + 1_500,
  'Groups.#idle': () => 1_024,
  'Queue.#tenants': () => 150 + 3,
  'Tenures.#accounts': (nodes) => nodes,
  'Account.renewals': () => 64,
  'Transfers.#incoming': (nodes) => nodes,
  'Transfers.#outgoing': (nodes) => nodes,
  // Incoming, of one peer.
  'record.transfers': () => 32,
  'Asks.#pending': () => 200,
  'Task.waiters': () => 200,
  'Asks.#waiting': () => 200,
  'Steering.#handed': () => 60,
  'Links.#outbox': (nodes) => nodes,
  'Links.#wanted': () => 48,
  'Rounds.#rounds': () => 1_024,
  'Leases.#outstanding': (nodes) => nodes,
  'Leases.#journalled': (nodes) => nodes,
  'Tracks.#shunned': () => 1_000,
}
/** Anything else: more than this is nobody's plan. */
const OTHERS_MAX = 5_000
/** Of a table's entries, so many are looked into. */
const ENTRIES_READ = 10

/** Tables of a core with more in them than their bounds, wherever they are: it is asked of the debugger, not of the core. */
export function crowdedTables(core: object, nodes: number): readonly string[] {
  return [...sizesOf(core)]
    .filter(([name, size]) => size > (BOUNDS[name]?.(nodes) ?? OTHERS_MAX))
    .map(([name, size]) => `${name} ${size}`)
}

interface Remote {
  readonly type: string
  readonly subtype?: string
  readonly className?: string
  readonly description?: string
  readonly objectId?: string
}

/** The largest table of each name: `Class.field`. */
export function sizesOf(core: object): ReadonlyMap<string, number> {
  const session = new Session()
  session.connect()
  try {
    return new Walk(session).from(core)
  } finally {
    session.post('Runtime.releaseObjectGroup', { objectGroup: GROUP })
    session.disconnect()
  }
}

const GROUP = 'tables'

class Walk {
  readonly #session: Session
  readonly #sizes = new Map<string, number>()
  readonly #open: Remote[] = []

  constructor(session: Session) {
    this.#session = session
  }

  from(core: object): ReadonlyMap<string, number> {
    const seen = new WeakSet<object>()
    const shared = globalThis as { walked?: unknown }
    shared.walked = { core, isNew: (each: object) => !seen.has(each) && seen.add(each) !== undefined }
    const { result } = this.#post('Runtime.evaluate', { expression: 'walked.core', objectGroup: GROUP })
    this.#open.push(result as Remote)
    for (let next = this.#open.pop(); next !== undefined; next = this.#open.pop()) this.#look(next)
    shared.walked = undefined
    return this.#sizes
  }

  #look(object: Remote): void {
    const { objectId, className = '' } = object
    if (objectId === undefined || !this.#isNew(objectId)) return
    const { result, privateProperties = [] } = this.#post('Runtime.getProperties', { objectId, ownProperties: true })
    for (const { name, value } of [...(result as Property[]), ...(privateProperties as Property[])]) {
      if (value?.type !== 'object' || value.objectId === undefined) continue
      const size = sizeOf(value)
      if (size === undefined) {
        if (value.subtype === undefined) this.#open.push(value)
        continue
      }
      const table = `${className === 'Object' ? 'record' : className}.${name}`
      this.#sizes.set(table, Math.max(size, this.#sizes.get(table) ?? 0))
      if (size > 0) this.#lookInto(value.objectId)
    }
  }

  /** The first of its entries. */
  #lookInto(objectId: string): void {
    const functionDeclaration = `function () { return [...this.values()].slice(-${ENTRIES_READ}).filter((each) => typeof each === 'object') }`
    const { result } = this.#post('Runtime.callFunctionOn', { objectId, functionDeclaration, objectGroup: GROUP })
    const list = (result as Remote).objectId
    if (list === undefined) return
    const entries = this.#post('Runtime.getProperties', { objectId: list, ownProperties: true }).result as Property[]
    for (const { value } of entries)
      if (value?.subtype === undefined && value?.objectId !== undefined) this.#open.push(value)
  }

  #isNew(objectId: string): boolean {
    const functionDeclaration = 'function () { return walked.isNew(this) }'
    const { result } = this.#post('Runtime.callFunctionOn', { objectId, functionDeclaration, returnByValue: true })
    return (result as { readonly value?: unknown }).value === true
  }

  /** Answered before it returns: the debugger is this thread. */
  #post(method: string, params: object): Record<string, unknown> {
    let answer: Record<string, unknown> | undefined
    this.#session.post(method, params, (error: Error | null, result?: object) => {
      if (error === null) answer = result as Record<string, unknown>
    })
    if (answer === undefined) throw new Error(`the debugger does not answer ${method}`)
    return answer
  }
}

interface Property {
  readonly name: string
  readonly value?: Remote
}

/** `Map(12)` has twelve entries. */
function sizeOf({ subtype, description = '' }: Remote): number | undefined {
  if (subtype !== 'map' && subtype !== 'set' && subtype !== 'array') return undefined
  const size = /\((\d+)\)$/.exec(description)?.[1]
  return size === undefined ? undefined : Number(size)
}
