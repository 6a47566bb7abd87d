import { createHash } from 'node:crypto'
import { KeyPair, verifySignature } from './keys.ts'

/** RFC 8032, 7.1, test 2: the signature of one byte. */
const SEED = '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'
const MESSAGE = Uint8Array.of(0x72)
const SIGNATURE =
  '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00'
/** FIPS 180-2: SHA-256 of `abc`. */
const ABC = 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'

/**
 * Whether signatures and hashes of this machine are the ones everybody else computes, and what one costs.
 *
 * @throws Error saying which is not
 */
export function checkSignatures(): string {
  const pair = KeyPair.fromSeed(new Uint8Array(Buffer.from(SEED, 'hex')))
  const startedAt = performance.now()
  const signature = pair.sign(MESSAGE)
  const signedAt = performance.now()
  if (Buffer.from(signature).toString('hex') !== SIGNATURE)
    throw new Error('Ed25519 signatures are not those of RFC 8032')
  const good = verifySignature(pair.node, MESSAGE, signature)
  const verifiedAt = performance.now()
  if (!good || verifySignature(pair.node, Uint8Array.of(0x73), signature)) {
    throw new Error('Ed25519 does not tell good signatures from bad ones')
  }
  if (createHash('sha256').update('abc').digest('hex') !== ABC) throw new Error('SHA-256 is not that of FIPS 180-2')
  return `Ed25519 and SHA-256 as published; signed in ${(signedAt - startedAt).toFixed(2)} ms, verified in ${(verifiedAt - signedAt).toFixed(2)} ms`
}
