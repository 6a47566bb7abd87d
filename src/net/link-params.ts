/** Between attempts to open a lane's stream on a live connection: the first pause and the longest, in milliseconds. */
export const REOPEN_MS_MIN = 50
export const REOPEN_MS_MAX = 2_000

/** An attempt to open a stream, protocol negotiation included, may take this long, in milliseconds. */
export const OPEN_TIMEOUT_MS = 5_000

/** All lanes of an attached peer must be open within this time, or the connection is of no use, in milliseconds. */
export const STALL_TIMEOUT_MS = 15_000

/** What a peer has not acknowledged is kept for it this long after its last connection, in milliseconds. */
export const RESUME_KEEP_MS = 60_000

/**
 * Links kept for peers that are away. With at most 6.5 MiB in each (link/params.ts) that is 416 MiB if every one of them
 * went away with full buffers; the one that left first is forgotten when there are more.
 */
export const AWAY_LINKS_MAX = 64

/** Streams that arrive before the host has attached their peer: three for each of so many connections. */
export const EARLY_STREAMS_MAX = 3 * 64
