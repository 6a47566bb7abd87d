import { err, ok, type Result } from '../kernel/index.ts'

/** A condition on labels and built-ins (spec: Expressions). */
export type Expression =
  | { readonly kind: 'and' | 'or'; readonly parts: readonly Expression[] }
  | { readonly kind: 'not'; readonly part: Expression }
  | { readonly kind: 'has'; readonly name: string }
  | { readonly kind: 'compare'; readonly name: string; readonly operator: Comparison; readonly value: string }
  | { readonly kind: 'in'; readonly name: string; readonly values: readonly string[] }

export type Comparison = '==' | '!=' | '<' | '<=' | '>' | '>='

/** What is wrong, and at which character (from 1). */
export interface ExpressionFault {
  readonly message: string
  readonly position: number
}

export const EXPRESSION_CHARS_MAX = 1024
const DEPTH_MAX = 32
const NODES_MAX = 128

/** `unknown`: the attribute may or may not be there. A list holds every value that some agent of the node has. */
export type Attribute = readonly string[] | 'unknown'
/** An empty list: it is not there. */
export type Attributes = (name: string) => Attribute

/** Reads an expression; total, and bounded in time and memory by its length (D-6). */
export function parseExpression(text: string): Result<Expression, ExpressionFault> {
  if (text.length > EXPRESSION_CHARS_MAX) {
    return err({ message: `longer than ${EXPRESSION_CHARS_MAX} characters`, position: EXPRESSION_CHARS_MAX + 1 })
  }
  return new Parser(text).parse()
}

/** Whether it holds; undefined when that cannot be told (Kleene's strong logic, D-7). */
export function evaluate(expression: Expression, attributes: Attributes): boolean | undefined {
  switch (expression.kind) {
    case 'not': {
      const value = evaluate(expression.part, attributes)
      return value === undefined ? undefined : !value
    }
    case 'and':
      return combine(expression.parts, attributes, false)
    case 'or':
      return combine(expression.parts, attributes, true)
    case 'has': {
      const attribute = attributes(expression.name)
      return attribute === 'unknown' ? undefined : attribute.length > 0
    }
    case 'compare': {
      const { operator, value } = expression
      if (operator !== '!=') return some(attributes(expression.name), (own) => compares(own, operator, value))
      const equal = some(attributes(expression.name), (own) => compares(own, '==', value))
      return equal === undefined ? undefined : !equal
    }
    case 'in':
      return some(attributes(expression.name), (own) => expression.values.some((value) => compares(own, '==', value)))
  }
}

/** `deciding` settles the whole at once: false for and, true for or. */
function combine(parts: readonly Expression[], attributes: Attributes, deciding: boolean): boolean | undefined {
  let isKnown = true
  for (const part of parts) {
    const value = evaluate(part, attributes)
    if (value === deciding) return deciding
    if (value === undefined) isKnown = false
  }
  return isKnown ? !deciding : undefined
}

/** True if all values fulfil it, false if none does; with some, it depends on the agent. */
function some(attribute: Attribute, holds: (value: string) => boolean): boolean | undefined {
  if (attribute === 'unknown') return undefined
  const fulfilled = attribute.filter(holds).length
  if (fulfilled === 0) return false
  return fulfilled === attribute.length ? true : undefined
}

function compares(own: string, operator: Exclude<Comparison, '!='>, value: string): boolean {
  const a = numberOf(own)
  const b = numberOf(value)
  if (a === undefined || b === undefined) return operator === '==' && own === value
  switch (operator) {
    case '==':
      return a === b
    case '<':
      return a < b
    case '<=':
      return a <= b
    case '>':
      return a > b
    case '>=':
      return a >= b
  }
}

function numberOf(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)$/.test(text) ? Number(text) : undefined
}

interface Token {
  readonly kind: 'word' | 'text' | 'sign' | 'end'
  readonly text: string
  readonly position: number
}

const TOKEN = /\s*(?:(==|!=|<=|>=|&&|\|\||[<>!(),])|([A-Za-z0-9_.:/@+-]+)|"([^"]*)"|'([^']*)')/y
const OPERATORS: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>='])
const RESERVED: ReadonlySet<string> = new Set(['and', 'or', 'not', 'in'])

/** Thrown and caught within this file: the parser's way out of its recursion. */
class Fault extends Error {
  readonly position: number

  constructor(message: string, position: number) {
    super(message)
    this.position = position
  }
}

class Parser {
  readonly #text: string
  #token: Token
  #offset = 0
  #nodes = 0

  constructor(text: string) {
    this.#text = text
    this.#token = { kind: 'end', text: '', position: 1 }
  }

  parse(): Result<Expression, ExpressionFault> {
    try {
      this.#next()
      const expression = this.#or(0)
      if (this.#token.kind !== 'end') throw this.#unexpected('the end')
      return ok(expression)
    } catch (fault) {
      if (fault instanceof Fault) return err({ message: fault.message, position: fault.position })
      throw fault
    }
  }

  #or(depth: number): Expression {
    return this.#chain('or', ['||', 'or'], () => this.#and(depth))
  }

  #and(depth: number): Expression {
    return this.#chain('and', ['&&', 'and', ','], () => this.#not(depth))
  }

  #chain(kind: 'and' | 'or', joints: readonly string[], part: () => Expression): Expression {
    const parts = [part()]
    while (this.#token.kind !== 'text' && joints.includes(this.#token.text)) {
      this.#next()
      parts.push(part())
    }
    const [only] = parts
    return parts.length === 1 && only !== undefined ? only : this.#count({ kind, parts })
  }

  #not(depth: number): Expression {
    if (depth >= DEPTH_MAX) throw new Fault(`nested deeper than ${DEPTH_MAX}`, this.#token.position)
    if (this.#takes('!') || this.#takes('not')) return this.#count({ kind: 'not', part: this.#not(depth + 1) })
    if (this.#takes('(')) {
      const inner = this.#or(depth + 1)
      this.#expect(')')
      return inner
    }
    return this.#comparison()
  }

  #comparison(): Expression {
    const name = this.#token
    if (name.kind !== 'word' || RESERVED.has(name.text)) throw this.#unexpected('the name of a label')
    this.#next()
    if (this.#token.kind === 'sign' && OPERATORS.has(this.#token.text)) {
      const operator = this.#token.text as Comparison
      this.#next()
      return this.#count({ kind: 'compare', name: name.text, operator, value: this.#value() })
    }
    if (this.#takes('in')) return this.#in(name.text)
    if (this.#takes('not')) {
      this.#expect('in')
      return this.#count({ kind: 'not', part: this.#in(name.text) })
    }
    return this.#count({ kind: 'has', name: name.text })
  }

  #in(name: string): Expression {
    this.#expect('(')
    const values = [this.#value()]
    while (this.#takes(',')) values.push(this.#value())
    this.#expect(')')
    return this.#count({ kind: 'in', name, values })
  }

  #value(): string {
    const { kind, text } = this.#token
    if (kind !== 'word' && kind !== 'text') throw this.#unexpected('a value')
    this.#next()
    return text
  }

  #takes(text: string): boolean {
    if (this.#token.kind === 'text' || this.#token.text !== text) return false
    this.#next()
    return true
  }

  #expect(text: string): void {
    if (!this.#takes(text)) throw this.#unexpected(`'${text}'`)
  }

  #count(expression: Expression): Expression {
    this.#nodes += 1
    if (this.#nodes > NODES_MAX) throw new Fault(`more than ${NODES_MAX} conditions`, this.#token.position)
    return expression
  }

  #unexpected(wanted: string): Fault {
    const found = this.#token.kind === 'end' ? 'the end' : `'${this.#token.text}'`
    return new Fault(`expected ${wanted}, found ${found}`, this.#token.position)
  }

  #next(): void {
    const start = this.#offset + (/^\s*/.exec(this.#text.slice(this.#offset))?.[0].length ?? 0)
    if (start >= this.#text.length) {
      this.#token = { kind: 'end', text: '', position: this.#text.length + 1 }
      return
    }
    TOKEN.lastIndex = this.#offset
    const match = TOKEN.exec(this.#text)
    if (match === null) throw new Fault(`'${this.#text[start]}' has no meaning here`, start + 1)
    this.#offset = TOKEN.lastIndex
    const [, sign, word, double, single] = match
    if (sign !== undefined) this.#token = { kind: 'sign', text: sign, position: start + 1 }
    else if (word !== undefined) this.#token = { kind: 'word', text: word, position: start + 1 }
    else this.#token = { kind: 'text', text: double ?? single ?? '', position: start + 1 }
  }
}
