/**
 * Every operational failure that a person or a program can meet, once. IPC (`data.code`), HTTP and exit codes are all
 * read from this table (spec/interfaces.md), so they cannot drift apart.
 *
 * `rpc` is the JSON-RPC error code; `http` the status; `exit` the command line's exit code.
 */
export const ERROR_CODES = {
  BAD_REQUEST: { rpc: -32602, http: 400, exit: 2 },
  PARSE_ERROR: { rpc: -32700, http: 400, exit: 2 },
  UNKNOWN_METHOD: { rpc: -32601, http: 404, exit: 2 },
  NOT_ATTACHED: { rpc: -32001, http: 409, exit: 1 },
  UNAUTHORISED: { rpc: -32002, http: 403, exit: 6 },
  NOT_FOUND: { rpc: -32003, http: 404, exit: 1 },
  QUOTA_EXCEEDED: { rpc: -32004, http: 429, exit: 6 },
  DUPLICATE_KEY: { rpc: -32012, http: 409, exit: 1 },
  STALE: { rpc: -32013, http: 409, exit: 1 },
  ALREADY_SO: { rpc: -32014, http: 409, exit: 1 },
  UNSAFE_CHANGE: { rpc: -32015, http: 409, exit: 1 },
  PROOF_INVALID: { rpc: -32016, http: 422, exit: 1 },
  OVERLOADED: { rpc: -32005, http: 503, exit: 6 },
  TOO_LARGE: { rpc: -32006, http: 413, exit: 2 },
  TIMEOUT: { rpc: -32007, http: 504, exit: 5 },
  CANCELLED: { rpc: -32008, http: 409, exit: 4 },
  NO_QUORUM: { rpc: -32009, http: 503, exit: 5 },
  UNSUPPORTED_VERSION: { rpc: -32010, http: 400, exit: 1 },
  SHUTTING_DOWN: { rpc: -32011, http: 503, exit: 1 },
  INTERNAL: { rpc: -32603, http: 500, exit: 1 },

  BAD_USAGE: { rpc: -32602, http: 400, exit: 2 },
  BAD_CONFIGURATION: { rpc: -32602, http: 400, exit: 2 },
  NO_DAEMON: { rpc: -32603, http: 503, exit: 3 },
  INVARIANT: { rpc: -32603, http: 500, exit: 70 },

  TICKET_MALFORMED: { rpc: -32602, http: 400, exit: 2 },
  TICKET_EXPIRED: { rpc: -32002, http: 403, exit: 6 },
  TICKET_USED_UP: { rpc: -32002, http: 403, exit: 6 },
  TICKET_INVALID: { rpc: -32002, http: 403, exit: 6 },
  TICKET_ISSUER_UNREACHABLE: { rpc: -32603, http: 503, exit: 1 },
  WRONG_ISSUER: { rpc: -32002, http: 403, exit: 6 },
  NOT_AUTHORITY: { rpc: -32002, http: 403, exit: 6 },
  WRONG_SWARM: { rpc: -32002, http: 403, exit: 6 },
  WRONG_CLUSTER_CONFIGURATION: { rpc: -32002, http: 403, exit: 6 },
  ALREADY_MEMBER: { rpc: -32602, http: 409, exit: 2 },
  CERTIFICATE_INVALID: { rpc: -32002, http: 403, exit: 6 },
  CERTIFICATE_EXPIRED: { rpc: -32002, http: 403, exit: 6 },
  CERTIFICATE_REVOKED: { rpc: -32002, http: 403, exit: 6 },
  AUTHORITY_UNKNOWN: { rpc: -32005, http: 503, exit: 1 },
  AUTHORITY_WITHDRAWN: { rpc: -32002, http: 403, exit: 6 },
  HANDSHAKE_FAILED: { rpc: -32603, http: 502, exit: 1 },

  DATA_DIRECTORY_IN_USE: { rpc: -32603, http: 409, exit: 1 },
  DATA_DIRECTORY_UNREADABLE: { rpc: -32603, http: 500, exit: 1 },
  STORE_DAMAGED: { rpc: -32603, http: 500, exit: 1 },
  STORE_FAILED: { rpc: -32603, http: 500, exit: 1 },
  DISK_FULL: { rpc: -32005, http: 507, exit: 1 },
  ADDRESS_IN_USE: { rpc: -32603, http: 409, exit: 1 },
  UNSUPPORTED_NODE: { rpc: -32603, http: 500, exit: 1 },
} as const satisfies Record<string, { readonly rpc: number; readonly http: number; readonly exit: number }>

export type ErrorCode = keyof typeof ERROR_CODES

/**
 * An operational failure with a stable code. The message says what happened and what to do next; `data` holds what a
 * program may want to act on (for example `retryAfterMs`).
 */
export class SwarmError extends Error {
  readonly code: ErrorCode
  readonly data: Readonly<Record<string, unknown>>

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly cause?: unknown; readonly data?: Readonly<Record<string, unknown>> } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause })
    this.name = 'SwarmError'
    this.code = code
    this.data = options.data ?? {}
  }

  get exitCode(): number {
    return ERROR_CODES[this.code].exit
  }
}
