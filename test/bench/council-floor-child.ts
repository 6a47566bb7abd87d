import { createPublicKey, generateKeyPairSync, type KeyObject, sign, verify } from 'node:crypto'
import * as fs from 'node:fs'
import type { Stream } from '@libp2p/interface'
import { peerIdFromString } from '@libp2p/peer-id'
import { multiaddr } from '@multiformats/multiaddr'
import { startLinkNode } from '../e2e/link-node.ts'
import type { FloorChildMessage, FloorMember, FloorParentMessage } from './council-floor.ts'

/**
 * One member of the exchange of council-floor.ts. All messages are frames of one size:
 *
 *     0 phase · 1 sender's seat · 2 round u32 · 6 content · 192 Ed25519 signature (64)
 */
const EXCHANGE = '/bench/exchange/1'
const FRAME_BYTES = 256
const SIGNED_BYTES = FRAME_BYTES - 64
const PROPOSE = 1
const PREPARE = 2
const COMMIT = 3
/** Records go over others, in space that is the file's already: a sync needs no metadata then. */
const RECORDS_COUNT = 4_096

const [seatText, sizeText, costs, path = ''] = process.argv.slice(2)
const self = Number(seatText)
const size = Number(sizeText)
const proposer = 0
const quorum = Math.ceil((size + Math.floor((size - 1) / 3) + 1) / 2)
const isWhole = costs === 'whole'
const { privateKey, publicKey } = generateKeyPairSync('ed25519')
const disk = isWhole ? openDisk() : undefined
const keys: KeyObject[] = []
const streams = new Map<number, Stream>()

let recordsCount = 0
let round = 0
let prepares: Uint8Array[] = []
let commits: Uint8Array[] = []
/** Own votes count once they are on disk. */
let prepared = false
let committing = false
let committed = false
let decided: () => void = () => {}

const node = await startLinkNode({
  kinds: {},
  attach: false,
  handler: { onOpen() {}, onFailed() {}, onMessage() {}, onRoom() {}, onGap() {}, onPenalty() {} },
})
/** By whom: which seat that is, the parent tells later. */
const inbound = new Map<string, Stream>()
let onInbound: () => void = () => {}
await node.libp2p.handle(EXCHANGE, (stream, connection) => {
  inbound.set(connection.remotePeer.toString(), stream)
  listen(stream)
  onInbound()
})
process.on('message', (message: FloorParentMessage) => {
  if (message.kind === 'meet') void meet(message.members).then(() => say({ kind: 'met' }))
  else void propose(message.rounds).then((timesMs) => say({ kind: 'times', timesMs }))
})
process.on('disconnect', () => process.exit(0))
const key = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
say({ kind: 'here', member: { id: node.id, address: node.address, key } })

/** One stream with each of the others, opened by the lower seat. */
async function meet(members: readonly FloorMember[]): Promise<void> {
  for (const { key } of members) {
    keys.push(createPublicKey({ key: Buffer.from(key, 'base64'), format: 'der', type: 'spki' }))
  }
  for (const [seat, { id, address }] of members.entries()) {
    if (seat <= self) continue
    await node.libp2p.dial(multiaddr(address))
    const stream = await node.libp2p.dialProtocol(peerIdFromString(id), EXCHANGE)
    listen(stream)
    streams.set(seat, stream)
  }
  while (inbound.size < self) await new Promise<void>((resolve) => (onInbound = resolve))
  for (const [seat, { id }] of members.entries()) {
    const stream = inbound.get(id)
    if (stream !== undefined) streams.set(seat, stream)
  }
}

function listen(stream: Stream): void {
  let rest: Uint8Array = new Uint8Array(0)
  stream.addEventListener('message', ({ data }) => {
    const bytes = data.subarray()
    rest = rest.length === 0 ? bytes : Buffer.concat([rest, bytes])
    for (; rest.length >= FRAME_BYTES; rest = rest.subarray(FRAME_BYTES)) receive(rest.subarray(0, FRAME_BYTES))
  })
}

/** So many rounds, one after the other; milliseconds of each. */
async function propose(rounds: number): Promise<readonly number[]> {
  const times: number[] = []
  for (let i = 0; i < rounds; i++) {
    const startedAt = performance.now()
    await new Promise<void>((resolve) => {
      decided = resolve
      enter(round + 1)
      // The client's request, which the proposal shows.
      if (isWhole) sign(null, new Uint8Array(SIGNED_BYTES), privateKey)
      const proposal = frameOf(PROPOSE)
      durable(proposal, () => {
        prepared = true
        for (const seat of streams.keys()) send(seat, proposal)
        count()
      })
    })
    times.push(performance.now() - startedAt)
  }
  return times
}

function enter(next: number): void {
  round = next
  prepares = []
  commits = []
  prepared = false
  committing = false
  committed = false
}

function receive(frame: Uint8Array): void {
  const at = new DataView(frame.buffer, frame.byteOffset).getUint32(2)
  if (at < round) return
  if (at > round) enter(at)
  if (frame[0] === PROPOSE) {
    // The proposer's signature, which is its prepare, and the client's. What is checked already counts first.
    check(frame)
    check(frame)
    prepares.unshift(frame)
    const prepare = frameOf(PREPARE)
    durable(prepare, () => {
      for (const seat of streams.keys()) send(seat, prepare)
      if (at !== round) return
      prepared = true
      count()
    })
    return
  }
  if (frame[0] === COMMIT) commits.push(frame)
  else prepares.push(frame)
  count()
}

function count(): void {
  if (prepared && !committing && prepares.length + 1 >= quorum) {
    committing = true
    // The proposal among them has been checked.
    for (const frame of prepares.slice(0, quorum - 1)) if (frame[0] !== PROPOSE) check(frame)
    const at = round
    const commit = frameOf(COMMIT)
    durable(commit, () => {
      if (self !== proposer) send(proposer, commit)
      if (at !== round) return
      committed = true
      count()
    })
  } else if (self === proposer && committed && commits.length + 1 >= quorum) {
    committed = false
    for (const frame of commits.slice(0, quorum - 1)) check(frame)
    decided()
  }
}

function frameOf(phase: number): Uint8Array {
  const frame = new Uint8Array(FRAME_BYTES)
  frame[0] = phase
  frame[1] = self
  new DataView(frame.buffer).setUint32(2, round)
  if (isWhole) frame.set(sign(null, frame.subarray(0, SIGNED_BYTES), privateKey), SIGNED_BYTES)
  return frame
}

function check(frame: Uint8Array): void {
  if (!isWhole) return
  const key = keys[frame[1] ?? size]
  const isGood = key !== undefined && verify(null, frame.subarray(0, SIGNED_BYTES), key, frame.subarray(SIGNED_BYTES))
  if (!isGood) throw new Error('a signature of the exchange is not good')
}

function send(seat: number, frame: Uint8Array): void {
  streams.get(seat)?.send(frame)
}

function openDisk(): number {
  const file = fs.openSync(path, fs.constants.O_RDWR | fs.constants.O_CREAT | fs.constants.O_DSYNC)
  fs.writeSync(file, new Uint8Array(FRAME_BYTES * RECORDS_COUNT))
  return file
}

function durable(record: Uint8Array, done: () => void): void {
  if (disk === undefined) {
    done()
    return
  }
  const at = (recordsCount++ % RECORDS_COUNT) * FRAME_BYTES
  fs.write(disk, record, 0, FRAME_BYTES, at, (error) => {
    if (error !== null) throw error
    done()
  })
}

function say(message: FloorChildMessage): void {
  process.send?.(message)
}
