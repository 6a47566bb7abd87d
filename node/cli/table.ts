import { stripVTControlCharacters } from 'node:util'

const GAP = '  '
const ELLIPSIS = '…'
const SHRUNK_CHARS_MIN = 8

/**
 * Rows under headings, columns as wide as their widest cell. When that is wider than `columns`, the widest column gives
 * way, down to a few characters: ids are long and their ends say little.
 */
export function table(headings: readonly string[], rows: readonly (readonly string[])[], columns: number): string {
  const widths = headings.map((heading, i) => Math.max(heading.length, ...rows.map((row) => width(row[i] ?? ''))))
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1) - columns
  while (excess > 0) {
    const widest = widths.indexOf(Math.max(...widths))
    const wide = widths[widest] ?? 0
    if (wide <= SHRUNK_CHARS_MIN) break
    widths[widest] = wide - 1
    excess -= 1
  }
  return [headings, ...rows].map((row) => line(row, widths)).join('\n')
}

function line(cells: readonly string[], widths: readonly number[]): string {
  return cells
    .map((cell, i) => pad(cell, widths[i] ?? 0))
    .join(GAP)
    .trimEnd()
}

function pad(cell: string, chars: number): string {
  const plain = width(cell)
  if (plain <= chars) return cell + ' '.repeat(chars - plain)
  // Only plain cells are cut: colour is put on short words, which fit.
  return stripVTControlCharacters(cell).slice(0, chars - 1) + ELLIPSIS
}

function width(cell: string): number {
  return stripVTControlCharacters(cell).length
}
