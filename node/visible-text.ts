/**
 * What others said (names, reasons, messages), fit for a terminal: it could carry sequences that redraw the screen or
 * name windows, newlines that tear a table, and marks that turn the direction of a line.
 */

// C0 and C1 with DEL, separators of lines, and what changes the direction of text.
// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what it is about.
const CONTROL = /[\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/g
// biome-ignore lint/suspicious/noControlCharactersInRegex: colours as this program writes them.
const COLOURS = /(\u001b\[\d{1,2}m)/

const NAMED: Readonly<Record<string, string>> = { '\n': '\\n', '\r': '\\r', '\t': '\\t' }

/** With each control character spelled out, but for those in `kept`. */
export function visibleText(text: string, kept = ''): string {
  return text.replace(CONTROL, (character) => (kept.includes(character) ? character : spelled(character)))
}

/** The same of text that this program has laid out: its lines and, if it uses them, its colours stay. */
export function visibleLayout(text: string, hasColours: boolean): string {
  if (!hasColours) return visibleText(text, '\n\t')
  return text
    .split(COLOURS)
    .map((part, i) => (i % 2 === 1 ? part : visibleText(part, '\n\t')))
    .join('')
}

/** The same of every text in a document, keys included; everything else stays as it is. */
export function visibleDocument<T>(value: T): T {
  return visibleValue(value) as T
}

function visibleValue(value: unknown): unknown {
  if (typeof value === 'string') return visibleText(value)
  if (Array.isArray(value)) return value.map(visibleValue)
  if (typeof value !== 'object' || value === null || Object.getPrototypeOf(value) !== Object.prototype) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [visibleText(key), visibleValue(item)]))
}

function spelled(character: string): string {
  const code = character.charCodeAt(0)
  return NAMED[character] ?? (code < 0x100 ? `\\x${hex(code, 2)}` : `\\u${hex(code, 4)}`)
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, '0')
}
