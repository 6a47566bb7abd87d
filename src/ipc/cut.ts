/*
 * Finds the text of one member inside a JSON text that is known to be valid, without reading the rest: strings are
 * skipped by their quotes, everything else by its brackets.
 */

const SPACE = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const BACKSLASH = 0x5c
const OPEN_LIST = 0x5b
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

/** The text of `value[first][second]`, or undefined when there is no such member. Of one given twice, the last. */
export function cutMember(json: string, first: string, second: string): string | undefined {
  const outer = memberOf(json, skipBlanks(json, 0), first)
  const inner = outer === undefined ? undefined : memberOf(json, outer.start, second)
  return inner === undefined ? undefined : json.slice(inner.start, inner.end)
}

interface Extent {
  readonly start: number
  readonly end: number
}

/** The value of a member of the object that begins at `at`; undefined when no object begins there. */
function memberOf(json: string, at: number, name: string): Extent | undefined {
  if (json.charCodeAt(at) !== OPEN_OBJECT) return undefined
  let found: Extent | undefined
  let key = skipBlanks(json, at + 1)
  while (json.charCodeAt(key) === QUOTE) {
    const keyEnd = endOfString(json, key)
    const start = skipBlanks(json, json.indexOf(':', keyEnd) + 1)
    const end = endOfValue(json, start)
    if (isKey(json, key, keyEnd, name)) found = { start, end }
    const comma = skipBlanks(json, end)
    if (json.charCodeAt(comma) !== COMMA) break
    key = skipBlanks(json, comma + 1)
  }
  return found
}

/** Looks at the key alone: a look that goes on to the next backslash of the line takes as long as the line for every key. */
function isKey(json: string, start: number, end: number, name: string): boolean {
  const plainEnd = start + name.length + 2
  if (end <= plainEnd) return end === plainEnd && json.startsWith(name, start + 1)
  // Longer than the name, it can only be the same if it is written with escapes.
  for (let at = start; at < end; at++) {
    if (json.charCodeAt(at) === BACKSLASH) return JSON.parse(json.slice(start, end)) === name
  }
  return false
}

function endOfValue(json: string, start: number): number {
  const begin = json.charCodeAt(start)
  if (begin === QUOTE) return endOfString(json, start)
  return begin === OPEN_OBJECT || begin === OPEN_LIST ? endOfNested(json, start) : endOfScalar(json, start)
}

function endOfScalar(json: string, start: number): number {
  for (let at = start; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code <= SPACE || code === COMMA || code === CLOSE_OBJECT || code === CLOSE_LIST) return at
  }
  return json.length
}

/** Behind the bracket that closes the one at `start`. */
function endOfNested(json: string, start: number): number {
  let depth = 0
  for (let at = start; at < json.length; at++) {
    const code = json.charCodeAt(at)
    if (code === QUOTE) at = endOfString(json, at) - 1
    else if (code === OPEN_OBJECT || code === OPEN_LIST) depth += 1
    else if (code === CLOSE_OBJECT || code === CLOSE_LIST) {
      depth -= 1
      if (depth === 0) return at + 1
    }
  }
  return json.length
}

/** Behind the closing quote of the string that begins at `start`. */
function endOfString(json: string, start: number): number {
  for (let quote = json.indexOf('"', start + 1); quote !== -1; quote = json.indexOf('"', quote + 1)) {
    let before = quote - 1
    while (json.charCodeAt(before) === BACKSLASH) before -= 1
    // An even number of backslashes are pairs; an odd one escapes the quote.
    if ((quote - before) % 2 === 1) return quote + 1
  }
  return json.length
}

function skipBlanks(json: string, from: number): number {
  let at = from
  while (json.charCodeAt(at) <= SPACE) at += 1
  return at
}
