import type { Verifier } from '../identity/types.ts'
import { err, ok } from '../kernel/index.ts'
import { decode } from '../wire/index.ts'
import { digestBody } from './messages.ts'
import type { JudgeDigest } from './types.ts'

/** Checks that the signer said this, and copies it out of its frame. */
export function judgeDigestWith(verifier: Verifier): JudgeDigest {
  return (statement) => {
    const digest = decode(digestBody, statement.bytes)
    if (!digest.ok) return err(`digest: ${digest.error}`)
    if (!verifier.verify('digest', statement)) return err('the digest is not signed by its subject')
    const { signer, bytes, signature } = statement
    return ok({ statement: { signer, bytes: bytes.slice(), signature: signature.slice() }, digest: digest.value })
  }
}
