import { type Addressed, CONSENSUS_BODIES, type GroupId, KIND_OF_MESSAGE, type Message } from '../consensus/index.ts'
import { err, ok, type Result } from '../kernel/index.ts'
import { decode, encode, rulesOf, type Shape } from '../wire/index.ts'

type Carried = Result<Message, string>

/** What links and codec do to a message between two processes, once however many receive it. */
export class Parcel {
  readonly sent: Message | Uint8Array
  readonly #group: GroupId
  #carried: Carried | undefined

  /** `whole`: what goes in comes out, without having been bytes (BZ-2). */
  constructor(sent: Message | Uint8Array, group: GroupId, whole: boolean) {
    this.sent = sent
    this.#group = group
    if (whole && !(sent instanceof Uint8Array)) this.#carried = ok(sent)
  }

  /** The message as its receivers hold it, or why their codec refuses it. */
  open(): Carried {
    this.#carried ??= this.sent instanceof Uint8Array ? read(this.sent, 'consensus.vote') : this.#through(this.sent)
    return this.#carried
  }

  #through(message: Message): Carried {
    const kind = KIND_OF_MESSAGE[message.kind]
    const bytes = encode(CONSENSUS_BODIES[kind] as Shape<Addressed>, { group: this.#group, message })
    if (bytes.length > rulesOf(kind).bytesMax) return err(`${kind} has ${bytes.length} bytes`)
    return read(bytes, kind)
  }
}

function read(bytes: Uint8Array, kind: keyof typeof CONSENSUS_BODIES): Carried {
  const decoded = decode(CONSENSUS_BODIES[kind] as Shape<Addressed>, bytes)
  return decoded.ok ? ok(decoded.value.message) : decoded
}
