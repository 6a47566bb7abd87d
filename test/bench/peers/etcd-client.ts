import { type ClientHttp2Session, connect, constants } from 'node:http2'

/*
 * The three calls that the bench needs, as gRPC without a library for it: one HTTP/2 request each, whose body is five
 * bytes of prefix and a protobuf message. The client runs on the same cores as etcd, so it should cost little.
 */

const PUT = '/etcdserverpb.KV/Put'
const STATUS = '/etcdserverpb.Maintenance/Status'
const PREFIX_BYTES = 5

/** Fields of `StatusResponse` and its `ResponseHeader`, etcd's rpc.proto. */
const HEADER = 1
const HEADER_MEMBER_ID = 2
const STATUS_LEADER = 4

export interface EtcdStatus {
  readonly member: bigint
  /** 0 while there is none. */
  readonly leader: bigint
}

/** One connection to one member; any number of calls at once. */
export class EtcdClient {
  readonly #session: ClientHttp2Session

  constructor(port: number) {
    this.#session = connect(`http://127.0.0.1:${port}`)
    // Every call tells of it; a session without a listener would end the process.
    this.#session.on('error', () => undefined)
  }

  /** The bytes of a put, to be sent as often as one likes. */
  static putOf(key: Uint8Array, value: Uint8Array): Buffer {
    return framed(Buffer.concat([lengthDelimited(1, key), lengthDelimited(2, value)]))
  }

  /**
   * Settles once a majority has it on disk.
   *
   * @throws Error when the member refuses, is gone, or has no leader
   */
  async put(request: Buffer): Promise<void> {
    await this.#call(PUT, request)
  }

  async status(): Promise<EtcdStatus> {
    const answer = fieldsOf(await this.#call(STATUS, framed(Buffer.alloc(0))))
    const header = answer.get(HEADER)
    const member = header instanceof Uint8Array ? fieldsOf(header).get(HEADER_MEMBER_ID) : undefined
    const leader = answer.get(STATUS_LEADER) ?? 0n
    if (typeof member !== 'bigint' || typeof leader !== 'bigint') throw new Error('etcd answered with something else')
    return { member, leader }
  }

  close(): void {
    this.#session.destroy()
  }

  #call(path: string, body: Buffer): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      const stream = this.#session.request({
        [constants.HTTP2_HEADER_METHOD]: 'POST',
        [constants.HTTP2_HEADER_PATH]: path,
        [constants.HTTP2_HEADER_CONTENT_TYPE]: 'application/grpc',
        [constants.HTTP2_HEADER_TE]: 'trailers',
      })
      const chunks: Buffer[] = []
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('close', () => {
        const answer = Buffer.concat(chunks)
        // A refusal has trailers only.
        if (answer.length >= PREFIX_BYTES) resolve(answer.subarray(PREFIX_BYTES))
        else reject(new Error('etcd refused the call'))
      })
      stream.end(body)
    })
  }
}

function framed(message: Buffer): Buffer {
  const prefix = Buffer.alloc(PREFIX_BYTES)
  prefix.writeUInt32BE(message.length, 1)
  return Buffer.concat([prefix, message])
}

function lengthDelimited(field: number, bytes: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from([(field << 3) | 2]), varint(bytes.length), bytes])
}

function varint(value: number): Buffer {
  const bytes: number[] = []
  for (let rest = value; ; rest >>>= 7) {
    if (rest < 0x80) return Buffer.from([...bytes, rest])
    bytes.push((rest & 0x7f) | 0x80)
  }
}

/** The last value of each field; enough for answers without lists. */
function fieldsOf(message: Uint8Array): ReadonlyMap<number, bigint | Uint8Array> {
  const fields = new Map<number, bigint | Uint8Array>()
  let at = 0
  const next = (): bigint => {
    let value = 0n
    for (let shift = 0n; ; shift += 7n) {
      const byte = BigInt(message[at++] ?? 0)
      value |= (byte & 0x7fn) << shift
      if (byte < 0x80n) return value
    }
  }
  while (at < message.length) {
    const tag = Number(next())
    const value = next()
    if ((tag & 7) === 0) fields.set(tag >> 3, value)
    else if ((tag & 7) === 2) {
      fields.set(tag >> 3, message.subarray(at, at + Number(value)))
      at += Number(value)
    } else throw new Error('etcd answered with something else')
  }
  return fields
}
