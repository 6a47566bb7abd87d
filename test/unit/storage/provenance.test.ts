import { cpSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openDataDirectory } from '../../../src/storage/index.ts'
import { scratchDirectory } from '../../support/scratch.ts'

/** What a data directory says of its store when it is opened. */
function provenance(data: string): string {
  const directory = openDataDirectory(data)
  directory.release()
  return directory.provenance
}

function claimed(): string {
  const data = scratchDirectory()
  const directory = openDataDirectory(data)
  expect(directory.provenance).toBe('unmarked')
  directory.claim()
  directory.release()
  return data
}

describe('S-13 a store', () => {
  it('is its own place’s once it was claimed, however often it is opened, and wherever it is moved', () => {
    const data = claimed()
    expect([provenance(data), provenance(data)]).toEqual(['own', 'own'])
    const moved = `${data}-moved`
    renameSync(data, moved)
    expect(provenance(moved)).toBe('own')
    renameSync(moved, data)
  })

  it('is known as a copy, also one put back in its place with all its times, until that is claimed', () => {
    const data = claimed()
    const backup = scratchDirectory()
    cpSync(data, backup, { recursive: true, preserveTimestamps: true })
    expect(provenance(backup)).toBe('copy')
    rmSync(join(data, 'store'), { recursive: true })
    cpSync(join(backup, 'store'), join(data, 'store'), { recursive: true, preserveTimestamps: true })
    expect(provenance(data)).toBe('copy')
    const directory = openDataDirectory(data)
    directory.claim()
    directory.release()
    expect(provenance(data)).toBe('own')
    expect(readdirSync(join(data, 'store'))).toEqual(['provenance'])
  })

  it('is a copy also if its mark is damaged', () => {
    const data = claimed()
    writeFileSync(join(data, 'store', 'provenance'), 'x')
    expect(provenance(data)).toBe('copy')
  })
})
