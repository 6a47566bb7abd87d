import { describe, expect, it } from 'vitest'
import { PLANTED_BUGS } from './planted-bugs.ts'
import { findPlanted } from './planted-table.ts'

describe('planted bugs (SI-13)', () => {
  for (const bug of PLANTED_BUGS) {
    it(`finds: ${bug.what}`, { timeout: 300_000 }, () => {
      expect(findPlanted(bug)).toMatchObject({ found: true })
    })
  }
})
