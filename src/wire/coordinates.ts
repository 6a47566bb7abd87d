import { count, f64, record, refine, type Shape } from './shape.ts'

/**
 * A place in network space (Vivaldi, section 5.4): three Euclidean axes and a height above them, all in milliseconds
 * of round-trip time. The height stands for the access link, which every path to the node crosses.
 */
export interface NetworkCoordinate {
  readonly x: number
  readonly y: number
  readonly z: number
  /** Never negative. */
  readonly height: number
  /** How far off this node's predictions have been lately, 0 (exact) to 1.5 (worthless), in thousandths. */
  readonly errorThousandths: number
}

/** Longest axis, in ms: nothing on Earth is 10 s away, so whatever lies further out is a lie or a fault. */
export const COORDINATE_AXIS_MAX = 10_000
export const COORDINATE_ERROR_MAX = 1500

const axes = record({ x: f64, y: f64, z: f64, height: f64, errorThousandths: count(COORDINATE_ERROR_MAX) })

export const networkCoordinate: Shape<NetworkCoordinate> = refine(
  axes,
  'a network coordinate is out of range',
  (at): at is NetworkCoordinate =>
    Math.abs(at.x) <= COORDINATE_AXIS_MAX &&
    Math.abs(at.y) <= COORDINATE_AXIS_MAX &&
    Math.abs(at.z) <= COORDINATE_AXIS_MAX &&
    at.height >= 0 &&
    at.height <= COORDINATE_AXIS_MAX,
)

/** The round trip between two places, in ms, as far as the map knows. */
export function predictedRttMs(a: NetworkCoordinate, b: NetworkCoordinate): number {
  return Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z) + a.height + b.height
}
