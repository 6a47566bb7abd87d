/** What a field of an observation may hold: enough for a log line, a metric label and a dashboard event. */
export type ObservationValue = string | number | boolean | readonly string[] | undefined

/**
 * What a core tells people (never other cores: those get events). A core declares its own union of these, one
 * `kind` per fact; one table (`src/swarm/observations.ts`) turns each kind into a log line, a metric and an event.
 */
export interface Observation {
  readonly kind: string
  readonly [field: string]: ObservationValue
}
