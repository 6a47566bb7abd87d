import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { text } from 'node:stream/consumers'
import type { Command } from 'commander'
import { type ProvenBlock, parseProofFile, type Shown, SwarmError, verifyProof } from '../../src/index.ts'
import { visibleDocument } from '../visible-text.ts'
import { action, type Context, withDaemon } from './command.ts'
import { wordsOf } from './council-words.ts'
import type { Terminal } from './terminal.ts'

interface VerifyOptions {
  readonly swarm?: string
}

export function registerVerify(council: Command): void {
  council
    .command('verify')
    .description('check the proof of a decision (council log --proof), whoever it comes from; needs no daemon')
    .argument('<file>', 'the proof; - for standard input')
    .option('--swarm <id>', "the swarm you trust, by its id: the hash of its genesis (default: the daemon's)")
    .action((file: string, ...rest) => action<VerifyOptions>(verify(file))(...rest))
}

function verify(path: string) {
  return async (context: Context, options: VerifyOptions): Promise<number> => {
    const file = parseProofFile(await contentOf(path))
    if (!file.ok) throw invalid(path, file.error)
    const swarm = options.swarm ?? (await swarmOfDaemon(context))
    const bytes = { genesis: fromBase64(file.value.genesis), proof: fromBase64(file.value.proof) }
    const hash = (of: Uint8Array) => createHash('sha256').update(of).digest('hex')
    const proven = verifyProof(bytes, { swarm, hash })
    if (!proven.ok) throw invalid(path, proven.error)
    const { height } = proven.value
    if (height !== file.value.height) throw invalid(path, `it is about height ${height}, not ${file.value.height}`)
    context.terminal.result(documentOf(swarm, proven.value), () =>
      describe(visibleDocument(proven.value), context.terminal),
    )
    return 0
  }
}

async function contentOf(path: string): Promise<string> {
  try {
    return path === '-' ? await text(process.stdin) : await readFile(path, 'utf8')
  } catch (cause) {
    throw new SwarmError('BAD_USAGE', `${path} cannot be read: ${cause instanceof Error ? cause.message : cause}`, {
      cause,
    })
  }
}

/** Whose word is asked for when none is given: only what swarm it is in, which the proof must then be about. */
async function swarmOfDaemon(context: Context): Promise<string> {
  try {
    return await withDaemon(context, async (client) => client.hello.swarm)
  } catch (cause) {
    if (!(cause instanceof SwarmError) || cause.code !== 'NO_DAEMON') throw cause
    const message = 'no daemon runs here to say which swarm you trust: name it with --swarm ID (status prints it)'
    throw new SwarmError('BAD_USAGE', message, { cause })
  }
}

function invalid(path: string, why: string): SwarmError {
  return new SwarmError(
    'PROOF_INVALID',
    `${path} proves nothing: ${why}. Ask a member for it again: council log --proof HEIGHT`,
  )
}

function fromBase64(encoded: string): Uint8Array {
  return new Uint8Array(Buffer.from(encoded, 'base64'))
}

function documentOf(swarm: string, proven: ProvenBlock) {
  const { height, epoch, at, members, signers, operations, convictions } = proven
  const decided = operations.map(({ proposer, act }) => ({
    proposer,
    kind: act?.kind ?? null,
    body: act?.body ?? null,
  }))
  return {
    valid: true,
    swarm,
    height,
    epoch,
    at: new Date(at).toISOString(),
    members,
    signers,
    operations: decided,
    convictions,
  }
}

function describe(proven: ProvenBlock, { colours }: Terminal): string {
  const { height, epoch, at, members, signers, operations, convictions } = proven
  const what = [
    ...convictions.map((body) => `  ${wordsOf({ kind: 'conviction', body })}`),
    ...operations.map(({ proposer, act }) => `  ${said(act)}\n    proposed by ${proposer}`),
  ]
  return [
    `${colours.green('valid')}: final at height ${height} of epoch ${epoch}, ${new Date(at).toISOString()}`,
    ...what,
    `signed by ${signers.length} of ${members.length}: ${signers.join(' ')}`,
    colours.dim(
      'What a proposal comes to (done, one voice of several, or refused) follows from the decisions before it.',
    ),
  ].join('\n')
}

function said(act: Shown | undefined): string {
  return act === undefined ? 'nothing that this version can read' : wordsOf(act)
}
