import type { Certificate, Domain, Signer, Verifier } from '../identity/types.ts'
import { err, type NodeId, ok, type Result } from '../kernel/index.ts'
import { ByteReader, ByteWriter, SIGNATURE_BYTES, type Statement } from '../wire/index.ts'

/**
 * Stands in for Ed25519 (identity's ports) at a thousandth of its cost. A "signature" is a hash keyed with the node's
 * name and the swarm's seed: enough to catch every statement that was altered, put under another domain or made up by
 * a program that does not hold the key, because programs see the ports only. It is no cryptography.
 */
export class SimKeys {
  readonly #seed: string

  constructor(seed: string) {
    this.#seed = seed
  }

  signer(node: NodeId): Signer {
    return { node, sign: (domain, bytes) => ({ signer: node, bytes, signature: this.#mac(node, domain, bytes) }) }
  }

  verifier(): Verifier {
    return {
      verify: (domain, statement) => this.#holds(domain, statement),
      certificate: (bytes) => this.#readCertificate(bytes),
    }
  }

  /** A certificate as its bytes travel: the fields that members look at, and the authority's "signature". */
  certificate(certificate: Certificate): Uint8Array {
    const writer = new ByteWriter()
    writer.text(JSON.stringify(certificate))
    writer.raw(this.#mac(AUTHORITY, 'certificate', writer.finish()))
    return writer.finish()
  }

  #readCertificate(bytes: Uint8Array): Result<Certificate, 'CERTIFICATE_INVALID'> {
    const signed = bytes.subarray(0, Math.max(0, bytes.length - SIGNATURE_BYTES))
    const statement = { signer: AUTHORITY, bytes: signed, signature: bytes.subarray(signed.length) }
    if (!this.#holds('certificate', statement)) return err('CERTIFICATE_INVALID')
    // Good under the key, so it is our own writing.
    return ok(JSON.parse(new ByteReader(signed).text(signed.length)) as Certificate)
  }

  #holds(domain: Domain, statement: Statement): boolean {
    const expected = this.#mac(statement.signer, domain, statement.bytes)
    if (statement.signature.length !== expected.length) return false
    for (let i = 0; i < MAC_BYTES; i++) if (statement.signature[i] !== expected[i]) return false
    return true
  }

  #mac(signer: string, domain: Domain, bytes: Uint8Array): Uint8Array {
    let low = textHash(`${this.#seed}/${signer}/${domain}`)
    let high = Math.imul(low, 0x9e3779b1)
    for (let i = 0; i < bytes.length; i++) {
      low = Math.imul(low ^ (bytes[i] as number), 0x01000193)
      high = Math.imul(high ^ (low >>> 13), 0x85ebca6b)
    }
    const mac = new Uint8Array(SIGNATURE_BYTES)
    for (let i = 0; i < 4; i++) {
      mac[i] = low >>> (8 * i)
      mac[4 + i] = high >>> (8 * i)
    }
    return mac
  }
}

const AUTHORITY = 'authority' as NodeId

/** The bytes of a signature that hold the hash; the rest is zero. */
const MAC_BYTES = SIGNATURE_BYTES

function textHash(text: string): number {
  let hash = 0x811c9dc5
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193)
  return hash
}
