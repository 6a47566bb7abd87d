import { describe, expect, it } from 'vitest'
import { isJsonText, JsonText } from '../../src/ipc/index.ts'
import { Random } from '../../src/kernel/index.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)
/** 40 KB: within what a partial result may have, and more than `JSON.stringify` has stack for. */
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`

describe('I-12: what can stand in a line as it is', () => {
  it.each(['1', ' {"a": [1e999, "\\n"]} ', '"ä"', DEEP])('is one JSON value', (text) => {
    expect(isJsonText(bytes(text))).toBe(true)
  })

  it.each([
    ...['', ' ', '{', '1 2', '"\n"', '1\n', '1\r', '\ufeff1', 'nul', '1}}{"a":{"b":1'],
    ...['-', '-true', '1.null', '[1etrue]', '01', '1.', '1e+'],
  ])('is not %j', (text) => {
    expect(isJsonText(bytes(text))).toBe(false)
  })

  it('nor what is no UTF-8', () => {
    expect(isJsonText(Uint8Array.of(0x22, 0xff, 0x22))).toBe(false)
  })
})

describe('looking at a text', () => {
  it('says of it what reading it would', () => {
    const random = new Random('json')
    const letters = [...'{}[]",:\\u0019-+.eE truefalsnbd/\t\r\n\u0001é']
    const starts = ['{"a":[1,-2.5e+3,"x\\u00e9\\n",true,false,null,{}],"b":{}}', '[ 0 , "" ]', '-0.0E-1', '']
    let valid = 0
    for (let i = 0; i < 20_000; i++) {
      const letter = (): string[] => (random.chance(0.7) ? [random.pick(letters)] : [])
      const edited = [...random.pick(starts)]
      for (let edits = random.below(4); edits > 0; edits--)
        edited.splice(random.below(edited.length + 1), random.below(2), ...letter())
      const text = edited.join('')
      const expected = isRead(text) && !/[\r\n]/.test(text)
      if (expected) valid += 1
      expect([text, isJsonText(bytes(text))]).toEqual([text, expected])
    }
    expect(valid).toBeGreaterThan(2_000)
  })

  it('also of one made of whole words', () => {
    const words = ['-', '0', '12', '.', 'e', 'E+', 'true', 'false', 'null', '"a"', '"a":', '[', ']', '{', '}', ',', ' ']
    const four = words.flatMap((a) => words.flatMap((b) => words.flatMap((c) => words.map((d) => a + b + c + d))))
    expect(four.filter((each) => isJsonText(bytes(each)) !== isRead(each))).toEqual([])
  })
})

function isRead(text: string): boolean {
  try {
    JSON.parse(text)
    return true
  } catch {
    return false
  }
}

describe('a payload inside a message', () => {
  it('is the value, and takes no more stack than there is', () => {
    expect(JSON.stringify({ partial: new JsonText(bytes('{"a":[1,{}]}')) })).toBe('{"partial":{"a":[1,{}]}}')
    expect(JSON.parse(JSON.stringify({ partial: new JsonText(bytes(DEEP)) }))).toEqual({ partial: DEEP })
  })
})

describe('a payload cut out of a line', () => {
  it('is found whatever stands before it, its key written with escapes too', () => {
    const line = String.raw`{"par\u0061m":1,"p":2,"param\u0073":{"inpu":1,"input2":2,"inpu\u0074":[ 1.0 ]},"longer than params":3}`
    expect(JsonText.cut(line, 'params', 'input').text).toBe('[ 1.0 ]')
    expect(JsonText.cut(line, 'params', 'output').text).toBe('null')
  })

  it('I-11: many keys cost what they are, and not a look at all of the line each', () => {
    const line = `{${'"a":1,'.repeat(160_000)}"params":{"input":1}}`
    const readMs = fastest(() => JSON.parse(line))
    const cutMs = fastest(() => JsonText.cut(line, 'params', 'input'))
    // About half as long as reading it; forty times as long while each key was searched for to the end of the line.
    expect(cutMs / readMs).toBeLessThan(10)
  })
})

function fastest(work: () => unknown): number {
  const times = Array.from({ length: 3 }, () => {
    const startedAt = performance.now()
    work()
    return performance.now() - startedAt
  })
  return Math.min(...times)
}
