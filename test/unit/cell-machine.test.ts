import { describe, expect, it } from 'vitest'
import {
  CellMachine,
  type CellOperation,
  type CustodyEpoch,
  encodeCellOperation,
  type JournalName,
} from '../../src/cell/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { applyStep, rootOf } from '../support/machines.ts'

const nodes = (...names: readonly string[]) => names as readonly string[] as readonly NodeId[]
const refused = (code: string) => expect.objectContaining({ code })
const applied = expect.objectContaining({ result: expect.anything() })

function bench(...custodians: readonly string[]) {
  const machine = new CellMachine(nodes(...custodians))
  const say = (client: string, operation: CellOperation) => {
    return applyStep(machine, { client, operation: encodeCellOperation(operation), at: 1000 })
  }
  return { machine, say }
}
const open = (journal: string, ...inSync: readonly string[]): CellOperation => {
  return { kind: 'open', journal: journal as JournalName, inSync: nodes(...inSync) }
}
const custodians = (add: readonly string[], remove: readonly string[] = []): CellOperation => {
  return { kind: 'custodians', add: nodes(...add), remove: nodes(...remove), lost: false }
}
const epochOf = (machine: CellMachine, journal: string) => machine.state.journals.get(journal as JournalName)?.epoch

describe('a cell', () => {
  it('CE-2 hears its custodians and nobody else', () => {
    const { machine, say } = bench('a', 'b')
    expect(machine.authorised('w' as NodeId)).toBe(false)
    expect(say('w', open('w', 'w'))).toEqual(refused('UNAUTHORISED'))
    expect(say('a', open('a', 'a', 'b'))).toEqual(applied)
  })

  it('CE-3 takes custodians in by the voices of q, in whatever order they name them', () => {
    const { machine, say } = bench('a', 'b', 'c', 'd')
    for (const voter of ['a', 'b']) expect(say(voter, custodians(['f', 'e']))).toEqual(applied)
    expect(machine.members()).toHaveLength(4)
    expect(say('c', custodians(['e', 'f']))).toEqual(applied)
    expect(machine.members()).toEqual(nodes('a', 'b', 'c', 'd', 'e', 'f'))
    const alone = bench('a')
    expect(alone.say('a', custodians([], ['a']))).toEqual(refused('UNSAFE_CHANGE'))
    expect(alone.say('a', custodians(['b']))).toEqual(applied)
    expect(alone.machine.members()).toEqual(nodes('a', 'b'))
  })

  it('CE-6 CE-7 of a primary and a replica that depose each other one wins', () => {
    const { machine, say } = bench('a', 'b', 'c')
    say('a', open('a', 'a', 'b', 'c'))
    const epoch = epochOf(machine, 'a') as CustodyEpoch
    const next = (primary: string, ...inSync: readonly string[]): CellOperation => {
      return {
        kind: 'configure',
        journal: 'a' as JournalName,
        expect: epoch,
        primary: primary as NodeId,
        inSync: nodes(...inSync),
      }
    }
    expect(say('b', next('b', 'b', 'c'))).toEqual(applied)
    expect(say('a', next('a', 'a', 'c'))).toEqual(refused('STALE'))
    expect(epochOf(machine, 'a')).toBe(epoch + 1)
    // The one that was let go does not come back by itself.
    const back: CellOperation = { ...next('a', 'a', 'c'), expect: epoch + 1 } as CellOperation
    expect(say('a', back)).toEqual(refused('UNAUTHORISED'))
  })

  it('CE-9 is bounded, and an owner’s names are its own', () => {
    const { machine, say } = bench('a', 'b')
    for (let i = 0; i < 8; i++) expect(say('a', open(`a/${i}`, 'a'))).toEqual(applied)
    expect(say('a', open('a/8', 'a'))).toEqual(refused('QUOTA_EXCEEDED'))
    for (const name of ['a', 'b/', 'b/x y', '', 'ab', 'b/x/y'])
      expect(say('b', open(name, 'b'))).toEqual(refused('BAD_REQUEST'))
    expect(machine.state.journals.size).toBe(8)
  })

  it('SM-3 takes over a snapshot whole, or nothing', () => {
    const { machine, say } = bench('a', 'b')
    say('a', open('a', 'a'))
    const other = new CellMachine(nodes('z'))
    const before = rootOf(other)
    const pieces = machine.snapshot()
    for (const bad of [[], pieces.slice(1), pieces.slice(0, 1), [...pieces, Uint8Array.of(0)]]) {
      expect(other.restore(bad)).toBe(false)
    }
    expect(rootOf(other)).toBe(before)
    expect(other.restore(pieces)).toBe(true)
    expect(rootOf(other)).toBe(rootOf(machine))
  })
})
