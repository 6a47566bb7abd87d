import { type Core, earliest, type Millis, NEVER, type Tick, unreachable } from '../kernel/index.ts'
import { ByteReader, LANES, type Lane, type MessageKind } from '../wire/index.ts'
import { FrameWriter } from './frame-writer.ts'
import type { LinkKinds } from './kinds.ts'
import { DATA, HELLO, type Hello, hello, helloFrame } from './messages.ts'
import { checkLaneParams, LINK_PARAMS, type LinkParams, VIOLATION_POINTS } from './params.ts'
import { ReceiveLane } from './receive-lane.ts'
import { SendLane } from './send-lane.ts'
import type { GapReason, LaneStats, LinkEffect, LinkInput, LinkStats } from './types.ts'

const NOTHING: readonly never[] = []

/** `down`: no stream. `greeting`: our hello is out, the peer's is due. `open`: both are exchanged. */
type LaneState = 'down' | 'greeting' | 'open'

interface LaneEnd<K extends string> {
  readonly name: Lane
  readonly send: SendLane<K>
  readonly receive: ReceiveLane<K>
  state: LaneState
  /** Which object the other end was when we last heard its hello; 0 before the first. */
  peerEpoch: number
  /** What was acknowledged when we first met that object: as long as no more is, it may truly know nothing of ours. */
  peerStart: number
  gapCount: number
}

export interface LinkInit<K extends string> {
  /** 1 to 2^48 - 1, never used before by this node: its other end knows this object by it. */
  readonly epoch: number
  readonly kinds: LinkKinds<K>
  readonly params?: LinkParams
}

/** One end of a link: three lanes over streams that come and go. Clauses N-1 to N-11 in ./README.md. */
export class Link<K extends string = MessageKind> implements Core<LinkInput<K>, LinkEffect<K>> {
  readonly #epoch: number
  readonly #kinds: LinkKinds<K>
  readonly #writer = new FrameWriter()
  readonly #lanes: Readonly<Record<Lane, LaneEnd<K>>>

  constructor({ epoch, kinds, params = LINK_PARAMS }: LinkInit<K>) {
    this.#epoch = epoch
    this.#kinds = kinds
    const lane = (name: Lane): LaneEnd<K> => {
      checkLaneParams(params[name])
      return {
        name,
        send: new SendLane(params[name]),
        receive: new ReceiveLane(name, kinds, params[name]),
        state: 'down',
        peerEpoch: 0,
        peerStart: 0,
        gapCount: 0,
      }
    }
    this.#lanes = { control: lane('control'), work: lane('work'), bulk: lane('bulk') }
  }

  /** When an acknowledgement is due: after the tick, lanes that are `writable` write it. */
  deadline(): Millis {
    let due = NEVER
    for (const name of LANES) {
      const lane = this.#lanes[name]
      if (lane.state === 'open') due = earliest(due, lane.receive.ackAt)
    }
    return due
  }

  step(now: Millis, input: LinkInput<K> | Tick): readonly LinkEffect<K>[] {
    switch (input.kind) {
      case 'send':
        return this.#send(input.message, input.body)
      case 'writable':
        return this.#write(now, this.#lanes[input.lane])
      case 'frame':
        return this.#receive(now, this.#lanes[input.lane], input.body)
      case 'up':
        return this.#up(this.#lanes[input.lane])
      case 'down':
        return this.#down(this.#lanes[input.lane])
      case 'forget':
        return LANES.flatMap((name) => this.#forget(this.#lanes[name]))
      case 'tick':
        for (const name of LANES) this.#lanes[name].receive.ripen(now)
        return NOTHING
      default:
        return unreachable(input)
    }
  }

  /** Whether a `writable` lane would write a frame now. */
  ready(now: Millis, lane: Lane): boolean {
    const { state, send, receive } = this.#lanes[lane]
    return state === 'open' && (send.ready || receive.due(now))
  }

  isOpen(lane: Lane): boolean {
    return this.#lanes[lane].state === 'open'
  }

  stats(): LinkStats {
    return {
      control: laneStats(this.#lanes.control),
      work: laneStats(this.#lanes.work),
      bulk: laneStats(this.#lanes.bulk),
    }
  }

  #send(message: K, body: Uint8Array): readonly LinkEffect<K>[] {
    const kind = this.#kinds.named(message)
    const lane = this.#lanes[kind.rules.lane]
    return lane.send.offer(kind, body) ? NOTHING : [{ kind: 'full', lane: lane.name }]
  }

  /** N-11: one frame at most, if there is anything to say. */
  #write(now: Millis, lane: LaneEnd<K>): readonly LinkEffect<K>[] {
    if (!this.ready(now, lane.name)) return NOTHING
    const bytes = lane.send.compose(this.#writer, lane.receive.received, lane.receive.limit)
    lane.receive.told()
    return [{ kind: 'write', lane: lane.name, bytes }, ...room(lane)]
  }

  #up(lane: LaneEnd<K>): readonly LinkEffect<K>[] {
    const lost = this.#down(lane)
    lane.state = 'greeting'
    lane.receive.restart()
    const bytes = helloFrame(this.#writer, {
      epoch: this.#epoch,
      peerEpoch: lane.peerEpoch,
      received: lane.receive.received,
      base: lane.send.acked + 1,
      windowBytes: lane.receive.limit,
    })
    return [...lost, { kind: 'write', lane: lane.name, bytes }]
  }

  #down(lane: LaneEnd<K>): readonly LinkEffect<K>[] {
    if (lane.state === 'down') return NOTHING
    lane.state = 'down'
    lane.send.interrupt()
    return room(lane)
  }

  /** The other end will be a stranger when it comes back: whatever is under way between us may be lost. */
  #forget(lane: LaneEnd<K>): readonly LinkEffect<K>[] {
    this.#down(lane)
    const lost = lane.send.cut()
    return lane.peerEpoch === 0 && lost === 0 ? NOTHING : [gap(lane, 'forgotten')]
  }

  #receive(now: Millis, lane: LaneEnd<K>, body: Uint8Array): readonly LinkEffect<K>[] {
    if (lane.state === 'down') return NOTHING
    const reader = new ByteReader(body)
    const type = reader.u8()
    if (lane.state === 'greeting') {
      return type === HELLO ? this.#greeted(lane, reader) : this.#violated(lane, 'a frame before the hello')
    }
    return type === DATA ? this.#data(now, lane, reader) : this.#violated(lane, 'not a data frame')
  }

  #greeted(lane: LaneEnd<K>, reader: ByteReader): readonly LinkEffect<K>[] {
    const theirs = hello.read(reader)
    if (reader.remaining > 0) reader.fail('bytes are left over')
    if (reader.fault !== undefined) return this.#violated(lane, `hello: ${reader.fault}`)
    const lie = this.#lieIn(lane, theirs)
    if (lie !== undefined) return this.#violated(lane, `hello: ${lie}`)

    const effects: LinkEffect<K>[] = []
    if (theirs.epoch !== lane.peerEpoch) {
      if (lane.peerEpoch !== 0) {
        lane.send.cut()
        effects.push(gap(lane, 'peer-restarted'))
      }
      lane.peerEpoch = theirs.epoch
      lane.peerStart = lane.send.acked
      lane.receive.adopt(theirs.base)
    }
    if (theirs.peerEpoch === this.#epoch) lane.send.acknowledge(theirs.received)
    lane.send.restart(theirs.windowBytes)
    lane.state = 'open'
    effects.push({ kind: 'open', lane: lane.name }, ...room(lane))
    return effects
  }

  /** What in a hello no correct peer would say. */
  #lieIn(lane: LaneEnd<K>, theirs: Hello): string | undefined {
    if (theirs.epoch === 0 || theirs.base === 0) return 'an epoch or base of zero'
    const { acked, sent } = lane.send
    const stranger = theirs.epoch !== lane.peerEpoch
    if (!stranger && theirs.base > lane.receive.received + 1)
      return 'it has given up messages that we have not received'
    if (theirs.peerEpoch === this.#epoch) {
      // A stranger can know our numbers only from the base in a hello of ours: nothing was sent to it yet.
      const sentMax = stranger ? acked : sent
      return theirs.received < acked || theirs.received > sentMax ? 'it has received what was never sent' : undefined
    }
    return !stranger && acked > lane.peerStart ? 'it has forgotten us and not itself' : undefined
  }

  #data(now: Millis, lane: LaneEnd<K>, reader: ByteReader): readonly LinkEffect<K>[] {
    const ack = reader.varint()
    const limit = reader.varint()
    const first = reader.varint()
    if (reader.fault !== undefined) return this.#violated(lane, reader.fault)
    if (!lane.send.acknowledge(ack)) return this.#violated(lane, 'an acknowledgement of what was never sent')
    if (!lane.send.grant(limit)) return this.#violated(lane, 'a grant was taken back')
    const { messages, points, fault, gap: refused, violation } = lane.receive.read(now, first, reader)
    if (violation !== undefined) return this.#violated(lane, violation)
    if (fault === undefined) return messages.length === 0 ? NOTHING : [{ kind: 'deliver', lane: lane.name, messages }]

    const effects: LinkEffect<K>[] = [
      { kind: 'penalise', points: Math.min(points, VIOLATION_POINTS), reason: fault },
      { kind: 'deliver', lane: lane.name, messages },
    ]
    if (refused) effects.push(gap(lane, 'message-refused'))
    return effects
  }

  #violated(lane: LaneEnd<K>, reason: string): readonly LinkEffect<K>[] {
    const text = `${lane.name} lane: ${reason}`
    return [
      ...this.#down(lane),
      { kind: 'penalise', points: VIOLATION_POINTS, reason: text },
      { kind: 'close', lane: lane.name, reason: text },
    ]
  }
}

/** N-6: told once, as soon as half of a queue that refused is free again. */
function room<K extends string>(lane: LaneEnd<K>): readonly LinkEffect<K>[] {
  return lane.send.takeRoom() ? [{ kind: 'room', lane: lane.name }] : NOTHING
}

function gap<K extends string>(lane: LaneEnd<K>, reason: GapReason): LinkEffect<K> {
  lane.gapCount += 1
  return { kind: 'gap', lane: lane.name, reason }
}

function laneStats<K extends string>({ state, send, receive, gapCount }: LaneEnd<K>): LaneStats {
  return {
    open: state === 'open',
    queuedMessages: send.queuedMessages,
    queuedBytes: send.queuedBytes,
    unackedMessages: send.unackedMessages,
    unackedBytes: send.unackedBytes,
    sentMessages: send.sentMessages,
    sentFrames: send.sentFrames,
    receivedMessages: receive.receivedMessages,
    receivedFrames: receive.receivedFrames,
    refusedCount: send.refusedCount,
    droppedCount: send.droppedCount,
    gapCount,
  }
}
