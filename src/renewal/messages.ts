import { bytes, record, type Value, word } from '../wire/index.ts'

/** Above what identity allows, which judges it. */
const CERTIFICATE_BYTES_MAX = 2 * 1024

/** Why an issuer does not renew. `ended` and `revoked` are for people; the others pass or are somebody's mistake. */
export const REFUSALS = [
  'not-an-issuer',
  'not-valid',
  'other-organisation',
  'revoked',
  'outdated',
  'ended',
  'too-often',
  'busy',
  'failed',
] as const
export type Refused = (typeof REFUSALS)[number]

/** The certificate that is to be renewed. */
const requestBody = record({ certificate: bytes(CERTIFICATE_BYTES_MAX) })
const grantedBody = record({ certificate: bytes(CERTIFICATE_BYTES_MAX) })
const refusedBody = record({ reason: word(REFUSALS) })

/** The body of each kind that this protocol owns. */
export const RENEWAL_BODIES = {
  'renewal.request': requestBody,
  'renewal.granted': grantedBody,
  'renewal.refused': refusedBody,
} as const

export type RenewalMessage = {
  readonly [K in keyof typeof RENEWAL_BODIES]: {
    readonly kind: K
    readonly body: Value<(typeof RENEWAL_BODIES)[K]>
  }
}[keyof typeof RENEWAL_BODIES]
