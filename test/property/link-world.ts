import { type Millis, type Random, TICK } from '../../src/kernel/index.ts'
import { FrameSplitter, LINK_PARAMS, Link, type LinkEffect, type LinkInput, LinkKinds } from '../../src/link/index.ts'
import { LANES, type Lane, type MessageKindRules } from '../../src/wire/index.ts'

/** Kinds for tests: on every lane one that is resumed and one that is momentary. Rates that no test reaches. */
const base = { via: 'link', bytesMax: 100_000, perSecondMax: 1e9, penalty: 10 } as const
export const TEST_KINDS = {
  'control.resumed': { ...base, code: 1, lane: 'control', whenFull: 'refuse', delivery: 'resumed' },
  'control.momentary': { ...base, code: 2, lane: 'control', whenFull: 'drop', delivery: 'momentary' },
  'work.resumed': { ...base, code: 3, lane: 'work', whenFull: 'refuse', delivery: 'resumed' },
  'work.momentary': { ...base, code: 4, lane: 'work', whenFull: 'drop', delivery: 'momentary' },
  'bulk.resumed': { ...base, code: 5, lane: 'bulk', whenFull: 'refuse', delivery: 'resumed' },
  'bulk.momentary': { ...base, code: 200, lane: 'bulk', whenFull: 'drop', delivery: 'momentary' },
} as const satisfies Record<string, MessageKindRules>
export type TestKind = keyof typeof TEST_KINDS
export const testKinds = new LinkKinds<TestKind>(TEST_KINDS)

const small = { queueMessagesMax: 30, unackedMessagesMax: 300 }
export const SMALL_PARAMS = {
  control: { ...LINK_PARAMS.control, ...small },
  work: { ...LINK_PARAMS.work, ...small },
  bulk: { ...LINK_PARAMS.bulk, ...small },
}

type Side = 0 | 1
const SIDES = [0, 1] as const

interface Sent {
  readonly id: number
  readonly resumed: boolean
  readonly at: number
  /** Who accepted it, and who was at the other end then. */
  readonly process: number
  readonly peer: { readonly process: number; readonly end: End }
  /** When, in the checker's order of all events; 0 if not. And to whom. */
  deliveredAt: number
  deliveredTo: number
  framed: number
}

/** One end: a user process and the link object it holds now. */
interface End {
  readonly process: number
  readonly link: Link<TestKind>
  /** Per lane, when it was open for the first time. */
  readonly openedAt: Record<Lane, number>
}

/** One direction of one stream, with the checker's own account of it. */
interface Pipe {
  bytes: Uint8Array[]
  cut: boolean
  /** N-7: message bytes put in, and the limit that had come back to the sender by then. */
  used: number
  limit: number
  readonly written: FrameSplitter
  readonly read: FrameSplitter
}

interface LaneStream {
  readonly pipes: readonly [Pipe, Pipe]
  readonly attached: [boolean, boolean]
}

/**
 * Two ends, three lanes, byte pipes that tear and are replaced, processes that restart: all by one seeded stream. It
 * keeps its own books, parses frames by its own parser, and throws at the first broken clause.
 */
export class LinkWorld {
  readonly #random: Random
  #clock = 0
  #order = 0
  #nextId = 1
  #nextEpoch = 1
  #nextProcess = 1
  readonly #ends: [End, End]
  readonly #streams: Record<Lane, LaneStream | undefined> = { control: undefined, work: undefined, bulk: undefined }
  readonly sent: Record<Lane, readonly [Sent[], Sent[]]> = { control: [[], []], work: [[], []], bulk: [[], []] }
  readonly #byId = new Map<number, Sent>()
  readonly #lastDelivered: Record<Lane, [number, number]> = { control: [0, 0], work: [0, 0], bulk: [0, 0] }
  readonly #gaps: { process: number; lane: Lane; at: number }[] = []
  readonly #cutBefore: Record<Lane, [number, number]> = { control: [0, 0], work: [0, 0], bulk: [0, 0] }
  readonly #refused: Record<Lane, [boolean, boolean]> = {
    control: [false, false],
    work: [false, false],
    bulk: [false, false],
  }
  counts = { delivered: 0, gaps: 0, retransmitted: 0, full: 0, rooms: 0, reconnects: 0 }

  constructor(random: Random) {
    this.#random = random
    this.#ends = [this.#newEnd(), this.#newEnd()]
  }

  run(steps: number): void {
    for (let i = 0; i < steps; i++) {
      this.#something()
      this.#checkBounds()
    }
    this.#heal()
    this.#checkNothingLost()
  }

  #newEnd(process = this.#nextProcess++): End {
    return {
      process,
      link: new Link({ epoch: this.#nextEpoch++, kinds: testKinds, params: SMALL_PARAMS }),
      openedAt: { control: Infinity, work: Infinity, bulk: Infinity },
    }
  }

  #something(): void {
    const random = this.#random
    const lane = random.pick(LANES)
    const side = random.pick(SIDES)
    const dice = random.below(1000)
    if (dice < 450) this.#send(side, lane)
    else if (dice < 700) this.#writable(side, lane)
    else if (dice < 940) this.#carry(side, lane)
    else if (dice < 955) this.#clock += random.below(40)
    else if (dice < 965) this.#tick(side)
    else if (dice < 980) this.#reconnect(lane)
    else if (dice < 990) this.#tear(lane)
    else if (dice < 996) this.#notice(side, lane)
    else if (dice < 998) this.#replaceEnd(side, 'forget')
    else if (random.chance(0.5)) this.#replaceEnd(side, 'restart')
  }

  #send(side: Side, lane: Lane): void {
    const random = this.#random
    for (let left = random.chance(0.05) ? 40 : 1; left > 0; left--) {
      const kind: TestKind = `${lane}.${random.chance(0.7) ? 'resumed' : 'momentary'}`
      const body = new Uint8Array(4 + (random.chance(0.05) ? random.below(99_000) : random.below(50)))
      const id = this.#nextId++
      new DataView(body.buffer).setUint32(0, id)
      const end = this.#ends[side]
      const other = this.#ends[1 - side] as End
      const record: Sent = {
        id,
        resumed: TEST_KINDS[kind].delivery === 'resumed',
        at: ++this.#order,
        process: end.process,
        peer: { process: other.process, end: other },
        deliveredAt: 0,
        deliveredTo: 0,
        framed: 0,
      }
      const effects = this.#step(side, { kind: 'send', message: kind, body })
      if (effects.length === 0) {
        this.sent[lane][side].push(record)
        this.#byId.set(id, record)
      } else if (record.resumed) this.#refused[lane][side] = true
    }
  }

  #writable(side: Side, lane: Lane): void {
    const stream = this.#streams[lane]
    if (stream?.attached[side]) this.#step(side, { kind: 'writable', lane })
  }

  /** Some of the bytes that `side` has written reach the other side. */
  #carry(side: Side, lane: Lane): void {
    const stream = this.#streams[lane]
    if (stream === undefined || !stream.attached[1 - side]) return
    const pipe = stream.pipes[side]
    for (let left = 1 + this.#random.below(5); left > 0; left--) {
      const chunk = pipe.bytes.shift()
      if (chunk === undefined) return
      const at = this.#random.chance(0.5) ? chunk.length : this.#random.below(chunk.length + 1)
      if (at < chunk.length) pipe.bytes.unshift(chunk.subarray(at))
      for (const body of pipe.read.push(chunk.subarray(0, at))) {
        this.#creditArrives(stream.pipes[1 - side] as Pipe, body)
        this.#step((1 - side) as Side, { kind: 'frame', lane, body })
        // A restart or violation inside the step may have replaced the stream.
        if (this.#streams[lane] !== stream || !stream.attached[1 - side]) return
      }
    }
  }

  #reconnect(lane: Lane): void {
    this.counts.reconnects += 1
    const pipe = (): Pipe => ({
      bytes: [],
      cut: false,
      used: 0,
      limit: 0,
      written: new FrameSplitter(),
      read: new FrameSplitter(),
    })
    // Each side moves over when it notices; what was in the old pipes is lost.
    const stream: LaneStream = { pipes: [pipe(), pipe()], attached: [false, false] }
    this.#streams[lane] = stream
    for (const side of this.#random.shuffle(SIDES)) {
      if (this.#random.chance(0.5)) this.#step(side, { kind: 'down', lane })
      if (this.#random.chance(0.8)) this.#attach(side, lane, stream)
    }
  }

  #attach(side: Side, lane: Lane, stream: LaneStream): void {
    stream.attached[side] = true
    this.#step(side, { kind: 'up', lane })
  }

  #tear(lane: Lane): void {
    const stream = this.#streams[lane]
    if (stream === undefined) return
    for (const pipe of stream.pipes) {
      pipe.cut = true
      pipe.bytes.length = Math.min(pipe.bytes.length, this.#random.below(4))
    }
  }

  #notice(side: Side, lane: Lane): void {
    const stream = this.#streams[lane]
    if (stream === undefined) return
    if (stream.attached[side]) {
      stream.attached[side] = false
      for (const pipe of stream.pipes) pipe.cut = true
      this.#step(side, { kind: 'down', lane })
    }
  }

  #replaceEnd(side: Side, how: 'forget' | 'restart'): void {
    if (how === 'forget') this.#step(side, { kind: 'forget' })
    const old = this.#ends[side]
    this.#ends[side] = this.#newEnd(how === 'forget' ? old.process : undefined)
    for (const lane of LANES) {
      // The old object took its refusal with it: its user starts again with an empty queue.
      this.#refused[lane][side] = false
      const stream = this.#streams[lane]
      if (stream !== undefined) stream.attached[side] = false
      for (const pipe of stream?.pipes ?? []) pipe.cut = true
    }
  }

  #tick(side: Side): void {
    const { link } = this.#ends[side]
    if (link.deadline() > this.#clock) return
    link.step(this.#clock as Millis, TICK)
    if (link.deadline() <= this.#clock) throw new Error('a tick leaves its deadline behind')
  }

  #step(side: Side, input: LinkInput<TestKind>): readonly LinkEffect<TestKind>[] {
    const effects = this.#ends[side].link.step(this.#clock as Millis, input)
    for (const effect of effects) this.#perform(side, effect)
    return effects
  }

  #perform(side: Side, effect: LinkEffect<TestKind>): void {
    const end = this.#ends[side]
    switch (effect.kind) {
      case 'write':
        this.#written(side, effect.lane, effect.bytes)
        return
      case 'deliver':
        for (const { kind, body } of effect.messages) this.#delivered(side, effect.lane, kind, body)
        return
      case 'open':
        end.openedAt[effect.lane] = Math.min(end.openedAt[effect.lane], ++this.#order)
        return
      case 'gap':
        this.counts.gaps += 1
        this.#gaps.push({ process: end.process, lane: effect.lane, at: ++this.#order })
        if (effect.reason === 'peer-restarted') this.#cutBefore[effect.lane][side] = this.#order
        return
      case 'full':
        this.counts.full += 1
        return
      case 'room':
        this.counts.rooms += 1
        if (!this.#refused[effect.lane][side]) throw new Error('N-6: room without a refusal')
        this.#refused[effect.lane][side] = false
        return
      default:
        throw new Error(`between honest ends: ${JSON.stringify(effect)}`)
    }
  }

  #written(side: Side, lane: Lane, bytes: Uint8Array): void {
    const stream = this.#streams[lane]
    if (stream === undefined || !stream.attached[side]) throw new Error('written to no stream')
    const pipe = stream.pipes[side]
    for (const body of pipe.written.push(bytes)) {
      const frame = parse(body)
      if (frame.hello) continue
      pipe.used += frame.messageBytes
      if (pipe.used > pipe.limit) throw new Error(`N-7: ${pipe.used} bytes sent of ${pipe.limit} granted`)
      if (frame.messageBytes > 64 * 1024 && frame.ids.length > 1) throw new Error('N-11: an overlong frame')
      for (const id of frame.ids) {
        const record = this.#byId.get(id)
        if (record === undefined) throw new Error('a message that nobody sent')
        record.framed += 1
        if (record.framed > 1) this.counts.retransmitted += 1
        if (record.framed > 1 && !record.resumed) throw new Error('N-8: a momentary message sent twice')
        if (record.at < this.#cutBefore[lane][side]) throw new Error('N-3: sent after the gap')
      }
    }
    if (!pipe.cut) pipe.bytes.push(bytes)
  }

  #creditArrives(toSender: Pipe, body: Uint8Array): void {
    toSender.limit = parse(body).limit
  }

  #delivered(side: Side, lane: Lane, kind: TestKind, body: Uint8Array): void {
    const id = new DataView(body.buffer, body.byteOffset).getUint32(0)
    const record = this.#byId.get(id)
    if (record === undefined) throw new Error('a message that nobody sent was delivered')
    if (record.deliveredAt > 0) throw new Error(`N-1: ${kind} ${id} was delivered twice`)
    if (record.id <= this.#lastDelivered[lane][side]) throw new Error(`N-1: ${kind} ${id} came late`)
    this.#lastDelivered[lane][side] = id
    record.deliveredAt = ++this.#order
    record.deliveredTo = this.#ends[side].process
    this.counts.delivered += 1
  }

  #checkBounds(): void {
    for (const side of SIDES) {
      const stats = this.#ends[side].link.stats()
      for (const lane of LANES) {
        const { queuedMessages, queuedBytes, unackedMessages, unackedBytes } = stats[lane]
        const bounds = SMALL_PARAMS[lane]
        const within =
          queuedMessages <= bounds.queueMessagesMax + bounds.unackedMessagesMax &&
          queuedMessages + unackedMessages <= bounds.queueMessagesMax + bounds.unackedMessagesMax &&
          queuedBytes + unackedBytes <= bounds.queueBytesMax + bounds.unackedBytesMax &&
          unackedBytes <= bounds.unackedBytesMax &&
          queuedBytes >= 0 &&
          unackedBytes >= 0
        if (!within) throw new Error(`N-5: ${JSON.stringify(stats[lane])}`)
      }
    }
  }

  /** Fresh streams, nothing new to send, and time: everything must come to rest (N-2, N-10). */
  #heal(): void {
    for (const lane of LANES) {
      this.#reconnect(lane)
      const stream = this.#streams[lane] as LaneStream
      for (const side of SIDES) if (!stream.attached[side]) this.#attach(side, lane, stream)
    }
    for (let round = 0; round < 400; round++) {
      this.#clock += 5
      for (const side of SIDES) {
        this.#tick(side)
        for (const lane of LANES) {
          this.#writable(side, lane)
          this.#carry(side, lane)
          this.#carry(side, lane)
        }
      }
    }
    for (const side of SIDES) {
      const stats = this.#ends[side].link.stats()
      for (const lane of LANES) {
        const { open, queuedMessages, unackedMessages, queuedBytes, unackedBytes } = stats[lane]
        if (!open || queuedMessages + unackedMessages + queuedBytes + unackedBytes > 0) {
          throw new Error(`N-10: not at rest: ${lane} of ${side}: ${JSON.stringify(stats[lane])}`)
        }
        if (this.#refused[lane][side]) throw new Error('N-6: room was never reported')
      }
    }
  }

  /**
   * N-2: of what did not arrive, the sender heard afterwards, and the receiver between the last message before it and
   * the first one after it; as far as they are still there and had met.
   */
  #checkNothingLost(): void {
    for (const lane of LANES) {
      for (const side of SIDES) {
        const all = this.sent[lane][side]
        for (const [i, record] of all.entries()) {
          if (!record.resumed || record.deliveredAt > 0) continue
          const { id, at, peer } = record
          const told = this.#gapBetween(record.process, lane, at, Infinity)
          if (this.#ends[side].process === record.process && !told) {
            throw new Error(`N-2: the sender never heard of the loss of ${id} on ${lane}`)
          }
          if ((this.#ends[1 - side] as End).process !== peer.process) continue
          const arrived = (each: Sent) => each.deliveredTo === peer.process
          const from = all.slice(0, i).findLast(arrived)?.deliveredAt ?? 0
          // To a receiver that has heard nothing yet, what a sender sends after a cut of its own is the beginning.
          if (from === 0 && (told || peer.end.openedAt[lane] > at)) continue
          const to = all.slice(i).find(arrived)?.deliveredAt ?? Infinity
          if (!this.#gapBetween(peer.process, lane, from, to)) {
            throw new Error(`N-2: the receiver never heard of the loss of ${id} on ${lane}`)
          }
        }
      }
    }
  }

  #gapBetween(process: number, lane: Lane, from: number, to: number): boolean {
    return this.#gaps.some((gap) => gap.process === process && gap.lane === lane && gap.at > from && gap.at < to)
  }
}

interface Parsed {
  readonly hello: boolean
  readonly limit: number
  readonly messageBytes: number
  readonly ids: readonly number[]
}

/** A second reading of the README's table, sharing no code with the first. */
function parse(body: Uint8Array): Parsed {
  let offset = 1
  const number = (): number => {
    let value = 0
    for (let scale = 1; ; scale *= 128) {
      const byte = body[offset++] ?? 0
      value += (byte % 128) * scale
      if (byte < 128) return value
    }
  }
  if (body[0] === 0) {
    for (let i = 0; i < 4; i++) number()
    return { hello: true, limit: number(), messageBytes: 0, ids: [] }
  }
  number()
  const limit = number()
  number()
  const messageBytes = body.length - offset
  const ids: number[] = []
  while (offset < body.length) {
    number()
    const length = number()
    ids.push(new DataView(body.buffer, body.byteOffset + offset).getUint32(0))
    offset += length
  }
  return { hello: false, limit, messageBytes, ids }
}
