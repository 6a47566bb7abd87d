import { type CellOperation, cellResultShape, decodeCellOperation } from '../../src/cell/index.ts'
import type { Outcome } from '../../src/consensus/index.ts'
import type { NodeId } from '../../src/kernel/index.ts'
import type { CellDesk } from '../../src/swarm/index.ts'
import { decode } from '../../src/wire/index.ts'
import { needed } from './group-proofs.ts'
import type { Model } from './model.ts'

interface Journal {
  epoch: number
  primary: NodeId
  inSync: readonly NodeId[]
}

/** A cell by the plain meaning of what it decides, with the voices for each change counted again (CE-2 to CE-8). */
export class CellModel implements Model<CellDesk> {
  readonly custodians: Set<NodeId>
  readonly #journals = new Map<string, Journal>()
  /** Greatest epoch that a journal of this name ever had (CE-4). */
  readonly #epochs = new Map<string, number>()
  readonly #voices = new Map<string, Set<NodeId>>()
  readonly counts = { came: 0, went: 0, configured: 0, takenOver: 0, refused: 0 }

  constructor(founders: readonly NodeId[]) {
    this.custodians = new Set(founders)
  }

  apply(client: NodeId, operation: Uint8Array, outcome: Outcome): string | undefined {
    if (outcome.kind !== 'applied') {
      this.counts.refused += 1
      return undefined
    }
    const decoded = decodeCellOperation(operation)
    if (!decoded.ok) return `bytes that are no operation were applied: ${decoded.error}`
    if (!this.custodians.has(client)) return `${client} is no custodian, and its word was taken (CE-2)`
    const result = decode(cellResultShape, outcome.result)
    if (!result.ok) return `a result that does not decode: ${result.error}`
    const isVoice = result.value.kind === 'voted'
    if (decoded.value.kind === 'custodians')
      return this.#change(decoded.value, client, Buffer.from(operation).toString('hex'), isVoice)
    const epoch = result.value.kind === 'configured' ? result.value.epoch : undefined
    return this.#onJournal(decoded.value, client, epoch)
  }

  difference({ state }: CellDesk): string | undefined {
    const held = state.custodians
      .rows()
      .map(({ key }) => key)
      .join(' ')
    const expected = [...this.custodians].sort().join(' ')
    if (held !== expected) return `custodians are ${held}, decided was ${expected}`
    const journals = state.journals
      .rows()
      .map(({ key, value }) => `${key} ${value.epoch} ${value.primary} ${value.inSync}`)
    const decided = [...this.#journals].map(
      ([key, { epoch, primary, inSync }]) => `${key} ${epoch} ${primary} ${[...inSync].sort()}`,
    )
    const wrong = journals.join('; ') !== decided.sort().join('; ')
    return wrong ? `journals are ${journals.join('; ')}, decided was ${decided.join('; ')}` : undefined
  }

  /** CE-3: carried by q of those who are custodians now, and by no fewer. */
  #change(
    { add, remove, lost }: Extract<CellOperation, { kind: 'custodians' }>,
    client: NodeId,
    motion: string,
    isVoice: boolean,
  ): string | undefined {
    // Who is no custodian when the next one speaks has no voice any more.
    const spoke = [...(this.#voices.get(motion) ?? []), client].filter((node) => this.custodians.has(node))
    const voices = new Set(spoke)
    this.#voices.set(motion, voices)
    const count = voices.size
    const isEnough = count >= needed(this.custodians.size)
    if (isVoice) return isEnough ? `${count} of ${this.custodians.size} voices did not carry a motion` : undefined
    if (!isEnough) return `${count} of ${this.custodians.size} voices carried a motion (CE-3)`
    this.#voices.delete(motion)
    for (const node of remove) {
      if (!this.custodians.delete(node)) return `${node} went, who was not there`
      this.counts.went += 1
      for (const [name, { inSync }] of [...this.#journals]) {
        if (!inSync.includes(node)) continue
        const isAlone = inSync.every((other) => remove.includes(other))
        if (!lost || !isAlone) return `${node} went, and the journal ${name} names it (CE-8)`
        this.#journals.delete(name)
      }
    }
    for (const node of add) this.custodians.add(node)
    this.counts.came += add.length
    return this.custodians.size === 0 ? 'nobody is left (CE-3)' : undefined
  }

  /** CE-4 to CE-7. */
  #onJournal(
    operation: Exclude<CellOperation, { kind: 'custodians' }>,
    client: NodeId,
    epoch: number | undefined,
  ): string | undefined {
    const { journal } = operation
    const before = this.#journals.get(journal)
    if (operation.kind === 'close') {
      if (before?.primary !== client) return `${client} closed ${journal}, whose primary is ${before?.primary}`
      this.#journals.delete(journal)
      return undefined
    }
    const primary = operation.kind === 'open' ? client : operation.primary
    const { inSync } = operation
    if (epoch === undefined || epoch <= (this.#epochs.get(journal) ?? 0))
      return `${journal} has epoch ${epoch} again (CE-4)`
    if (operation.kind === 'configure' && before?.epoch !== operation.expect) {
      return `${journal} was changed at epoch ${before?.epoch} by who knew ${operation.expect} (CE-5)`
    }
    if (!inSync.includes(primary) || inSync.some((node) => !this.custodians.has(node))) {
      return `${journal} is held by ${inSync.join(' ')}, its primary is ${primary} (CE-4)`
    }
    const isTakeOver = before !== undefined && operation.kind === 'configure' && before.primary !== client
    if (isTakeOver && (primary !== client || inSync.some((node) => !before.inSync.includes(node)))) {
      return `${client} took over ${journal}, and not for itself and those in sync (CE-7)`
    }
    if (isTakeOver) this.counts.takenOver += 1
    this.counts.configured += 1
    this.#epochs.set(journal, epoch)
    this.#journals.set(journal, { epoch, primary, inSync })
    return undefined
  }
}
