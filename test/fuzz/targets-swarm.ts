import { digestBody } from '../../src/directory/index.ts'
import { judgeDigestWith } from '../../src/directory/judge.ts'
import { createSigner, createVerifier } from '../../src/identity/index.ts'
import { judgeWith } from '../../src/membership/index.ts'
import { memberEntry, presenceBody } from '../../src/membership/messages.ts'
import { BODIES, decodeBody, encodeBody } from '../../src/swarm/codec.ts'
import {
  decode,
  decodeMessage,
  encode,
  encodeMessage,
  type MessageKind,
  type Shape,
  type Statement,
  statement,
} from '../../src/wire/index.ts'
import { samplesOf } from './arbitrary.ts'
import { CHEAP_WEIGHT, COSTLY_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'
import { makeWorld } from './targets-identity.ts'

const SAMPLES_PER_KIND = 6
const SAMPLE_SEED = 1
const STATEMENT_BYTES_MAX = 16 * 1024

/** What a member's messages go through: kind and body, and then the signatures in them. */
export function swarmTargets(): readonly FuzzTarget[] {
  return [messageTarget(), ...judgeTargets()]
}

function messageTarget(): FuzzTarget {
  const bodies = Object.entries(BODIES) as [MessageKind, Shape<unknown>][]
  return {
    name: 'swarm/message',
    samples: bodies.flatMap(([kind, shape]) =>
      samplesOf(shape, SAMPLES_PER_KIND, SAMPLE_SEED).map((body) => encodeMessage(kind, body)),
    ),
    bytesMax: INPUT_BYTES_MAX,
    weight: CHEAP_WEIGHT,
    attempt: (input) => {
      const raw = decodeMessage(input)
      if (!raw.ok) return undefined
      const message = decodeBody(raw.value.kind, raw.value.body)
      return message.ok ? encodeMessage(message.value.kind, encodeBody(message.value)) : undefined
    },
  }
}

/** Statements whose signatures are good, and what mutation makes of them. */
function judgeTargets(): readonly FuzzTarget[] {
  const { founding, ann, annKeys } = makeWorld()
  const verifier = createVerifier(founding)
  const signer = createSigner(annKeys, founding.swarm)
  const judgeEntry = judgeWith(verifier)
  const judgeDigest = judgeDigestWith(verifier)
  const digestStatement = statement(STATEMENT_BYTES_MAX)
  const entries = samplesOf(presenceBody, SAMPLES_PER_KIND, SAMPLE_SEED).map((body) =>
    encode(memberEntry, { presence: signer.sign('presence', body), certificate: ann.certificate }),
  )
  const digests = samplesOf(digestBody, SAMPLES_PER_KIND, SAMPLE_SEED).map((body) =>
    encode(digestStatement, signer.sign('digest', body)),
  )
  const common = { bytesMax: INPUT_BYTES_MAX, weight: COSTLY_WEIGHT }
  return [
    {
      ...common,
      name: 'membership/judge',
      samples: entries,
      attempt: (input) => {
        const entry = decode(memberEntry, input)
        const judged = entry.ok ? judgeEntry(entry.value) : entry
        return judged.ok ? encode(memberEntry, judged.value.entry) : undefined
      },
    },
    {
      ...common,
      name: 'directory/judge',
      samples: digests,
      attempt: (input) => {
        const signed = decode<Statement>(digestStatement, input)
        const judged = signed.ok ? judgeDigest(signed.value) : signed
        return judged.ok ? encode(digestStatement, judged.value.statement) : undefined
      },
    },
  ]
}
