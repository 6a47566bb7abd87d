import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  CellMachine,
  type CellOperation,
  type CustodyEpoch,
  cellResultShape,
  decodeCellOperation,
  encodeCellOperation,
  type JournalName,
} from '../../src/cell/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { decode } from '../../src/wire/index.ts'
import { runMachine, type Step } from '../support/machines.ts'

const NODES = ['a', 'b', 'c', 'd', 'e', 'f'] as NodeId[]
const FIRST = NODES.slice(0, 4)

/** The clauses once more, as plainly as can be: sets, strings and loops. */
class NaiveCell {
  members = new Set<string>(FIRST)
  journals = new Map<string, { epoch: number; primary: string; inSync: Set<string> }>()
  motions: { bytes: string; voices: Set<string>; opener: string }[] = []
  changes = 0

  apply(client: string, operation: CellOperation): string {
    if (!this.members.has(client)) return 'UNAUTHORISED'
    const refusal = this.refusal(client, operation)
    if (refusal !== undefined) return refusal
    if (operation.kind === 'custodians') {
      const bytes = JSON.stringify([operation.add.toSorted(), operation.remove.toSorted(), operation.lost])
      let motion = this.motions.find((open) => open.bytes === bytes)
      const voices = new Set([...(motion?.voices ?? []), client].filter((node) => this.members.has(node)))
      const n = this.members.size
      if (voices.size < Math.ceil((n + Math.floor((n - 1) / 3) + 1) / 2)) {
        if (motion?.voices.has(client)) return 'ALREADY_SO'
        if (motion === undefined) {
          if (this.motions.filter((open) => open.opener === client).length >= 4) return 'QUOTA_EXCEEDED'
          motion = { bytes, voices, opener: client }
          this.motions.push(motion)
        }
        motion.voices = voices
        this.changes += 1
        return `voted ${voices.size}`
      }
      this.motions = this.motions.filter((open) => open !== motion)
      for (const node of operation.remove) {
        this.members.delete(node)
        for (const [name, { inSync }] of [...this.journals]) if (inSync.has(node)) this.journals.delete(name)
      }
      for (const node of operation.add) this.members.add(node)
      this.changes += 1
      return 'done'
    }
    this.changes += 1
    if (operation.kind === 'close') {
      this.journals.delete(operation.journal)
      return 'done'
    }
    const epoch = operation.kind === 'open' ? this.changes : (this.journals.get(operation.journal)?.epoch ?? 0) + 1
    const primary = operation.kind === 'open' ? client : operation.primary
    this.journals.set(operation.journal, { epoch, primary, inSync: new Set(operation.inSync) })
    return `epoch ${epoch}`
  }

  private refusal(client: string, operation: CellOperation): string | undefined {
    if (operation.kind === 'custodians') {
      const { add, remove, lost } = operation
      const named = [...add, ...remove]
      if (named.length === 0 || new Set(named).size < named.length) return 'BAD_REQUEST'
      if (add.some((node) => this.members.has(node))) return 'ALREADY_SO'
      if (remove.some((node) => !this.members.has(node))) return 'NOT_FOUND'
      if (this.members.size + add.length <= remove.length) return 'UNSAFE_CHANGE'
      for (const { inSync } of this.journals.values()) {
        if (![...inSync].some((node) => remove.includes(node as NodeId))) continue
        if (!lost || [...inSync].some((node) => !remove.includes(node as NodeId))) return 'UNSAFE_CHANGE'
      }
      return undefined
    }
    const journal = this.journals.get(operation.journal)
    if (operation.kind === 'open') {
      if (operation.journal !== client && !operation.journal.startsWith(`${client}/`)) return 'BAD_REQUEST'
      if (journal !== undefined) return 'ALREADY_SO'
      return this.replicas(client, operation.inSync)
    }
    if (journal === undefined) return 'NOT_FOUND'
    if (journal.epoch !== operation.expect) return 'STALE'
    if (operation.kind === 'close') return journal.primary === client ? undefined : 'UNAUTHORISED'
    const fault = this.replicas(operation.primary, operation.inSync)
    if (fault !== undefined) return fault
    const old = journal.inSync
    if (client === journal.primary) {
      if (!old.has(operation.primary)) return 'UNSAFE_CHANGE'
    } else if (old.has(client) && operation.primary === client) {
      for (const node of operation.inSync) if (!old.has(node) || node === journal.primary) return 'UNSAFE_CHANGE'
    } else return 'UNAUTHORISED'
    const same = operation.inSync.length === old.size && operation.inSync.every((node) => old.has(node))
    return same && operation.primary === journal.primary ? 'ALREADY_SO' : undefined
  }

  private replicas(primary: string, inSync: readonly string[]): string | undefined {
    if (new Set(inSync).size < inSync.length || !inSync.includes(primary)) return 'BAD_REQUEST'
    return inSync.every((node) => this.members.has(node)) ? undefined : 'NOT_FOUND'
  }
}

const node = fc.constantFrom(...NODES)
const some = fc.uniqueArray(node, { maxLength: 3 })
const journal = fc.constantFrom('a', 'b', 'a/x', 'b/y', 'c') as fc.Arbitrary<JournalName>
/** How far from the true epoch an expectation is: mostly right. */
const offBy = fc.constantFrom(0, 0, 0, 0, 0, 1, -1)

type Drawn = { readonly client: NodeId; readonly off: number; readonly aim: string; readonly operation: CellOperation }
const drawn: fc.Arbitrary<Drawn> = fc.record({
  client: node,
  off: offBy,
  aim: fc.constantFrom('anywhere', 'primary', 'take-over'),
  operation: fc.oneof(
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant('custodians' as const), add: some, remove: some, lost: fc.boolean() }),
    },
    // Motions that others join.
    {
      weight: 3,
      arbitrary: fc.constantFrom<CellOperation>(
        { kind: 'custodians', add: ['e' as NodeId], remove: [], lost: false },
        { kind: 'custodians', add: [], remove: ['d' as NodeId], lost: true },
        { kind: 'custodians', add: [], remove: ['a' as NodeId], lost: true },
      ),
    },
    { weight: 4, arbitrary: fc.record({ kind: fc.constant('open' as const), journal, inSync: some }) },
    {
      weight: 8,
      arbitrary: fc.record({
        kind: fc.constant('configure' as const),
        journal,
        expect: fc.constant(0 as CustodyEpoch),
        primary: node,
        inSync: some,
      }),
    },
    {
      weight: 1,
      arbitrary: fc.record({ kind: fc.constant('close' as const), journal, expect: fc.constant(0 as CustodyEpoch) }),
    },
  ),
})

/** Draws are sharpened, so that most of them could be: the client owns what it opens, expectations are near. */
function sharpened(
  { client, off, aim, operation }: Drawn,
  naive: NaiveCell,
): { client: NodeId; operation: CellOperation } {
  if (operation.kind === 'custodians') return { client, operation }
  const current = naive.journals.get(operation.journal)
  if (operation.kind === 'open') {
    const owner = (off === 0 ? operation.journal[0] : client) as NodeId
    return { client: owner, operation: { ...operation, inSync: [...new Set([...operation.inSync, owner])] } }
  }
  const expect = Math.max(0, (current?.epoch ?? 0) + off) as CustodyEpoch
  if (operation.kind === 'close') return { client, operation: { ...operation, expect } }
  if (aim === 'anywhere' || current === undefined) {
    const inSync = off === 0 ? [...new Set([...operation.inSync, operation.primary])] : operation.inSync
    return { client, operation: { ...operation, expect, inSync } }
  }
  // By one of those whom the configuration names, for some of them, now and then with one more.
  const held = [...current.inSync] as NodeId[]
  const replica = aim === 'primary' ? (current.primary as NodeId) : (held[held.length - 1] as NodeId)
  const inSync = [
    ...new Set([replica, ...held.filter((one) => operation.inSync.includes(one)), ...operation.inSync.slice(2)]),
  ]
  if (aim === 'take-over') return { client: replica, operation: { ...operation, expect, primary: replica, inSync } }
  return { client: replica, operation: { ...operation, expect, inSync: [...new Set([...inSync, operation.primary])] } }
}

describe('a cell', () => {
  it('CE-1 CE-3 CE-4 CE-5 CE-6 CE-7 CE-8 does what a naive one does', () => {
    const seen = new Map<string, number>()
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 10, maxLength: 80, size: 'max' }), (draws) => {
        const naive = new NaiveCell()
        const expected: string[] = []
        const steps = draws.map((draw): Step => {
          const { client, operation } = sharpened(draw, naive)
          expected.push(naive.apply(client, operation))
          return { client, operation: encodeCellOperation(operation), at: 1000 }
        })
        let place = 0
        const epochs = new Map<string, number>()
        const machine = runMachine(
          () => new CellMachine(FIRST),
          steps,
          (_step, outcome, now) => {
            const what = expected[place++] ?? ''
            seen.set(what.split(' ')[0] ?? '', (seen.get(what.split(' ')[0] ?? '') ?? 0) + 1)
            expect(nameOf(outcome)).toBe(what)
            for (const { key, value } of (now as CellMachine).state.journals.rows()) {
              // CE-4: over closing and opening too.
              expect(value.epoch).toBeGreaterThanOrEqual(epochs.get(key) ?? 0)
              epochs.set(key, value.epoch)
              expect(value.inSync).toContain(value.primary)
            }
          },
        ) as CellMachine
        expect(machine.members()).toEqual([...naive.members].sort())
        const journals = machine.state.journals
          .rows()
          .map(({ key, value }) => [key, value.epoch, value.primary, value.inSync])
        const theirs = [...naive.journals].map(([key, j]) => [key, j.epoch, j.primary, [...j.inSync].sort()])
        expect(journals).toEqual(theirs.sort())
      }),
      { numRuns: 80 },
    )
    // The draws reach every outcome.
    for (const what of [
      'done',
      'voted',
      'epoch',
      'STALE',
      'UNSAFE_CHANGE',
      'UNAUTHORISED',
      'ALREADY_SO',
      'NOT_FOUND',
      'BAD_REQUEST',
    ]) {
      expect([what, (seen.get(what) ?? 0) > 0]).toEqual([what, true])
    }
  })

  it('SM-4 counts the voices of those who are there', () => {
    const motions: readonly CellOperation[] = [
      { kind: 'custodians', add: ['e' as NodeId], remove: [], lost: false },
      { kind: 'custodians', add: ['f' as NodeId], remove: [], lost: false },
      ...NODES.map((gone): CellOperation => ({ kind: 'custodians', add: [], remove: [gone], lost: false })),
      ...NODES.map((back): CellOperation => ({ kind: 'custodians', add: [back], remove: [], lost: false })),
    ]
    const voice = fc.record({ client: node, operation: fc.constantFrom(...motions) })
    fc.assert(
      fc.property(fc.array(voice, { minLength: 30, maxLength: 120, size: 'max' }), (voices) => {
        const naive = new NaiveCell()
        const expected = voices.map(({ client, operation }) => naive.apply(client, operation))
        const steps = voices.map(({ client, operation }) => {
          return { client, operation: encodeCellOperation(operation), at: 1000 }
        })
        let place = 0
        runMachine(
          () => new CellMachine(FIRST),
          steps,
          (_step, outcome) => expect(nameOf(outcome)).toBe(expected[place++]),
        )
      }),
      { numRuns: 60 },
    )
  })

  it('CE-1 CE-9 takes any bytes from anyone', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 120 }),
      fc
        .tuple(fc.constantFrom(0, 1, 2, 3), fc.uint8Array({ maxLength: 60 }))
        .map(([kind, rest]) => Uint8Array.of(kind, ...rest)),
    )
    fc.assert(
      fc.property(fc.array(fc.tuple(node, bytes), { maxLength: 40 }), (draws) => {
        const steps = draws.map(([client, operation]) => ({ client, operation, at: 5 }))
        runMachine(() => new CellMachine(FIRST), steps)
      }),
      { numRuns: 300 },
    )
    expect(decodeCellOperation(new Uint8Array(9000)).ok).toBe(false)
  })
})

function nameOf(outcome: { readonly result: Uint8Array } | { readonly code: string }): string {
  if ('code' in outcome) return outcome.code
  const result = decode(cellResultShape, outcome.result)
  if (!result.ok) return result.error
  const { value } = result
  if (value.kind === 'configured') return `epoch ${value.epoch}`
  return value.kind === 'voted' ? `voted ${value.votes}` : value.kind
}
