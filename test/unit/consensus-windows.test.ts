import { describe, expect, it } from 'vitest'
import { consensusParams, RULES } from '../../src/consensus/index.ts'
import { ClientWindows } from '../../src/consensus/windows.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import { height, requestOf } from './consensus-fixtures.ts'

describe('client windows', () => {
  const params = consensusParams({
    openNoncesMax: 8,
    requestsInFlightMax: 2,
    requestHeightsMax: 200,
    segmentBlocksMax: 5,
    clientsMax: 2,
    clientsPerAccountMax: 2,
    silencedHeightsMax: 80,
  })
  /** Those of `z` may not speak; names of two letters are of the account of the first one, in capitals one that is reserved. */
  const machine = {
    authorised: (client: NodeId) => !client.startsWith('z'),
    account: (client: NodeId) => {
      const [name = '', more] = client
      return more === undefined ? undefined : { name, reserved: name < 'a' }
    },
  }
  const request = (nonce: number, session = 1, floor = 0, client = 'c') => ({
    ...requestOf(client as NodeId, nonce, 'w:1', session).request,
    floor: height(floor),
  })

  it('B-21 count each nonce of a session once, in any order within the window', () => {
    const windows = new ClientWindows(params, RULES, machine)
    for (const nonce of [3, 1, 2]) {
      expect(windows.judge(request(nonce), height(1))).toBeUndefined()
      windows.take(request(nonce), height(1))
      expect(windows.judge(request(nonce), height(2))).toBe('replayed')
    }
    expect(windows.judge(request(11), height(2))).toBeUndefined()
    expect(windows.judge(request(12), height(2))).toBe('beyond-window')
  })

  it('B-21 replace a session by a later one and never go back', () => {
    const windows = new ClientWindows(params, RULES, machine)
    windows.take(request(1, 5), height(1))
    expect(windows.judge(request(1, 4), height(2))).toBe('old-session')
    expect(windows.judge(request(1, 6), height(2))).toBeUndefined()
  })

  it('B-21 forget a client only when all it ever sent has expired', () => {
    const windows = new ClientWindows(params, RULES, machine)
    windows.take(request(1, 1, 9), height(10))
    windows.forgetIdle(height(210))
    expect(windows.judge(request(1, 1, 9), height(209))).toBe('replayed')
    windows.forgetIdle(height(211))
    expect(windows.size).toBe(0)
    expect(windows.judge(request(1, 1, 9), height(211))).toBe('expired')
  })

  it('B-21 forget soon who may not speak any more, and then take nothing from a floor that it may have used', () => {
    const windows = new ClientWindows(params, RULES, machine)
    windows.take(request(1, 1, 9, 'z'), height(10))
    windows.take(request(1, 1, 9, 'c'), height(11))
    windows.forgetIdle(height(90))
    expect(windows.size).toBe(2)
    windows.forgetIdle(height(91))
    expect(windows.size).toBe(1)
    const restored = new ClientWindows(params, RULES, machine)
    restored.restore(windows.save(), windows.forgottenTo)
    for (const each of [windows, restored]) {
      expect(each.judge(request(1, 1, 9, 'z'), height(92))).toBe('forgotten')
      expect(each.judge(request(2, 1, 9, 'e'), height(92))).toBe('forgotten')
      expect(each.judge(request(2, 1, 10, 'z'), height(92))).toBeUndefined()
      expect(each.judge(request(2, 1, 9, 'c'), height(92))).toBeUndefined()
    }
  })

  it('B-21 of several that are forgotten the latest counts', () => {
    const windows = new ClientWindows(params, RULES, machine)
    windows.take(request(1, 1, 9, 'z'), height(20))
    windows.take(request(1, 1, 9, 'zz'), height(10))
    windows.forgetIdle(height(150))
    expect({ size: windows.size, forgottenTo: windows.forgottenTo }).toEqual({ size: 0, forgottenTo: 20 })
  })

  it('B-9 a client stays on the account with which it came, and leaves it with nothing', () => {
    let name = 'x'
    const windows = new ClientWindows(params, RULES, { ...machine, account: () => ({ name, reserved: false }) })
    for (const client of ['a', 'b']) windows.take(request(1, 1, 0, client), height(1))
    name = 'y'
    for (const client of ['a', 'b']) windows.take(request(1, 2, 0, client), height(1))
    windows.forgetIdle(height(300))
    name = 'x'
    for (const client of ['c', 'd']) {
      expect(windows.judge(request(1, 1, 299, client), height(301))).toBeUndefined()
      windows.take(request(1, 1, 299, client), height(301))
    }
  })

  it('B-21 keep who may not speak any more where there is room, for it may come back to where it was', () => {
    const windows = new ClientWindows(consensusParams({ ...params, clientsMax: 3 }), RULES, machine)
    windows.take(request(1, 1, 9, 'z'), height(10))
    windows.forgetIdle(height(200))
    expect(windows.judge(request(2, 1, 9, 'z'), height(200))).toBeUndefined()
    expect(windows.judge(request(1, 1, 9, 'z'), height(200))).toBe('replayed')
  })

  it('B-9 let no account take the places of the others', () => {
    const windows = new ClientWindows(consensusParams({ ...params, clientsMax: 3 }), RULES, machine)
    const say = (client: string): string => {
      const replay = windows.judge(request(1, 1, 0, client), height(1))
      if (replay === undefined) windows.take(request(1, 1, 0, client), height(1))
      return replay ?? 'counts'
    }
    expect(['xa', 'xb', 'xc'].map(say)).toEqual(['counts', 'counts', 'too-many-clients'])
    expect(['ya', 'yb', 'q'].map(say)).toEqual(['counts', 'too-many-clients', 'too-many-clients'])
    expect(['Oa', 'Ob', 'Oc', 'Pa'].map(say)).toEqual(['counts', 'counts', 'too-many-clients', 'counts'])
    windows.forgetIdle(height(202))
    expect(windows.size).toBe(0)
    for (const client of ['xd', 'q', 'Od'])
      expect(windows.judge(request(1, 1, 201, client), height(203))).toBeUndefined()
  })

  it('B-9 hold so many clients and no more; B-6 come back from a snapshot as they were', () => {
    const windows = new ClientWindows(params, RULES, machine)
    windows.take(request(1, 1, 0, 'c'), height(1))
    windows.take(request(4, 1, 0, 'd'), height(1))
    expect(windows.judge(request(1, 1, 0, 'e'), height(2))).toBe('too-many-clients')
    const restored = new ClientWindows(params, RULES, machine)
    restored.restore(windows.save(), windows.forgottenTo)
    expect(restored.save()).toEqual(windows.save())
    expect(restored.judge(request(4, 1, 0, 'd'), height(2))).toBe('replayed')
  })
})
