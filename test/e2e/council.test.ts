import { rm } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { statusOf } from '../../node/spawn-daemon.ts'
import { openNodeLog } from '../../src/storage/index.ts'
import { decodeNodeRecord } from '../../src/swarm/records.ts'
import type { Ran, Running } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { council, decided, ENV, governed, propose, SEEN_MS, seated } from './council-daemons.ts'
import { startDaemonCommand, TestDaemon, takePort } from './harness.ts'

async function revoke(by: TestDaemon, node: string): Promise<void> {
  expect((await by.command('council', 'propose', 'revoke', '--node', node)).code).toBe(0)
}

async function cutOff(from: TestDaemon, node: string): Promise<void> {
  await eventually(
    `${node} to be dead to ${from.node}`,
    async () => {
      return (await from.peers()).find((peer) => peer.node === node)?.state === 'dead'
    },
    SEEN_MS,
  )
}

/** How it ended; 'a member' if it came up instead. */
async function endedOrJoined({ ended }: Running, { socket }: TestDaemon): Promise<Ran | 'a member'> {
  let ran: Ran | undefined
  void ended.then((end) => {
    ran = end
  })
  return eventually('it to end or to come up', async () => ran ?? ((await statusOf(socket)) && 'a member'), SEEN_MS)
}

async function metric(port: number, name: string): Promise<number> {
  const text = await fetch(`http://127.0.0.1:${port}/metrics`).then(
    (response) => response.text(),
    () => '',
  )
  const line = text.split('\n').find((one) => one.startsWith(name))
  return Number(line?.split(' ').at(-1) ?? 0)
}

/** Handshakes in which the node with this endpoint was told that it is revoked. */
const refusals = (port: number) => metric(port, 'swarm_node_network_refused_by_peers_total{code="CERTIFICATE_REVOKED"}')

describe('the council of a swarm of processes', () => {
  it('forms by itself, decides for all, goes on without its primary, and remembers all of it after a restart', async () => {
    const { nodes, listen } = await governed(4)
    const [founder] = nodes
    if (founder === undefined) throw new Error('a founder was asked for')
    await propose(founder, 'gold')
    await Promise.all(nodes.map((daemon) => decided(daemon, 'gold')))

    const { primary, height } = await council(founder)
    const late = await founder.command(
      'council',
      'propose',
      'tenant',
      '--name',
      'gold',
      '--weight',
      '3',
      '--expect',
      '0',
    )
    expect(late).toMatchObject({ code: 1, stderr: expect.stringContaining('[STALE]') })
    // What is refused from the start costs no decision.
    expect((await council(founder)).height).toBe(height)
    const victim = nodes.find(({ node }) => node === primary && node !== founder.node) ?? nodes[1]
    if (victim === undefined) throw new Error('somebody else is there')
    await victim.kill()
    await propose(founder, 'silver')
    const rest = nodes.filter((daemon) => daemon !== victim)
    await Promise.all(rest.map((daemon) => decided(daemon, 'silver')))

    await Promise.all(rest.map((daemon) => daemon.stop()))
    const again = await Promise.all(
      nodes.map(({ data }, i) => TestDaemon.start({ data, env: ENV, listen: listen[i] ?? '' })),
    )
    await Promise.all(again.map((daemon) => decided(daemon, 'silver')))
    const [first] = again
    if (first === undefined) throw new Error('the founder is back')
    await propose(first, 'bronze')
    await Promise.all(again.map((daemon) => decided(daemon, 'bronze')))
  })

  it('whom it revokes is disconnected everywhere, and neither its certificate nor its ticket brings it back', async () => {
    const { nodes, ticket } = await governed(4)
    const [founder, other, last, revoked] = nodes
    if (!founder || !other || !last || !revoked) throw new Error('four were asked for')
    // For good, so it is not done by a slip, and its own node is where nobody would hear of it.
    const own = await founder.command('council', 'propose', 'revoke', '--node', founder.node)
    expect(own).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(/is this very node.*authority key.*\[UNSAFE_CHANGE\]/),
    })
    // Elsewhere it may be meant; but nobody else can let anybody in.
    const ofFounder = ['council', 'propose', 'revoke', '--node', founder.node]
    expect(await other.command(...ofFounder)).toMatchObject({
      code: 1,
      stderr: expect.stringMatching(
        /the only member that is up and holds an authority key of .*--force.*\[UNSAFE_CHANGE\]/,
      ),
    })
    expect(await other.command(...ofFounder, '--force')).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/1 of 3 voices/),
    })
    expect(
      await founder.command('council', 'propose', 'tenant', '--name', 't', '--weight', '1', '--force'),
    ).toMatchObject({
      code: 2,
    })
    await revoke(founder, revoked.node)
    await Promise.all([founder, other, last].map((daemon) => cutOff(daemon, revoked.node)))
    await eventually('the revoked node to know', async () => (await statusOf(revoked.socket))?.state === 'revoked')
    await seated(founder, 3)
    for (const command of ['council propose tenant --name late --weight 1', 'ticket create']) {
      const ran = await revoked.command(...command.split(' '))
      expect(ran).toMatchObject({
        code: 6,
        stderr: expect.stringMatching(/revoked this node.*\[CERTIFICATE_REVOKED\]/),
      })
    }

    await revoked.kill()
    // It says so, and leaves nobody waiting for it to be as others are.
    const back = await revoked.command('start', '--profile', 'local', '--detach')
    expect(back).toMatchObject({ code: 0, stdout: expect.stringContaining('the council has revoked this node') })
    expect((await statusOf(revoked.socket))?.state).toBe('revoked')
    await Promise.all([founder, other, last].map((daemon) => cutOff(daemon, revoked.node)))
    expect((await revoked.command('stop')).code).toBe(0)
    await rm(join(revoked.data, 'store'), { recursive: true })
    const again = startDaemonCommand({ data: revoked.data, join: ticket, env: ENV })
    const rejoined = await endedOrJoined(again, revoked)
    expect(rejoined).toMatchObject({ code: 6, stderr: expect.stringContaining('[CERTIFICATE_REVOKED]') })
  })

  it('whom it revokes while it is away is refused at the handshake when it comes back', async () => {
    const { nodes } = await governed(4)
    const [founder, , , away] = nodes
    if (!founder || !away) throw new Error('four were asked for')
    await away.kill()
    await revoke(founder, away.node)
    // Whoever has not heard of it yet would let it in, and cut it off a moment later.
    const { height } = await council(founder)
    for (const node of nodes.slice(0, 3)) {
      await eventually('everybody to know', async () => (await council(node)).height >= height, SEEN_MS)
    }
    const { port, release } = await takePort()
    await release()
    startDaemonCommand({ data: away.data, env: ENV, args: ['--http', `127.0.0.1:${port}`] })
    // At the handshake, and not only by those who have linked to it and then think better of it.
    await eventually('it to be refused', async () => (await refusals(port)) > 0, SEEN_MS)
    await eventually('it to find out', async () => (await statusOf(away.socket))?.state === 'revoked', SEEN_MS)
    expect(await metric(port, 'swarm_node_network_muxers_total')).toBe(0)
    expect((await founder.peers()).find((peer) => peer.node === away.node)?.state).not.toBe('alive')
  })

  it('refuses what may not be with a code that says what to do, and decides nothing of it', async () => {
    const founder = await TestDaemon.start()
    const { stdout: ticket } = await founder.command('ticket', 'create', '--role', 'worker')
    const worker = await TestDaemon.start({ join: ticket.trim() })
    await propose(founder, 'gold')
    const { height, revision } = await council(founder)
    const { node } = founder
    const cases: readonly (readonly [TestDaemon, readonly string[], number, string])[] = [
      [worker, ['tenant', '--name', 'silver', '--weight', '1'], 6, 'UNAUTHORISED'],
      [worker, ['revoke', '--node', node], 6, 'UNAUTHORISED'],
      [founder, ['tenant', '--name', 'silver', '--weight', '0'], 2, 'BAD_REQUEST'],
      [founder, ['tenant', '--name', '-silver', '--weight', '1'], 2, 'BAD_REQUEST'],
      [founder, ['tenant', '--name', 'x'.repeat(65), '--weight', '1'], 2, 'BAD_REQUEST'],
      [founder, ['org', '--name', 'beta', '--key', worker.node.slice(1), '--seats', '1'], 2, 'BAD_REQUEST'],
      [founder, ['org', '--name', 'beta', '--seats', '1'], 2, 'BAD_USAGE'],
      [founder, ['org', '--name', 'beta', '--dissolve'], 1, 'NOT_FOUND'],
      [founder, ['validator', '--add', 'nobody'], 1, 'NOT_FOUND'],
      [
        founder,
        ['validator', '--add', worker.node.replace(/.$/, (last) => (last === 'A' ? 'B' : 'A'))],
        1,
        'NOT_FOUND',
      ],
      [founder, ['validator', '--add', worker.node], 6, 'CERTIFICATE_INVALID'],
      [founder, ['validator', '--remove', worker.node], 1, 'NOT_FOUND'],
      [founder, ['validator', '--remove', node], 1, 'UNSAFE_CHANGE'],
      [founder, ['validator'], 2, 'BAD_REQUEST'],
      [founder, ['revoke', '--node', node], 1, 'UNSAFE_CHANGE'],
      [founder, ['parameter', '--name', 'council.sizeMax', '--value', '65'], 2, 'BAD_REQUEST'],
      [founder, ['parameter', '--name', 'no.such', '--value', '1'], 2, 'BAD_REQUEST'],
      [founder, ['tenant', '--name', 'gold', '--weight', '3', '--expect', '0'], 1, 'STALE'],
      [founder, ['tenant', '--name', 'gold', '--weight', '2'], 1, 'ALREADY_SO'],
      [founder, ['role', '--tenant', 'iron', '--subject', 'x', '--role', 'admin'], 1, 'NOT_FOUND'],
      [founder, ['override', '--subject', 'x', '--action', 'stop', '--ttl', '0s'], 1, 'NOT_FOUND'],
    ]
    for (const [daemon, flags, code, word] of cases) {
      const ran = await daemon.command('council', 'propose', ...flags)
      expect([flags, ran.code, ran.stdout]).toEqual([flags, code, ''])
      expect([flags, ran.stderr]).toEqual([flags, expect.stringContaining(`[${word}]`)])
    }
    expect(await council(founder)).toMatchObject({ height, revision })
  })

  it('a validator whose log is lost abstains, says so, and votes again', async () => {
    const { nodes, ticket } = await governed(4)
    const [founder, lost] = nodes
    if (founder === undefined || lost === undefined) throw new Error('four were asked for')
    await lost.kill()
    await rm(join(lost.data, 'store'), { recursive: true })
    const again = await TestDaemon.start({ data: lost.data, join: ticket, env: ENV })
    expect(again.node).toBe(lost.node)
    await eventually('it to say so', () => again.running.output.stderr.includes('this member does not vote until'))
    await propose(founder, 'gold')
    await eventually('it to vote again', async () => {
      await propose(founder, `t${Math.random()}`.replace('.', ''))
      return (await council(again)).members.find(({ node }) => node === again.node)?.state === 'voting'
    })
    // A crash at any moment leaves the doubt, or the absence of a genesis by which it is known.
    await again.stop()
    const { records, close } = await openNodeLog(join(lost.data, 'store'))
    await close()
    const kinds = records
      .map((bytes) => decodeNodeRecord(bytes))
      .map((entry) => {
        return entry.ok && entry.value.kind === 'group' ? entry.value.record.kind : entry.ok && entry.value.kind
      })
    expect(kinds.slice(0, kinds.indexOf('genesis'))).toEqual(['suspect', 'suspect'])
  })
})
