import { describe, expect, it } from 'vitest'
import { isJsonText, JsonText } from '../../src/ipc/index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** 40 KB: within what a partial result may have, and more than `JSON.stringify` has stack for. */
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`

describe('I-12: what can stand in a line as it is', () => {
  it.each(['1', ' {"a": [1e999, "\\n"]} ', '"ä"', DEEP])('is one JSON value', (text) => {
    expect(isJsonText(bytes(text))).toBe(true)
  })

  it.each(['', ' ', '{', '1 2', '"\n"', '1\n', '1\r', '\ufeff1', 'nul', '1}}{"a":{"b":1'])('is not %j', (text) => {
    expect(isJsonText(bytes(text))).toBe(false)
  })

  it('nor what is no UTF-8', () => {
    expect(isJsonText(Uint8Array.of(0x22, 0xff, 0x22))).toBe(false)
  })
})

describe('a payload inside a message', () => {
  it('is the value, and takes no more stack than there is', () => {
    expect(JSON.stringify({ partial: new JsonText(bytes('{"a":[1,{}]}')) })).toBe('{"partial":{"a":[1,{}]}}')
    expect(JSON.parse(JSON.stringify({ partial: new JsonText(bytes(DEEP)) }))).toEqual({ partial: DEEP })
  })
})
