import {
  decode,
  decodeMessage,
  encode,
  encodeMessage,
  MESSAGE_KINDS,
  type MessageKind,
  type Shape,
} from '../../src/wire/index.ts'
import { samplesOf } from './arbitrary.ts'
import { findShapes } from './shapes.ts'
import { CHEAP_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'
import { identityTargets } from './targets-identity.ts'
import { ipcTargets } from './targets-ipc.ts'
import { linkTargets } from './targets-link.ts'
import { netTargets } from './targets-net.ts'
import { storageTargets } from './targets-storage.ts'
import { swarmTargets } from './targets-swarm.ts'

const SAMPLES_COUNT = 24
const SAMPLE_SEED = 1

/** All targets, in order of name: every shape, and every decoder that is more than one. */
export async function findTargets(): Promise<readonly FuzzTarget[]> {
  const shapes = await findShapes()
  const targets = [
    ...shapes.map(({ name, shape }) => shapeTarget(name, shape)),
    messageTarget(),
    ...linkTargets(),
    ...identityTargets(),
    ...ipcTargets(),
    ...storageTargets(),
    ...netTargets(),
    ...swarmTargets(),
  ]
  return targets.sort((a, b) => (a.name < b.name ? -1 : 1))
}

/** A shape as a target. */
export function shapeTarget(name: string, shape: Shape<unknown>): FuzzTarget {
  return {
    name,
    samples: samplesOf(shape, SAMPLES_COUNT, SAMPLE_SEED),
    bytesMax: INPUT_BYTES_MAX,
    weight: CHEAP_WEIGHT,
    attempt: (input) => {
      const decoded = decode(shape, input)
      return decoded.ok ? encode(shape, decoded.value) : undefined
    },
  }
}

function messageTarget(): FuzzTarget {
  const kinds = Object.keys(MESSAGE_KINDS) as MessageKind[]
  return {
    name: 'wire/message',
    samples: kinds.map((kind) => encodeMessage(kind, Uint8Array.of(1, 2, 3))),
    bytesMax: INPUT_BYTES_MAX,
    weight: CHEAP_WEIGHT,
    attempt: (input) => {
      const message = decodeMessage(input)
      return message.ok ? encodeMessage(message.value.kind, message.value.body) : undefined
    },
  }
}
