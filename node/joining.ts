import { setTimeout as delay } from 'node:timers/promises'
import { type Libp2pNetwork, SwarmError, type Ticket } from '../src/index.ts'
import type { Logger } from './log.ts'

/**
 * Waits before the next tries, in ms. Only for an issuer that cannot be reached: it may be starting, or have more to do
 * than it can answer in time, as when a whole rack joins at once. A refusal is final at the first word.
 */
const RETRY_AFTER_MS = [250, 500, 1_000, 2_000, 4_000] as const

/**
 * Exchanges a ticket at its issuer, with patience.
 *
 * @param giveUp ends it at once, with the signal's reason
 * @throws SwarmError with the code of the refusal, or TICKET_ISSUER_UNREACHABLE after the last try
 */
export async function joinPatiently(
  network: Pick<Libp2pNetwork, 'join'>,
  ticket: Ticket,
  log: Logger,
  giveUp?: AbortSignal,
): ReturnType<Libp2pNetwork['join']> {
  for (let tries = 1; ; tries++) {
    try {
      return await network.join(ticket, giveUp)
    } catch (cause) {
      giveUp?.throwIfAborted()
      if (!(cause instanceof SwarmError) || cause.code !== 'TICKET_ISSUER_UNREACHABLE') throw cause
      const waitMs = RETRY_AFTER_MS[tries - 1]
      if (waitMs === undefined) throw gaveUp(tries, cause)
      log.warn({ waitMs }, `${cause.message}; trying again in ${waitMs / 1000} s`)
      await delay(waitMs, undefined, { signal: giveUp }).catch(() => giveUp?.throwIfAborted())
    }
  }
}

/** Whoever runs it decides: a person at a screen, or a service manager that starts again what has failed. */
function gaveUp(tries: number, cause: SwarmError): SwarmError {
  const message = `${cause.message}; gave up after ${tries} tries: start again once it can be reached`
  return new SwarmError(cause.code, message, { cause })
}
