import type { NodeId } from '../kernel/index.ts'
import type { MachineRefusal } from '../wire/index.ts'
import type { Subject } from './types.ts'

/**
 * A register of words with a membership. `w:N` notes N, `add:NODE` and `del:NODE` change the wanted membership, `no`
 * is refused. Its state is the running hash of all it noted.
 */
export class Register implements Subject {
  readonly #members: Set<NodeId>
  #noted = 0
  #hash = 17
  #sorted: readonly NodeId[] | undefined
  #joined: string | undefined

  constructor(members: readonly NodeId[]) {
    this.#members = new Set(members)
  }

  /** Equal states, equal fingerprints. */
  get fingerprint(): string {
    return this.#state().fingerprint
  }

  authorised(client: NodeId): boolean {
    return !client.startsWith('z')
  }

  check(operation: Uint8Array): MachineRefusal | undefined {
    return operation.length === 0 || operation[0] === NO ? { code: 'BAD_REQUEST', reason: 'no' } : undefined
  }

  apply(operation: Uint8Array): { readonly result: Uint8Array } | MachineRefusal {
    const refusal = this.check(operation)
    if (refusal !== undefined) return refusal
    this.#noted += 1
    for (const byte of operation) this.#hash = Math.imul(this.#hash ^ byte, 0x01000193) >>> 0
    if (operation[0] !== WRITE) {
      const [verb, node] = new TextDecoder().decode(operation).split(':') as [string, NodeId]
      this.#sorted = undefined
      this.#joined = undefined
      if (verb === 'add') this.#members.add(node)
      if (verb === 'del' && this.#members.size > 1) this.#members.delete(node)
    }
    return { result: operation }
  }

  #names(): string {
    this.#joined ??= this.members().join(' ')
    return this.#joined
  }

  members(): readonly NodeId[] {
    this.#sorted ??= [...this.#members].sort()
    return this.#sorted
  }

  /** Equal states share their pieces, which nobody changes. */
  snapshot(): readonly Uint8Array[] {
    const state = this.#state()
    state.chunks ??= halves(operation(JSON.stringify([this.#noted, this.#hash, this.members()])))
    return state.chunks
  }

  #state(): State {
    const noted = this.#noted
    const hash = this.#hash
    const names = this.#names()
    if (LATEST.noted !== noted || LATEST.hash !== hash || LATEST.names !== names) {
      LATEST = { noted, hash, names, fingerprint: `${noted} ${hash} ${names}`, chunks: undefined }
    }
    return LATEST
  }

  restore(chunks: readonly Uint8Array[]): boolean {
    const text = chunks.map((chunk) => new TextDecoder().decode(chunk)).join('')
    let state: unknown
    try {
      state = JSON.parse(text)
    } catch {
      return false
    }
    const [noted, hash, members] = state as [number, number, NodeId[]]
    this.#noted = noted
    this.#hash = hash
    this.#members.clear()
    this.#sorted = undefined
    this.#joined = undefined
    for (const node of members) this.#members.add(node)
    return true
  }
}

interface State {
  readonly noted: number
  readonly hash: number
  readonly names: string
  readonly fingerprint: string
  chunks: readonly Uint8Array[] | undefined
}

/** Members reach the same states one after the other, and what is said of one is said of all. */
let LATEST: State = { noted: -1, hash: 0, names: '', fingerprint: '', chunks: undefined }

function halves(bytes: Uint8Array): readonly Uint8Array[] {
  const half = bytes.length >> 1
  return [bytes.slice(0, half), bytes.slice(half)]
}

const WRITE = 'w'.charCodeAt(0)
const NO = 'n'.charCodeAt(0)
const texts = new TextEncoder()

/** Most are a few letters: a call into the encoder costs more than they do. */
export function operation(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length)
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code >= 0x80) return texts.encode(text)
    bytes[i] = code
  }
  return bytes
}
