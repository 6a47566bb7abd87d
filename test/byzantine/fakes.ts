import type { Claim, Digest, HashFunction } from '../../src/consensus/index.ts'
import type { Domain, Signer } from '../../src/identity/types.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import type { Machine, MachineRefusal } from '../../src/wire/index.ts'

/** 64 bits of FNV-1a in two lanes: quick, and nobody in the harness looks for collisions. */
function fnv(bytes: Uint8Array, seed: number): [number, number] {
  let a = 0x811c9dc5 ^ seed
  let b = 0x9747b28c ^ (seed << 1)
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i] as number
    a = Math.imul(a ^ byte, 0x01000193)
    b = Math.imul(b ^ byte, 0x85ebca6b) ^ (b >>> 13)
  }
  return [a >>> 0, b >>> 0]
}

export const fakeHash: HashFunction = (bytes) => {
  const [a, b] = fnv(bytes, bytes.length)
  return (a.toString(16).padStart(8, '0') + b.toString(16).padStart(8, '0')).padEnd(64, '0') as Digest
}

const keySeeds = new Map<NodeId, number>()
function keySeed(signer: NodeId, domain: Domain): number {
  let seed = keySeeds.get(signer)
  if (seed === undefined) {
    seed = fnv(new TextEncoder().encode(signer), 7)[0]
    keySeeds.set(signer, seed)
  }
  return seed ^ domain.length
}

export function fakeSignature(signer: NodeId, domain: Domain, bytes: Uint8Array): Uint8Array {
  const signature = new Uint8Array(64)
  const [a, b] = fnv(bytes, keySeed(signer, domain))
  for (let i = 0; i < 4; i++) {
    signature[i] = a >>> (8 * i)
    signature[4 + i] = b >>> (8 * i)
  }
  return signature
}

export function fakeSigner(node: NodeId): Signer {
  return { node, sign: (domain, bytes) => ({ signer: node, bytes, signature: fakeSignature(node, domain, bytes) }) }
}

/** Whether the signer made this statement; without allocating. */
export function verifies({ domain, statement: { signer, bytes, signature } }: Claim): boolean {
  const [a, b] = fnv(bytes, keySeed(signer, domain))
  for (let i = 0; i < 4; i++) {
    if (signature[i] !== ((a >>> (8 * i)) & 0xff) || signature[4 + i] !== ((b >>> (8 * i)) & 0xff)) return false
  }
  return true
}

/**
 * A register of words with a membership. `w:N` notes N, `add:NODE` and `del:NODE` change the wanted membership, `no`
 * is refused. Its state is the running hash of all it noted.
 */
export class Register implements Machine {
  readonly #members: Set<NodeId>
  #noted = 0
  #hash = 17

  constructor(members: readonly NodeId[]) {
    this.#members = new Set(members)
  }

  /** Equal states, equal fingerprints. */
  get fingerprint(): string {
    return `${this.#noted} ${this.#hash} ${this.members().join(' ')}`
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
      if (verb === 'add') this.#members.add(node)
      if (verb === 'del' && this.#members.size > 1) this.#members.delete(node)
    }
    return { result: operation }
  }

  members(): readonly NodeId[] {
    return [...this.#members].sort()
  }

  snapshot(): readonly Uint8Array[] {
    const text = JSON.stringify([this.#noted, this.#hash, this.members()])
    const bytes = new TextEncoder().encode(text)
    const half = bytes.length >> 1
    return [bytes.slice(0, half), bytes.slice(half)]
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
    for (const node of members) this.#members.add(node)
    return true
  }
}

const WRITE = 'w'.charCodeAt(0)
const NO = 'n'.charCodeAt(0)
const texts = new TextEncoder()
export const operation = (text: string): Uint8Array => texts.encode(text)
