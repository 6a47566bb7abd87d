import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { makeAuthority } from '../../node/keys.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import type { Answer, NodeArguments, Question } from './renewal-node.ts'

/** Real processes with certificates of an hour, whose wall clocks are moved instead of waiting for hours. */

const PROGRAM = fileURLToPath(new URL('./renewal-node.ts', import.meta.url))
const MINUTE_MS = 60_000
/** After this much of an hour a certificate is due, whatever was drawn. */
const STEP_MS = 46 * MINUTE_MS
const BOUND_MS = 30_000

class TimedNode {
  readonly data: string
  aheadMs: number
  last: Answer
  readonly #child: ChildProcess

  private constructor(data: string, aheadMs: number, child: ChildProcess, last: Answer) {
    this.data = data
    this.aheadMs = aheadMs
    this.last = last
    this.#child = child
  }

  static async start(options: Partial<NodeArguments> = {}): Promise<TimedNode> {
    const { data = scratchDirectory(), aheadMs = 0 } = options
    const child = fork(PROGRAM, [JSON.stringify({ ...options, data, aheadMs })])
    children.add(child)
    const [first] = (await once(child, 'message')) as [Answer]
    if (first.failed !== undefined) throw new Error(first.failed)
    return new TimedNode(data, aheadMs, child, first)
  }

  get node(): string {
    return this.last.status.node
  }

  get expiresAt(): number {
    return Date.parse(this.last.status.certificateExpiresAt)
  }

  async ask(question: Question): Promise<Answer> {
    const answered = once(this.#child, 'message')
    this.#child.send(question)
    const [answer] = (await answered) as [Answer]
    this.last = answer
    return answer
  }

  async advance(): Promise<void> {
    this.aheadMs += STEP_MS
    await this.ask({ ask: 'advance', ms: STEP_MS })
  }

  /** Waits until its certificate is a fresh one again. */
  async renewed(): Promise<void> {
    await eventually(
      'the certificate to be renewed',
      async () => {
        const { wallNow } = await this.ask({ ask: 'status' })
        return this.expiresAt - wallNow > 58 * MINUTE_MS
      },
      BOUND_MS,
    )
  }

  async sees(other: TimedNode): Promise<void> {
    const what = `${this.node} to see ${other.node}`
    await eventually(what, async () => (await this.ask({ ask: 'status' })).alive.includes(other.node), BOUND_MS)
  }

  async ticket(): Promise<string> {
    return (await this.ask({ ask: 'ticket' })).ticket ?? ''
  }

  async stop(): Promise<void> {
    const gone = once(this.#child, 'exit')
    const { addresses } = this.last.status
    await this.ask({ ask: 'stop' })
    this.last = { ...this.last, status: { ...this.last.status, addresses } }
    this.#child.kill('SIGKILL')
    await gone
  }

  /** The same node in a new process, where it was and at the same time of its clock. */
  again(ticket?: string): Promise<TimedNode> {
    const listen = this.last.status.addresses[0]?.replace(/\/p2p\/.*/, '') ?? ''
    const joining = ticket === undefined ? {} : { join: ticket }
    return TimedNode.start({ data: this.data, aheadMs: this.aheadMs, listen, ...joining })
  }
}

const children = new Set<ChildProcess>()

afterEach(() => {
  for (const child of children) child.kill('SIGKILL')
  children.clear()
})

async function pair(): Promise<{ founder: TimedNode; member: TimedNode; ticket: string }> {
  const founder = await TimedNode.start()
  const ticket = await founder.ticket()
  const member = await TimedNode.start({ join: ticket })
  await Promise.all([founder.sees(member), member.sees(founder)])
  return { founder, member, ticket }
}

it('G-10 G-11 certificates are renewed while nodes run, over one connection, and after a restart', async () => {
  const { founder, member } = await pair()
  const both = [founder, member]
  const admissions = both.map(({ last }) => last.admissions)
  for (let hours = 0; hours < 3; hours++) {
    // The founder first: what it signs by a clock that is behind leaves the member due, rightly, and it asks again.
    for (const node of both) await node.advance()
    await Promise.all(both.map((node) => node.renewed()))
  }
  // More than two lives later: nobody had to be let in anew, and nobody was in doubt.
  await Promise.all([founder.sees(member), member.sees(founder)])
  expect(both.map(({ last }) => last.admissions)).toEqual(admissions)
  for (const { last } of both) {
    expect(last.events.filter(({ kind }) => kind === 'renewed')).toHaveLength(3)
    expect(last.events.filter(({ kind }) => kind === 'member-down' || kind === 'renewal-refused')).toEqual([])
  }
  expect(member.last.events.findLast(({ kind }) => kind === 'renewed')).toMatchObject({ by: founder.node })

  // G-6: what it used is what its disk holds; its first certificate has ended long ago.
  const { expiresAt } = member
  await member.stop()
  const returned = await member.again()
  expect(returned.expiresAt).toBe(expiresAt)
  await Promise.all([founder.sees(returned), returned.sees(founder)])
}, 120_000)

it('G-14 the certificate of a node of an organisation that the council decided is renewed by who holds its key', async () => {
  const founder = await TimedNode.start()
  const data = scratchDirectory()
  const { node: key } = makeAuthority(data)
  const issuer = await TimedNode.start({ data, join: await founder.ticket() })
  await Promise.all([founder.sees(issuer), issuer.sees(founder)])
  expect(await issuer.ticket()).toBe('')
  await founder.ask({ ask: 'organisation', name: 'globex', key })
  const ticket = await eventually('the issuer to know', async () => (await issuer.ticket()) || undefined, BOUND_MS)
  const guest = await TimedNode.start({ join: ticket })
  const all = [founder, issuer, guest]
  await Promise.all(all.flatMap((one) => all.filter((other) => other !== one).map((other) => one.sees(other))))
  for (const node of all) await node.advance()
  await Promise.all(all.map((node) => node.renewed()))
  const by = (node: TimedNode) => node.last.events.findLast(({ kind }) => kind === 'renewed')
  expect(by(guest)).toMatchObject({ by: issuer.node })
  expect(by(issuer)).toMatchObject({ by: founder.node })
  await Promise.all([founder.sees(guest), guest.sees(founder)])
  expect(guest.last.events.filter(({ kind }) => kind === 'member-down')).toEqual([])
}, 120_000)

it('G-12 an issuer that was away renews its own certificate and that of who has waited for it', async () => {
  const { founder, member } = await pair()
  await founder.stop()
  founder.aheadMs += STEP_MS
  await member.advance()
  const back = await founder.again()
  expect(back.expiresAt - back.last.wallNow).toBeGreaterThan(58 * MINUTE_MS)
  await member.renewed()
  expect(member.last.events.filter(({ kind }) => kind === 'renewed')).toMatchObject([{ by: founder.node }])
}, 120_000)

it('U-7 a ticket re-certifies in time; one that is of no use keeps nobody from starting', async () => {
  const { founder, member, ticket } = await pair()
  const { expiresAt } = member
  await member.stop()
  const early = await member.again(ticket)
  expect(early.expiresAt).toBe(expiresAt)
  await early.stop()

  early.aheadMs += STEP_MS
  await founder.advance()
  const certified = await early.again(ticket)
  expect(certified.expiresAt - certified.last.wallNow).toBeGreaterThan(58 * MINUTE_MS)
  await certified.stop()

  certified.aheadMs += STEP_MS
  await founder.stop()
  const stranded = await certified.again(ticket)
  expect(stranded.expiresAt).toBe(certified.expiresAt)
  await stranded.stop()

  stranded.aheadMs += STEP_MS
  await expect(stranded.again()).rejects.toThrow('CERTIFICATE_EXPIRED')
}, 120_000)
