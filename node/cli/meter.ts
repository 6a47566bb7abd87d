import pc from 'picocolors'
import { visibleText } from '../visible-text.ts'

export interface Meter {
  /** Sets how much is done, with a word on what is going on. */
  update(done: number, note?: string): void
  /** Takes the bar away. */
  end(): void
}

interface Stream {
  readonly isTTY?: boolean
  readonly columns?: number
  write(text: string): unknown
}

const BAR_CELLS_MAX = 24
/** Label, spaces, bar, count: what a bar needs beside its cells and texts. */
const BAR_GAPS = 6
const CLEAR_LINE = '\r\u001b[2K'

/** A progress bar that rewrites its own line; on anything but a terminal it writes nothing. */
export function createMeter(stream: Stream, label: string, total: number, colours: boolean): Meter {
  if (stream.isTTY !== true) return { update: () => {}, end: () => {} }
  const colour = pc.createColors(colours)
  return {
    update: (done, note = '') => {
      const columns = stream.columns ?? 80
      const textChars = label.length + String(done).length + String(total).length + BAR_GAPS
      const cells = Math.max(0, Math.min(BAR_CELLS_MAX, columns - textChars))
      const filled = total === 0 ? cells : Math.min(cells, Math.floor((done / total) * cells))
      const bar = `${colour.green('█'.repeat(filled))}${colour.dim('░'.repeat(cells - filled))}`
      const room = Math.max(0, columns - textChars - cells)
      stream.write(`${CLEAR_LINE}${label} ${bar} ${done}/${total}  ${colour.dim(visibleText(note).slice(0, room))}`)
    },
    end: () => {
      stream.write(CLEAR_LINE)
    },
  }
}

export interface Line {
  update(text: string): void
  /** Takes it away. */
  end(): void
}

/** A line that rewrites itself; on anything but a terminal it writes nothing. */
export function createLine(stream: Stream, colours: boolean): Line {
  if (stream.isTTY !== true) return { update: () => {}, end: () => {} }
  const colour = pc.createColors(colours)
  let isThere = false
  return {
    update: (text) => {
      isThere = true
      stream.write(`${CLEAR_LINE}${colour.dim(visibleText(text).slice(0, (stream.columns ?? 80) - 1))}`)
    },
    end: () => {
      if (isThere) stream.write(CLEAR_LINE)
      isThere = false
    },
  }
}
