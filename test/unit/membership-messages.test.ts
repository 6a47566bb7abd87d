import { describe, expect, test } from 'vitest'
import type { NodeId } from '../../src/kernel/index.ts'
import { MEMBERSHIP_BODIES, type MemberEntry, type Rumour } from '../../src/membership/index.ts'
import {
  CERTIFICATE_BYTES_MAX,
  entryBytes,
  GOSSIP_ENTRY_BYTES_MAX,
  GOSSIP_ROWS_MAX,
  INCARNATION_MAX,
  PRESENCE_BYTES_MAX,
  SYNC_ROWS_MAX,
} from '../../src/membership/messages.ts'
import { encode, rulesOf } from '../../src/wire/index.ts'

const NODE = `12D3KooW${'z'.repeat(44)}` as NodeId

/** As long as a rumour can be: an accusation. */
const RUMOUR = { node: NODE, incarnation: INCARNATION_MAX, state: 'suspect', accuser: NODE, lost: true } as Rumour

function entryOf(bytes: number): MemberEntry {
  const certificate = new Uint8Array(Math.min(CERTIFICATE_BYTES_MAX, bytes))
  const presence = new Uint8Array(bytes - certificate.length)
  return { presence: { signer: NODE, bytes: presence, signature: new Uint8Array(64) }, certificate } as MemberEntry
}

const many = <T>(count: number, value: T): readonly T[] => Array.from({ length: count }, () => value)

describe('the largest message is within what its kind may hold', () => {
  test('an entry takes no more than is reckoned for it', () => {
    const entry = entryOf(PRESENCE_BYTES_MAX + CERTIFICATE_BYTES_MAX)
    const alone = encode(MEMBERSHIP_BODIES['membership.gossip'], { rumours: [], entries: [entry] }).length
    const none = encode(MEMBERSHIP_BODIES['membership.gossip'], { rumours: [], entries: [] }).length
    expect(alone - none).toBeLessThanOrEqual(entryBytes(entry))
    // Or it would never be told by gossip.
    expect(entryBytes(entry)).toBeLessThanOrEqual(GOSSIP_ENTRY_BYTES_MAX)
  })

  test('gossip: as many bytes of entries and as many rumours as there may be', () => {
    const overhead = entryBytes(entryOf(0))
    const half = GOSSIP_ENTRY_BYTES_MAX / 2 - overhead
    const body = { rumours: many(GOSSIP_ROWS_MAX, RUMOUR), entries: many(2, entryOf(half)) }
    const { length } = encode(MEMBERSHIP_BODIES['membership.gossip'], body)
    expect(length).toBeGreaterThan(16 * 1024)
    expect(length).toBeLessThanOrEqual(rulesOf('membership.gossip').bytesMax)
  })

  test('a comparison of tables: every row an accusation', () => {
    const rows = many(SYNC_ROWS_MAX, RUMOUR)
    const asked = encode(MEMBERSHIP_BODIES['membership.sync-request'], {
      kind: 'rows',
      buckets: Array.from({ length: 256 }, (_, i) => i),
      rows,
    })
    const answered = encode(MEMBERSHIP_BODIES['membership.sync-reply'], { entries: [], rows })
    expect(asked.length).toBeLessThanOrEqual(rulesOf('membership.sync-request').bytesMax)
    expect(answered.length).toBeLessThanOrEqual(rulesOf('membership.sync-reply').bytesMax)
  })
})
