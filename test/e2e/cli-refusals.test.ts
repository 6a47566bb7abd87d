import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { createSigner, issueTicket, KeyPair, parseTicket, ticketText } from '../../src/identity/index.ts'
import type { WallMillis } from '../../src/kernel/index.ts'
import { runCommand } from '../support/command-line.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { startDaemonCommand, startSwarm, TestDaemon, takePort } from './harness.ts'

/** Starts that must not succeed: the code, the exit code, and a sentence that says what to do. */

const HOUR_MS = 3_600_000

async function refused(options: Parameters<typeof startDaemonCommand>[0]) {
  const ran = await startDaemonCommand({ ...options, args: [...(options.args ?? []), '--json'] }).ended
  return {
    code: ran.code,
    error: JSON.parse(ran.stdout).error as { code: string; message: string },
    stderr: ran.stderr,
  }
}

describe('tickets', () => {
  it('one that is no ticket', async () => {
    const { code, error } = await refused({ data: scratchDirectory(), join: 'nonsense' })
    expect({ code, word: error.code }).toEqual({ code: 2, word: 'TICKET_MALFORMED' })
  })

  it('one that was changed, one that has expired, one that is used up', async () => {
    const founder = await TestDaemon.start()
    const ticket = await founder.ticket(1)
    const read = parseTicket(ticket)
    if (!read.ok) throw new Error('the daemon made an unreadable ticket')
    const own = KeyPair.fromSeed(readFileSync(join(founder.data, 'authority.key')))
    const { swarm, issuer, addresses, org, roles, labels, usesMax, certificateTtlMs } = read.value
    const terms = { swarm, issuer, addresses, org, roles, labels, usesMax, certificateTtlMs, id: 'ab'.repeat(16) }
    const now = Date.now()

    const issue = (key: KeyPair, issuedAt: number) => {
      const notAfter = (issuedAt + HOUR_MS) as WallMillis
      const made = issueTicket(createSigner(key, swarm), { ...terms, issuedAt: issuedAt as WallMillis, notAfter })
      if (!made.ok) throw new Error('the test asks for an impossible ticket')
      return ticketText(made.value)
    }
    const forged = issue(KeyPair.generate(), now)
    const expired = issue(own, now - 2 * HOUR_MS)
    expect(await refused({ data: scratchDirectory(), join: forged })).toMatchObject({
      code: 6,
      error: { code: 'TICKET_INVALID' },
    })
    expect(await refused({ data: scratchDirectory(), join: expired })).toMatchObject({
      code: 6,
      error: { code: 'TICKET_EXPIRED' },
    })

    const used = await TestDaemon.start({ join: ticket })
    await founder.sees([used])
    expect(await refused({ data: scratchDirectory(), join: ticket })).toMatchObject({
      code: 6,
      error: { code: 'TICKET_USED_UP' },
    })
  })

  it('one whose issuer is gone', async () => {
    const founder = await TestDaemon.start()
    const ticket = await founder.ticket()
    await founder.stop()
    expect(await refused({ data: scratchDirectory(), join: ticket })).toMatchObject({
      code: 1,
      error: { code: 'TICKET_ISSUER_UNREACHABLE' },
    })
  })

  it('one of another swarm, for a node that is a member already', async () => {
    const [member, stranger] = [await TestDaemon.start(), await TestDaemon.start()]
    const ticket = await stranger.ticket()
    await member.stop()
    expect(await refused({ data: member.data, join: ticket })).toMatchObject({ error: { code: 'ALREADY_MEMBER' } })
  })

  it('only the founder makes them', async () => {
    const [founder, newcomer] = await startSwarm(2)
    if (founder === undefined || newcomer === undefined) throw new Error('two were asked for')
    expect((await newcomer.command('ticket', 'create')).code).toBe(6)
    expect((await founder.command('ticket', 'create', '--role', 'emperor')).code).toBe(2)
  })
})

describe('what is taken', () => {
  it('a data directory: the second daemon is refused and the first is undisturbed', async () => {
    const first = await TestDaemon.start()
    const { code, error } = await refused({ data: first.data })
    expect({ code, word: error.code }).toEqual({ code: 1, word: 'DATA_DIRECTORY_IN_USE' })
    expect(error.message).toContain(String(first.pid))
    expect((await first.command('status')).code).toBe(0)
  })

  it('a port to listen on, or to serve HTTP on', async () => {
    const { port, release } = await takePort()
    try {
      const listening = await refused({ data: scratchDirectory(), listen: `/ip4/127.0.0.1/tcp/${port}` })
      expect(listening).toMatchObject({ code: 1, error: { code: 'ADDRESS_IN_USE' } })
      expect(listening.error.message).toContain(String(port))
      const serving = await refused({ data: scratchDirectory(), args: ['--http', `127.0.0.1:${port}`] })
      expect(serving).toMatchObject({ code: 1, error: { code: 'ADDRESS_IN_USE' } })
    } finally {
      await release()
    }
  })

  it('an address that another host has: which, and what to listen on instead, without a stack', async () => {
    const address = '/ip4/192.0.2.1/tcp/4001'
    const { code, error } = await refused({ data: scratchDirectory(), listen: address })
    expect({ code, word: error.code }).toEqual({ code: 2, word: 'BAD_CONFIGURATION' })
    expect(error.message).toContain(`cannot listen on ${address}: this host does not have that address`)
    expect(error.message).toContain('--listen /ip4/0.0.0.0/tcp/4001')
    expect(error.message).not.toContain('\n')
  })

  it('in the background, too, with the same words and exit code', async () => {
    const first = await TestDaemon.start()
    const ran = await runCommand(['start', '--detach', '--data', first.data])
    expect(ran.code).toBe(1)
    expect(ran.stderr).toMatch(/\[DATA_DIRECTORY_IN_USE\]$/m)
  })
})

describe('a bad configuration', () => {
  it('tells all problems at once, in the foreground, in the background and when checked', async () => {
    const data = scratchDirectory()
    const file = join(data, 'swarm.yaml')
    writeFileSync(file, 'node:\n  regoin: eu-west\nlog:\n  level: loud\nmembership:\n  rings: 99\n')
    const commands = [['config', 'check'], ['start'], ['start', '--detach']]
    const all = await Promise.all(commands.map((args) => runCommand([...args, '--data', data, '--config', file])))
    for (const { code, stdout, stderr } of all) {
      expect({ code, stdout }).toEqual({ code: 2, stdout: '' })
      expect(stderr).toMatch(/^swarm-node: .*3 problems.* \[BAD_CONFIGURATION\]$/m)
      for (const path of ['node.regoin', 'log.level', 'membership.rings']) expect(stderr).toContain(path)
      expect(stderr).toContain('Did you mean node.region?')
    }
    expect(readdirSync(data)).toEqual(['swarm.yaml'])
  })

  it('is told beside the daemon that runs by a good one, which can be asked for its own', async () => {
    const daemon = await TestDaemon.start({ args: ['--region', 'eu-west'] })
    const { stdout } = await daemon.command('config', 'show', '--running', '--json')
    const { values } = JSON.parse(stdout)
    expect(values).toContainEqual({ path: 'node.region', value: 'eu-west', origin: 'flag --region' })
    const here = JSON.parse((await daemon.command('config', 'show', '--json')).stdout)
    expect(here.values).toContainEqual({ path: 'node.region', value: 'default', origin: 'default' })
  })
})

describe('a data directory that cannot be', () => {
  it('is told in one sentence, in the foreground, in the background, and of a whole swarm', async () => {
    const file = join(scratchDirectory(), 'file')
    writeFileSync(file, '')
    for (const command of [['start'], ['start', '--detach'], ['up']]) {
      const { code, stderr } = await runCommand([...command, '--data', file])
      expect({ command, code }).toEqual({ command, code: 1 })
      expect(stderr).toMatch(/^swarm-node: .*--data\. \[DATA_DIRECTORY_UNREADABLE\]\n$/)
    }
  })
})

describe('a damaged store', () => {
  it('is refused, never silently cut', async () => {
    const daemon = await TestDaemon.start()
    await daemon.stop()
    const store = join(daemon.data, 'store')
    for (const name of readdirSync(store).filter((each) => each.startsWith('segment'))) {
      const bytes = readFileSync(join(store, name))
      bytes.fill(0xff, 0, 32)
      writeFileSync(join(store, name), bytes)
    }
    const { code, error } = await refused({ data: daemon.data })
    expect({ code, word: error.code }).toEqual({ code: 1, word: 'STORE_DAMAGED' })
    expect(error.message).toContain('store')
    expect(error.message).toMatch(/new ticket \(--join\).*tasks that it had accepted are lost/)
  })

  it('nor taken for a new one when nothing is left in it: no second swarm is founded', async () => {
    const daemon = await TestDaemon.start()
    await daemon.stop()
    const file = join(daemon.data, 'store', 'segment-000000000001')
    const bytes = readFileSync(file)
    bytes.fill(0, 64)
    writeFileSync(file, bytes)
    const { code, error } = await refused({ data: daemon.data })
    expect({ code, word: error.code }).toEqual({ code: 1, word: 'STORE_DAMAGED' })
  })
})
