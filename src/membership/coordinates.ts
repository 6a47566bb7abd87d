import type { Random } from '../kernel/index.ts'
import { COORDINATE_AXIS_MAX, COORDINATE_ERROR_MAX, type NetworkCoordinate, predictedRttMs } from '../wire/index.ts'

/** Vivaldi's cc and ce (section 4.3 of the paper): how far one sample moves the place and the error estimate. */
const MOVE_GAIN = 0.25
const ERROR_GAIN = 0.25
/** A height below this would let the node sink into the plane, where it can no longer move along the height. */
const HEIGHT_MIN_MS = 0.01
/** A sample longer than this says nothing about distance. */
const RTT_MAX_MS = 10_000
/** Nobody is sure enough of its own place to move others without limit. */
const ERROR_MIN = 0.005

export const COORDINATE_ORIGIN: NetworkCoordinate = {
  x: 0,
  y: 0,
  z: 0,
  height: HEIGHT_MIN_MS,
  errorThousandths: COORDINATE_ERROR_MAX,
}

/**
 * Where this node is after a round trip of `rttMs` to a peer that says it is at `peer` (Vivaldi, figure 3, with the
 * height vectors of section 5.4). Pure; the random direction serves two nodes in the same place.
 */
export function moved(
  at: NetworkCoordinate,
  peer: NetworkCoordinate,
  rttMs: number,
  random: Random,
): NetworkCoordinate {
  if (!(rttMs >= 0) || rttMs > RTT_MAX_MS) return at
  const sampleMs = Math.max(rttMs, HEIGHT_MIN_MS)
  const predictedMs = predictedRttMs(at, peer)
  const ownError = Math.max(at.errorThousandths / 1000, ERROR_MIN)
  const peerError = Math.max(peer.errorThousandths / 1000, ERROR_MIN)
  const weight = ownError / (ownError + peerError)
  const sampleError = Math.abs(predictedMs - sampleMs) / sampleMs
  const error = sampleError * ERROR_GAIN * weight + ownError * (1 - ERROR_GAIN * weight)
  const force = MOVE_GAIN * weight * (sampleMs - predictedMs)
  const [ux, uy, uz, distance] = direction(at, peer, random)
  // The unit vector of a height vector: the plane's part over the whole length, and the sum of both heights over it.
  const whole = distance + at.height + peer.height
  const along = distance > 0 ? distance / whole : 1
  return {
    x: clampAxis(at.x + ux * along * force),
    y: clampAxis(at.y + uy * along * force),
    z: clampAxis(at.z + uz * along * force),
    height: Math.min(
      COORDINATE_AXIS_MAX,
      Math.max(HEIGHT_MIN_MS, at.height + ((at.height + peer.height) / whole) * force),
    ),
    errorThousandths: Math.round(Math.min(COORDINATE_ERROR_MAX, Math.max(0, error * 1000))),
  }
}

function direction(at: NetworkCoordinate, peer: NetworkCoordinate, random: Random): [number, number, number, number] {
  const dx = at.x - peer.x
  const dy = at.y - peer.y
  const dz = at.z - peer.z
  const distance = Math.hypot(dx, dy, dz)
  if (distance > 1e-6) return [dx / distance, dy / distance, dz / distance, distance]
  const rx = random.between(-1, 1)
  const ry = random.between(-1, 1)
  const rz = random.between(-1, 1)
  const length = Math.hypot(rx, ry, rz) || 1
  return [rx / length, ry / length, rz / length, 0]
}

function clampAxis(value: number): number {
  return Math.min(COORDINATE_AXIS_MAX, Math.max(-COORDINATE_AXIS_MAX, value))
}
