import type { ComponentLogger, Logger } from '@libp2p/interface'

/**
 * libp2p makes several loggers per connection and stream, and formats before it asks whether anyone listens. What
 * operators need to know comes out of the port as events and counters instead, so all of them are this one.
 */
const silent: Logger = Object.assign(ignore, {
  enabled: false,
  trace: Object.assign(ignore, { enabled: false }),
  error: ignore,
  newScope: () => silent,
})

export const silentLogger: ComponentLogger = { forComponent: () => silent }

function ignore(): void {
  // That is the point.
}
