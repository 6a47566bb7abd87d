import { stripVTControlCharacters } from 'node:util'

const GAP = '  '
const ELLIPSIS = '…'
const SHRUNK_CHARS_MIN = 8
/** Of what a row goes on with, below its first line. */
const INDENT = '    '

/** A column by its heading. Of a `free` text the beginning says enough; ids, times and numbers are shown whole. */
export type Column = string | { readonly free: string }

/** A column of texts that may be cut. */
export function free(heading: string): Column {
  return { free: heading }
}

/**
 * Rows under headings, columns as wide as their widest cell. When that is wider than `columns`, free texts give way,
 * the widest first and down to a few characters; when it still is, rows go on below, indented, and what gave way in vain
 * is whole again.
 */
export function table(headings: readonly Column[], rows: readonly (readonly string[])[], columns: number): string {
  const head = headings.map((heading) => (typeof heading === 'string' ? heading : heading.free))
  const isFree = headings.map((heading) => typeof heading !== 'string')
  const full = head.map((heading, i) => Math.max(heading.length, ...rows.map((row) => width(row[i] ?? ''))))
  const whole = partsWithin(full, columns)
  const least = partsWithin(shrunk(full, isFree, columns), columns)
  const parts = whole.length > least.length ? least : whole
  const widths = parts.slice(0, -1).flatMap((from, part) => {
    const to = parts[part + 1]
    return shrunk(full.slice(from, to), isFree.slice(from, to), columns - (part === 0 ? 0 : INDENT.length))
  })
  return [head, ...rows].flatMap((row) => lines(row, widths, parts)).join('\n')
}

function shrunk(full: readonly number[], isFree: readonly boolean[], columns: number): readonly number[] {
  const widths = [...full]
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP.length * (widths.length - 1) - columns
  while (excess > 0) {
    const widest = widths.reduce((best, w, i) => (isFree[i] === true && w > (widths[best] ?? 0) ? i : best), -1)
    const wide = widths[widest] ?? 0
    if (wide <= SHRUNK_CHARS_MIN) break
    widths[widest] = wide - 1
    excess -= 1
  }
  return widths
}

/** The first column of each line of a row, and past the last. */
function partsWithin(widths: readonly number[], columns: number): readonly number[] {
  const starts = [0]
  let used = -GAP.length
  for (const [i, wide] of widths.entries()) {
    used += GAP.length + wide
    if (used <= columns || i === 0) continue
    starts.push(i)
    used = INDENT.length + wide
  }
  return [...starts, widths.length]
}

function lines(cells: readonly string[], widths: readonly number[], parts: readonly number[]): readonly string[] {
  const padded = cells.map((cell, i) => pad(cell, widths[i] ?? 0))
  return parts.slice(0, -1).map((from, part) => {
    const line = padded.slice(from, parts[part + 1]).join(GAP)
    return `${part === 0 ? '' : INDENT}${line}`.trimEnd()
  })
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
