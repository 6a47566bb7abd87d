import type { MessageStream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import {
  type Certificate,
  type Founding,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_FRAMES_MAX,
  Handshake,
  type HandshakeOptions,
  type HandshakeStep,
  refuseFrame,
} from '../identity/index.ts'
import type { ErrorCode } from '../kernel/index.ts'
import type { NetworkOptions } from './options.ts'
import { REFUSAL_LINGER_MS } from './params.ts'
import { Refusal } from './refusal.ts'

/** The peer proved to be a member; `joined` when it also made one of us. */
export interface ExchangeResult {
  readonly peer: Certificate
  readonly joined: { readonly founding: Founding; readonly certificate: Uint8Array } | undefined
}

type Frames = ReturnType<typeof lpStream>

/**
 * Runs the handshake of `src/identity` over a connection that Noise has secured: length-prefixed frames, bounded in
 * size and number, all of them within the time of `signal` (P-2). Leaves every byte after them unread.
 *
 * @throws Refusal when either side refuses or the time is over; by then the other side has been told, if it listens.
 */
export async function exchange(
  secured: MessageStream,
  options: HandshakeOptions,
  grant: NetworkOptions['grant'],
  signal: AbortSignal,
): Promise<ExchangeResult> {
  const frames = lpStream(secured, {
    maxDataLength: HANDSHAKE_FRAME_BYTES_MAX,
    maxBufferSize: HANDSHAKE_FRAME_BYTES_MAX * (HANDSHAKE_FRAMES_MAX + 1),
  })
  const handshake = new Handshake(options)
  try {
    return await converse(frames, handshake, grant, signal)
  } catch (cause) {
    if (cause instanceof Refusal) {
      if (cause.by === 'us') await hungUp(secured)
      throw cause
    }
    if (!signal.aborted) throw new Refusal('HANDSHAKE_FAILED', `the connection ended early: ${wordsOf(cause)}`, 'peer')
    await sent(frames, handshake.expire(), AbortSignal.timeout(REFUSAL_LINGER_MS)).catch(ignore)
    throw new Refusal('TIMEOUT', 'the handshake was not done in time', 'us')
  }
}

/** Refuses a peer without asking who it is. @throws Refusal always, once the peer has heard it or had its time to. */
export async function turnAway(secured: MessageStream, code: ErrorCode, message: string): Promise<never> {
  const signal = AbortSignal.timeout(REFUSAL_LINGER_MS)
  await lpStream(secured).write(refuseFrame({ code, message }), { signal }).catch(ignore)
  await hungUp(secured)
  throw new Refusal(code, message, 'us')
}

async function converse(
  frames: Frames,
  handshake: Handshake,
  grant: NetworkOptions['grant'],
  signal: AbortSignal,
): Promise<ExchangeResult> {
  let step = await sent(frames, handshake.start(), signal)
  for (;;) {
    const { outcome } = step
    switch (outcome?.kind) {
      case undefined:
        step = await sent(frames, handshake.receive((await frames.read({ signal })).subarray()), signal)
        break
      case 'needs-grant': {
        const granted = (await grant?.(outcome.ticket, outcome.newcomer)) ?? NO_TICKETS
        signal.throwIfAborted()
        const { ok } = granted
        step = ok ? handshake.grant(granted.value) : handshake.refuse(granted.error.code, granted.error.message)
        await sent(frames, step, signal)
        break
      }
      case 'refused':
        throw new Refusal(outcome.code, outcome.message, outcome.by)
      case 'member':
        frames.unwrap()
        return { peer: outcome.peer, joined: undefined }
      case 'joined':
        frames.unwrap()
        return { peer: outcome.peer, joined: { founding: outcome.founding, certificate: outcome.certificate } }
    }
  }
}

const NO_TICKETS = {
  ok: false,
  error: { code: 'WRONG_ISSUER', message: 'this node honours no tickets: dial the node that made it' },
} as const

async function sent(frames: Frames, step: HandshakeStep, signal: AbortSignal): Promise<HandshakeStep> {
  for (const frame of step.send) await frames.write(frame, { signal })
  return step
}

/**
 * P-4: to close at once would send a reset, and a reset throws away what the other side has not read yet. So whoever
 * refuses waits for the other to hang up, but not for long.
 */
function hungUp(stream: MessageStream): Promise<void> {
  if (stream.status !== 'open') return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      stream.removeEventListener('close', done)
      stream.removeEventListener('remoteCloseWrite', done)
      resolve()
    }
    const timer = setTimeout(done, REFUSAL_LINGER_MS)
    stream.addEventListener('close', done)
    stream.addEventListener('remoteCloseWrite', done)
  })
}

function wordsOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause)
}

function ignore(): void {
  // The connection is given up either way.
}
