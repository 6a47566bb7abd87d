import { type ChildProcess, fork } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { type Latency, latencyOf } from './figures.ts'

/**
 * What a decision cannot go below here: three phases of messages between as many processes, over bare libp2p streams. The
 * proposer is always the one that asks, and there is nothing else to it: no machine, no log, no views.
 *
 * - `bare`: proposal to all, prepare from all to all, commit to the proposer; nothing signed, nothing on disk.
 * - `whole`: with the signatures and the writes to disk that no such protocol can do without: a request and a vote signed,
 *   as many checked as a quorum needs, and each vote on disk before it leaves.
 */
export type FloorCosts = 'bare' | 'whole'

export interface FloorMember {
  /** Of its libp2p node. */
  readonly id: string
  readonly address: string
  /** Its Ed25519 key: SPKI, DER, base64. */
  readonly key: string
}

export type FloorParentMessage =
  | { readonly kind: 'meet'; readonly members: readonly FloorMember[] }
  | { readonly kind: 'run'; readonly rounds: number }

export type FloorChildMessage =
  | { readonly kind: 'here'; readonly member: FloorMember }
  | { readonly kind: 'met' }
  | { readonly kind: 'times'; readonly timesMs: readonly number[] }

const CHILD = new URL('./council-floor-child.ts', import.meta.url)
const WARM_UP_ROUNDS = 1_000
const TURN_TIMEOUT_MS = 120_000

/** One exchange after the other between so many processes, which end with it. */
export async function exchangeFloor(
  size: number,
  costs: FloorCosts,
  rounds: number,
  directory: string,
): Promise<Latency> {
  mkdirSync(directory, { recursive: true })
  const children = Array.from({ length: size }, (_, seat) =>
    fork(CHILD, [String(seat), String(size), costs, join(directory, `votes-${seat}`)], { stdio: 'inherit' }),
  )
  const killAll = (): void => {
    for (const child of children) child.kill('SIGKILL')
  }
  process.once('exit', killAll)
  try {
    const members = (await Promise.all(children.map((child) => heard(child, 'here')))).map(({ member }) => member)
    const met = children.map((child) => heard(child, 'met'))
    for (const child of children) tell(child, { kind: 'meet', members })
    await Promise.all(met)
    const [proposer] = children
    if (proposer === undefined) throw new Error('a group has a member')
    await run(proposer, WARM_UP_ROUNDS)
    return latencyOf(await run(proposer, rounds))
  } finally {
    killAll()
    process.off('exit', killAll)
  }
}

async function run(proposer: ChildProcess, rounds: number): Promise<readonly number[]> {
  const times = heard(proposer, 'times')
  tell(proposer, { kind: 'run', rounds })
  return (await times).timesMs
}

function tell(child: ChildProcess, message: FloorParentMessage): void {
  child.send(message)
}

/** The child's next message, which must be of this kind. */
function heard<K extends FloorChildMessage['kind']>(
  child: ChildProcess,
  kind: K,
): Promise<Extract<FloorChildMessage, { kind: K }>> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => settle(() => reject(new Error(`no '${kind}' from a member of the floor`))),
      TURN_TIMEOUT_MS,
    )
    const onMessage = (message: unknown): void => {
      const told = message as FloorChildMessage
      settle(() => {
        if (told.kind === kind) resolve(told as Extract<FloorChildMessage, { kind: K }>)
        else reject(new Error(`'${kind}' was expected of a member of the floor, not '${told.kind}'`))
      })
    }
    const onExit = (code: number | null): void =>
      settle(() => reject(new Error(`a member of the floor ended: ${code}`)))
    const settle = (outcome: () => void): void => {
      clearTimeout(timer)
      child.off('message', onMessage)
      child.off('exit', onExit)
      outcome()
    }
    child.on('message', onMessage)
    child.on('exit', onExit)
  })
}
