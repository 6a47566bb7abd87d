import { describe, expect, it } from 'vitest'
import { shownPayload } from '../../node/cli/terminal.ts'
import { visibleDocument, visibleLayout, visibleText } from '../../node/visible-text.ts'

/** What others said cannot control the terminal it is shown on. */

const TITLE = '\u001b]0;pwn\u0007'

describe('what others said', () => {
  it.each([
    [TITLE, '\\x1b]0;pwn\\x07'],
    ['a\nb\r\tc', 'a\\nb\\r\\tc'],
    ['\u009b31m', '\\x9b31m'],
    ['\u202egnp.exe', '\\u202egnp.exe'],
    ['\u061c1 of 2', '\\u061c1 of 2'],
    ['größer \u{1f600} ✓', 'größer \u{1f600} ✓'],
  ])('%j is shown as %s', (text, shown) => expect(visibleText(text)).toBe(shown))

  it('is spelled out in a whole document, and nothing else changes', () => {
    const bytes = new Uint8Array([1])
    const document = { [TITLE]: [{ name: 'a\nb', n: 1, no: null, none: undefined }], bytes }
    expect(visibleDocument(document)).toEqual({
      '\\x1b]0;pwn\\x07': [{ name: 'a\\nb', n: 1, no: null, none: undefined }],
      bytes,
    })
    expect(visibleDocument(document).bytes).toBe(bytes)
  })
})

describe('a text of this program', () => {
  it('keeps its lines and its colours, and those only if it has any', () => {
    const text = `\u001b[32mfine\u001b[39m\n${TITLE}`
    expect(visibleLayout(text, true)).toBe('\u001b[32mfine\u001b[39m\n\\x1b]0;pwn\\x07')
    expect(visibleLayout(text, false)).toBe('\\x1b[32mfine\\x1b[39m\n\\x1b]0;pwn\\x07')
  })
})

describe('a payload', () => {
  it('is as it is for a program, and harmless on a terminal', () => {
    const bytes = new TextEncoder().encode(TITLE)
    expect(shownPayload(`${TITLE}\n\t`, false)).toBe(`${TITLE}\n\t`)
    expect(shownPayload(bytes, false)).toBe(bytes)
    expect(shownPayload(`${TITLE}\n\t`, true)).toBe('\\x1b]0;pwn\\x07\n\t')
    expect(shownPayload(bytes, true)).toBe('\\x1b]0;pwn\\x07')
  })
})
