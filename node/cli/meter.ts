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

const BAR_CELLS = 24
const CLEAR_LINE = '\r\u001b[2K'

/** A progress bar that rewrites its own line; on anything but a terminal it writes nothing. */
export function createMeter(stream: Stream, label: string, total: number, colours: boolean): Meter {
  if (stream.isTTY !== true) return { update: () => {}, end: () => {} }
  const colour = pc.createColors(colours)
  return {
    update: (done, note = '') => {
      const filled = total === 0 ? BAR_CELLS : Math.min(BAR_CELLS, Math.floor((done / total) * BAR_CELLS))
      const bar = `${colour.green('█'.repeat(filled))}${colour.dim('░'.repeat(BAR_CELLS - filled))}`
      const plainChars = label.length + BAR_CELLS + String(done).length + String(total).length + 5
      const room = Math.max(0, (stream.columns ?? 80) - plainChars - 1)
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
  return {
    update: (text) => {
      stream.write(`${CLEAR_LINE}${colour.dim(visibleText(text).slice(0, (stream.columns ?? 80) - 1))}`)
    },
    end: () => {
      stream.write(CLEAR_LINE)
    },
  }
}
