import { assert } from '../kernel/index.ts'

const KIB = 1024
const MINUTE_MS = 60_000
const DAY_MS = 24 * 60 * MINUTE_MS

/** How far clocks of honest hosts may be apart before certificates are refused for it. */
export const CLOCK_TOLERANCE_MS = 5 * MINUTE_MS

/** Longest life of a certificate: how long a lost key is good where nobody has been told of it. */
export const CERTIFICATE_TTL_MS_MAX = 400 * DAY_MS

/** Life of a certificate when nothing else was asked for: long enough for a fleet that nobody looks at every month. */
export const CERTIFICATE_TTL_MS = 90 * DAY_MS

export const NAME_BYTES_MAX = 64

/** Labels travel in every certificate and so in every presence: few and short. */
export const LABELS_MAX = 8
export const LABEL_KEY_BYTES_MAX = 32
export const LABEL_VALUE_BYTES_MAX = 64

/** A certificate with all labels, both as signed and with signature. */
export const CERTIFICATE_BODY_BYTES_MAX = KIB
export const CERTIFICATE_BYTES_MAX = KIB + 128

export const ORGANISATIONS_MAX = 32
export const AUTHORITIES_PER_ORGANISATION_MAX = 8
export const VALIDATOR_SEATS_MAX = 64
/** Of the first council; the council takes in the rest. */
export const FOUNDING_VALIDATORS_MAX = 16
export const PARAMETERS_MAX = 64
export const PARAMETER_NAME_BYTES_MAX = 48
export const PARAMETER_VALUE_BYTES_MAX = 128

/** A genesis travels in one frame of the handshake, with two certificates and a few contacts. */
export const GENESIS_BYTES_MAX = 5 * KIB + 512

/** A ticket is pasted into terminals and chats; 2 KiB of text is what those take without harm. */
export const TICKET_TEXT_BYTES_MAX = 2 * KIB
export const TICKET_TEXT_PREFIX = 'swarm1'
/** What fits into the text at four characters for three bytes. */
export const TICKET_BYTES_MAX = Math.floor(((TICKET_TEXT_BYTES_MAX - TICKET_TEXT_PREFIX.length) * 3) / 4)
export const TICKET_ADDRESSES_MAX = 8
export const TICKET_ADDRESS_BYTES_MAX = 160
/** Members besides the issuer that a newcomer is told of: should the issuer end before it has met anyone else. */
export const CONTACTS_MAX = 3
export const CONTACT_ADDRESSES_MAX = 4

export const TICKET_USES_MAX = 4096
export const TICKET_DAYS_MAX = 90
export const TICKET_TTL_MS_MAX = TICKET_DAYS_MAX * DAY_MS

/** Tickets and uses that one issuer keeps count of: about 100 bytes each. Past it, new uses are refused (OVERLOADED). */
export const LEDGER_TICKETS_MAX = 4096
export const LEDGER_USES_MAX = 65_536

/** Checked public keys kept ready, about 300 bytes each; making one anew costs about 20 µs. */
export const CACHED_KEYS_MAX = 4096
/** Certificates found good and kept as such, about 2 KiB each at worst. */
export const CACHED_CERTIFICATES_MAX = 4096

/** Bounds of the exchange inside the secured handshake. The driver arms the time-out and limits reads. */
export const HANDSHAKE_FRAME_BYTES_MAX = 10 * KIB
export const HANDSHAKE_FRAMES_MAX = 2
export const HANDSHAKE_TIMEOUT_MS = 5000
export const REFUSAL_CODE_BYTES_MAX = 40
export const REFUSAL_MESSAGE_BYTES_MAX = 512

assert(
  GENESIS_BYTES_MAX + 2 * CERTIFICATE_BYTES_MAX + 64 <= HANDSHAKE_FRAME_BYTES_MAX,
  'a grant carries a genesis and two certificates in one frame',
)
assert(TICKET_BYTES_MAX + 128 <= HANDSHAKE_FRAME_BYTES_MAX, 'a hello carries a ticket in one frame')
assert(CLOCK_TOLERANCE_MS * 10 <= CERTIFICATE_TTL_MS, 'the tolerance is small beside what it tolerates')
