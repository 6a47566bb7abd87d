import { BLOCK_HEAD_BYTES, BlockBuilder, readBlock } from '../../src/storage/block.ts'
import { crc32c } from '../../src/storage/crc32c.ts'
import { decodeFileHead, encodeFileHead, FILE_HEAD_BYTES, TAIL_OF_NOTHING } from '../../src/storage/format.ts'
import { CHEAP_WEIGHT, type FuzzTarget, INPUT_BYTES_MAX } from './target.ts'

const SEED = 5
const HEAD_CHECK_AT = 20

/**
 * What a disk can give back. Checksums would refuse nearly everything, so they are put right first: what is tried is a
 * file that somebody has written on purpose.
 */
export function storageTargets(): readonly FuzzTarget[] {
  const common = { bytesMax: INPUT_BYTES_MAX, weight: CHEAP_WEIGHT }
  return [
    {
      ...common,
      name: 'storage/block',
      samples: [block(), block(0), block(1, 2, 300), block(5, 0, 5)],
      attempt: (input) => (readBlock(withBlockChecks(input), 0, SEED) === undefined ? undefined : 'accepted'),
    },
    {
      ...common,
      name: 'storage/file-head',
      samples: [head('segment'), head('snapshot')],
      attempt: (input) => {
        const file = withHeadCheck(input)
        const decoded = [decodeFileHead(file, 'segment', 3), decodeFileHead(file, 'snapshot', 3)]
        return decoded.some(({ ok }) => ok) ? 'accepted' : undefined
      },
    },
  ]
}

function block(...lengths: number[]): Uint8Array {
  const builder = new BlockBuilder()
  for (const length of lengths) builder.append(new Uint8Array(length).fill(length))
  return builder.seal({ firstIndex: 1, chain: 0, seed: SEED, isBeside: false }).bytes.slice()
}

function head(kind: 'segment' | 'snapshot'): Uint8Array {
  return encodeFileHead({ kind, storeId: new Uint8Array(16), sequence: 3, tail: TAIL_OF_NOTHING, bytes: 0 })
}

function withBlockChecks(input: Uint8Array): Uint8Array {
  if (input.length < BLOCK_HEAD_BYTES) return input
  const file = input.slice()
  const view = new DataView(file.buffer)
  const end = Math.min(file.length, BLOCK_HEAD_BYTES + view.getUint32(0))
  const headCheck = crc32c(file, 0, HEAD_CHECK_AT, SEED)
  view.setUint32(HEAD_CHECK_AT, headCheck)
  view.setUint32(HEAD_CHECK_AT + 4, crc32c(file, BLOCK_HEAD_BYTES, end, headCheck))
  return file
}

function withHeadCheck(input: Uint8Array): Uint8Array {
  if (input.length < FILE_HEAD_BYTES) return input
  const file = input.slice()
  new DataView(file.buffer).setUint32(FILE_HEAD_BYTES - 4, crc32c(file, 0, FILE_HEAD_BYTES - 4))
  return file
}
