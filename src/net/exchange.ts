import type { MessageStream } from '@libp2p/interface'
import { lpStream } from '@libp2p/utils'
import {
  type Certificate,
  HANDSHAKE_FRAME_BYTES_MAX,
  HANDSHAKE_FRAMES_MAX,
  Handshake,
  type HandshakeOptions,
  type HandshakeOutcome,
  type HandshakeStep,
  refuseFrame,
} from '../identity/index.ts'
import type { ErrorCode } from '../kernel/index.ts'
import type { JoinGrant, NetworkOptions } from './options.ts'
import { REFUSAL_LINGER_MS } from './params.ts'
import { crossed, isCrossed, Refusal } from './refusal.ts'

/** The peer proved to be a member; `joined` when it also made one of us. */
export interface ExchangeResult {
  readonly peer: Certificate
  /** The certificate as it was shown; the one granted, for a newcomer. */
  readonly shown: Uint8Array
  readonly joined: Omit<JoinGrant, 'issuer'> | undefined
}

type Frames = ReturnType<typeof lpStream>

/** The word of the responder that the connection stands (P-5): until then the initiator has told nobody of it. */
const STANDS = Uint8Array.of(1)

/**
 * Runs the handshake of `src/identity` over a connection that Noise has secured: length-prefixed frames, bounded in
 * size and number, all of them within the time of `signal` (P-2). Leaves every byte after them unread.
 *
 * @param stands asked when the peer has proved itself: whether the connection may stand beside others of this pair
 * @throws Refusal when either side refuses or the time is over; by then the other side has been told, if it listens.
 */
export async function exchange(
  secured: MessageStream,
  options: HandshakeOptions,
  grant: NetworkOptions['grant'],
  signal: AbortSignal,
  stands: (peer: Certificate) => boolean = () => true,
): Promise<ExchangeResult> {
  const frames = lpStream(secured, {
    maxDataLength: HANDSHAKE_FRAME_BYTES_MAX,
    maxBufferSize: HANDSHAKE_FRAME_BYTES_MAX * (HANDSHAKE_FRAMES_MAX + 1),
  })
  const handshake = new Handshake(options)
  try {
    const result = await converse(frames, handshake, grant, signal)
    await agree(frames, options.role, signal, () => stands(result.peer))
    frames.unwrap()
    return result
  } catch (cause) {
    if (isCrossed(cause)) throw cause
    if (cause instanceof Refusal) {
      if (cause.by === 'us') await hungUp(secured)
      throw cause
    }
    if (!signal.aborted) throw broken(cause)
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
        step = await sent(frames, await received(frames, handshake, signal), signal)
        break
      case 'needs-grant':
        step = await sent(frames, await answered(handshake, outcome, grant, signal), signal)
        break
      case 'refused':
        throw new Refusal(outcome.code, outcome.message, outcome.by)
      case 'member':
        return { peer: outcome.peer, shown: outcome.shown, joined: undefined }
      case 'joined':
        return {
          peer: outcome.peer,
          shown: outcome.shown,
          joined: { founding: outcome.founding, certificate: outcome.certificate, contacts: outcome.contacts },
        }
    }
  }
}

/** @throws {@link crossed} when the responder lets another connection of the pair stand, which it says by hanging up. */
async function agree(
  frames: Frames,
  role: HandshakeOptions['role'],
  signal: AbortSignal,
  stands: () => boolean,
): Promise<void> {
  if (role === 'responder') {
    if (!stands()) throw crossed()
    await frames.write(STANDS, { signal })
    return
  }
  await frames.read({ signal }).catch((cause: unknown) => {
    if (signal.aborted) throw cause
    throw crossed()
  })
}

async function received(frames: Frames, handshake: Handshake, signal: AbortSignal): Promise<HandshakeStep> {
  try {
    return handshake.receive((await frames.read({ signal })).subarray())
  } catch (cause) {
    if (!(cause instanceof Error && cause.name.includes('Length'))) throw cause
    return handshake.refuse('HANDSHAKE_FAILED', `a frame announces more than ${HANDSHAKE_FRAME_BYTES_MAX} bytes`)
  }
}

async function answered(
  handshake: Handshake,
  { ticket, newcomer }: Extract<HandshakeOutcome, { kind: 'needs-grant' }>,
  grant: NetworkOptions['grant'],
  signal: AbortSignal,
): Promise<HandshakeStep> {
  if (grant === undefined) return handshake.refuse('WRONG_ISSUER', 'this node honours no tickets')
  try {
    const granted = await Promise.race([grant(ticket, newcomer), aborted(signal)])
    return granted.ok ? handshake.grant(granted.value) : handshake.refuse(granted.error.code, granted.error.message)
  } catch (cause) {
    if (signal.aborted) throw cause
    return handshake.refuse('INTERNAL', 'the use of the ticket could not be recorded: see the log of its issuer')
  }
}

function aborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    if (signal.aborted) reject(signal.reason)
    signal.addEventListener('abort', () => reject(signal.reason), { once: true })
  })
}

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

/** The connection broke: by the peer's doing, or by ours because it sent more than the buffer holds. */
function broken(cause: unknown): Refusal {
  const { name, message } = cause instanceof Error ? cause : new Error(String(cause))
  return new Refusal(
    'HANDSHAKE_FAILED',
    `the connection ended: ${message}`,
    name === 'StreamBufferError' ? 'us' : 'peer',
  )
}

function ignore(): void {
  // The connection is given up either way.
}
