import { describe, expect, it } from 'vitest'
import { statusOf } from '../../node/spawn-daemon.ts'
import { runCommand } from '../support/command-line.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { TestDaemon } from './harness.ts'

const SEEN_MS = 30_000

/** A ticket for one that works, and does not come into the council by itself. */
async function workerTicket(by: TestDaemon): Promise<string> {
  const { code, stdout, stderr } = await by.command('ticket', 'create', '--role', 'worker')
  expect(stderr).not.toContain('[')
  expect(code).toBe(0)
  return stdout.trim()
}

async function decideOrganisation(by: TestDaemon, ...flags: readonly string[]): Promise<void> {
  const { code, stderr } = await by.command('council', 'propose', 'org', '--name', 'globex', ...flags)
  expect(stderr).not.toContain('[')
  expect(code).toBe(0)
}

async function gone(from: TestDaemon, node: string): Promise<void> {
  await eventually(
    `${node} to be dead to ${from.node}`,
    async () => (await from.peers()).find((peer) => peer.node === node)?.state === 'dead',
    SEEN_MS,
  )
}

describe('an organisation that the council decided', () => {
  it('GR-8 admits its nodes where its key is, and they are members to all, until its key is withdrawn', async () => {
    const founder = await TestDaemon.start()
    const ticket = await workerTicket(founder)
    const bystander = await TestDaemon.start({ join: ticket })
    const data = scratchDirectory()
    const { stdout: made, code } = await runCommand(['authority', 'create', '--data', data])
    expect(code).toBe(0)
    const key = made.trim()
    const issuer = await TestDaemon.start({ data, join: ticket })
    await issuer.sees([founder, bystander])

    // The key says nothing before the council says so; the issuer only follows its decisions.
    const early = await issuer.command('ticket', 'create')
    expect(early).toMatchObject({ code: 6, stderr: expect.stringContaining('[NOT_AUTHORITY]') })
    expect(early.stderr).toContain(`council propose org --name NAME --key ${key} --seats N`)
    await decideOrganisation(founder, '--key', key, '--seats', '2')
    const theirs = await eventually('the issuer to know', async () => {
      const { code: done, stdout } = await issuer.command('ticket', 'create', '--role', 'worker')
      return done === 0 ? stdout.trim() : undefined
    })

    const guest = await TestDaemon.start({ join: theirs })
    const all = [founder, bystander, issuer, guest]
    const allSee = async () => {
      await Promise.all(all.map((daemon) => daemon.sees(all.filter((other) => other.node !== daemon.node))))
    }
    await allSee()

    // It comes back by what its log says of the council.
    await guest.stop()
    const again = await TestDaemon.start({ data: guest.data })
    all[3] = again
    await allSee()

    // It ends a membership that it has given, and no other.
    const expelled = await TestDaemon.start({ join: theirs })
    await expelled.sees(all)
    const revoke = async (node: string, ...flags: readonly string[]) => {
      return await issuer.command('council', 'propose', 'revoke', '--node', node, ...flags)
    }
    expect(await revoke(bystander.node)).toMatchObject({ code: 6, stderr: expect.stringContaining('[UNAUTHORISED]') })
    for (const node of [bystander.node, expelled.node]) expect((await revoke(node, '--org', 'globex')).code).toBe(0)
    await Promise.all(all.map((daemon) => gone(daemon, expelled.node)))
    await allSee()
    await expelled.kill()
    const returned = await TestDaemon.start({ data: expelled.data, join: await workerTicket(founder) })
    expect(returned.node).toBe(expelled.node)
    all.push(returned)
    await allSee()

    await decideOrganisation(founder, '--dissolve')
    await Promise.all([founder, bystander, issuer].map((daemon) => gone(daemon, again.node)))
    const closed = await issuer.command('ticket', 'create')
    expect(closed).toMatchObject({ code: 6, stderr: expect.stringContaining('was withdrawn from globex') })

    // Cut off as it is, it hears why from who decides; with a ticket of another organisation it is back, as the same node.
    await eventually('it to hear why', () => again.running.output.stderr.includes('has withdrawn the key'), SEEN_MS)
    expect((await statusOf(again.socket))?.state).toBe('unvouched')
    expect(await again.command('council', 'propose', 'tenant', '--name', 't', '--weight', '1')).toMatchObject({
      code: 6,
      stderr: expect.stringMatching(/was withdrawn, .*\[AUTHORITY_WITHDRAWN\]/),
    })
    await again.kill()
    const back = await TestDaemon.start({ data: guest.data, join: await workerTicket(founder) })
    all[3] = back
    expect(back.node).toBe(guest.node)
    await allSee()
  })
})
