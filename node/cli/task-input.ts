import { open } from 'node:fs/promises'
import type { Readable } from 'node:stream'
import { SwarmError } from '../../src/index.ts'
import { typedPayloadOf } from '../agents/text-payload.ts'

/** As the protocol has it; what is longer is refused before it is read whole. */
const INPUT_BYTES_MAX = 1024 * 1024

/**
 * The input of a task as `--input` names it: `@FILE`, `-` for standard input, or the words themselves.
 *
 * @throws SwarmError BAD_USAGE (no such file, or JSON with a fault), TOO_LARGE
 */
export async function readInput(given: string, isText: boolean, stdin: Readable): Promise<unknown> {
  if (given === '-') return typedPayloadOf(await bounded(stdin, 'standard input'), { isText })
  if (!given.startsWith('@')) return typedPayloadOf(Buffer.from(given), { isText })
  const path = given.slice(1)
  try {
    await using file = await open(path)
    return typedPayloadOf(await bounded(file.createReadStream({ autoClose: false }), path), { isText })
  } catch (cause) {
    if (cause instanceof SwarmError) throw cause
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new SwarmError('BAD_USAGE', `the input cannot be read: ${reason}; a text that begins with @ goes through -`, {
      cause,
    })
  }
}

async function bounded(stream: Readable, name: string): Promise<Uint8Array> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of stream) {
    size += chunk.length
    if (size > INPUT_BYTES_MAX) {
      const message = `${name} has more than ${INPUT_BYTES_MAX} bytes, which is the most a task carries; put it elsewhere and send its address`
      throw new SwarmError('TOO_LARGE', message)
    }
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}
