import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { council, decided, ENV, governed, propose, SEEN_MS } from './council-daemons.ts'
import { startDaemonCommand, TestDaemon } from './harness.ts'

const ABSTAINS = 'this member does not vote until'
const FAILING_DISK = new URL('./failing-disk.ts', import.meta.url).href

let proposals = 0

/** Has things decided until the member votes again. */
async function votesAgain(founder: TestDaemon, member: TestDaemon): Promise<void> {
  await eventually(
    `${member.node} to vote`,
    async () => {
      proposals += 1
      await propose(founder, `again${proposals}`)
      return (await council(member)).members.find(({ node }) => node === member.node)?.state === 'voting'
    },
    SEEN_MS,
  )
}

/** Changes a byte of the first block of the log, behind which there are others. */
function damage(data: string): void {
  const store = join(data, 'store')
  const file = join(store, readdirSync(store).find((name) => name.startsWith('segment')) ?? '')
  const bytes = readFileSync(file)
  const at = bytes.findIndex((byte, i) => i > 200 && byte !== 0)
  bytes[at] = (bytes[at] ?? 0) ^ 1
  writeFileSync(file, bytes)
}

describe('a council in trouble', () => {
  it('NO_QUORUM names who is missing, and what was proposed is decided once enough are back', async () => {
    const { nodes, listen } = await governed(4)
    const [founder, other, ...victims] = nodes
    if (!founder || !other || victims.length !== 2) throw new Error('four were asked for')
    await Promise.all(victims.map((daemon) => daemon.kill()))
    const flags = ['council', 'propose', 'tenant', '--name', 'late', '--weight', '2'] as const
    const { code, stdout, stderr } = await founder.command(...flags, '--json')
    expect(code).toBe(5)
    const { error } = JSON.parse(stdout) as { error: { code: string; missing: readonly string[] } }
    expect(error.code).toBe('NO_QUORUM')
    expect(error.missing.toSorted()).toEqual(victims.map(({ node }) => node).sort())
    for (const { node } of victims) expect(stderr).toContain(node)
    expect(stderr).not.toContain(other.node)
    const [first] = victims
    if (first === undefined) throw new Error('two were killed')
    await TestDaemon.start({ data: first.data, env: ENV, listen: listen[2] ?? '' })
    await decided(founder, 'late')
  })

  it('what was acknowledged is there after all of its members were killed at once', async () => {
    const { nodes, listen } = await governed(4)
    const client = await nodes[0]?.client()
    const acknowledged: string[] = []
    let dead: Promise<unknown> | undefined
    const proposer = async (who: number): Promise<void> => {
      for (let i = 0; dead === undefined; i++) {
        const name = `t${who}-${i}`
        const answer = client?.call('council.propose', { kind: 'tenant', body: { name, weight: 1, quota: {} } })
        if ((await answer?.catch(() => undefined)) === undefined) return
        acknowledged.push(name)
        // Others are on their way just then.
        if (acknowledged.length >= 20) dead ??= Promise.all(nodes.map((daemon) => daemon.kill()))
      }
    }
    await Promise.all([0, 1, 2, 3].map(proposer))
    await dead
    const [founder] = await Promise.all(
      nodes.map(({ data }, i) => TestDaemon.start({ data, env: ENV, listen: listen[i] ?? '' })),
    )
    if (founder === undefined) throw new Error('a founder was asked for')
    await propose(founder, 'after')
    const { stdout } = await founder.command('council', 'show', 'tenants', '--json')
    const { rows } = JSON.parse(stdout) as { rows: readonly { name: string }[] }
    const names = new Set(rows.map(({ name }) => name))
    expect(acknowledged.length).toBeGreaterThanOrEqual(20)
    expect(acknowledged.filter((name) => !names.has(name))).toEqual([])
  })

  it('U-5 a validator whose disk fails ends at once, says so, and votes on after a restart; the others decide', async () => {
    const failsWith = join(scratchDirectory(), 'now')
    const disk = { NODE_OPTIONS: `--import ${FAILING_DISK}`, DISK_FAILS_WITH: failsWith }
    const { nodes, listen } = await governed(4, (place) => (place === 3 ? disk : {}))
    const [founder, , , faulty] = nodes
    if (!founder || !faulty) throw new Error('four were asked for')
    writeFileSync(failsWith, '')
    await propose(founder, 'gold')
    const { code, stderr } = await faulty.running.ended
    expect(code).toBe(1)
    expect(stderr).toContain('[STORE_FAILED]')
    await propose(founder, 'silver')
    const again = await TestDaemon.start({ data: faulty.data, env: ENV, listen: listen[3] ?? '' })
    await decided(again, 'silver')
    await votesAgain(founder, again)
    expect(again.running.output.stderr).not.toContain(ABSTAINS)
  })

  it('a validator with a damaged log does not run, says where and what to do; done so, it abstains until it is safe', async () => {
    const { nodes, ticket } = await governed(4)
    const [founder, damaged] = nodes
    if (!founder || !damaged) throw new Error('four were asked for')
    await damaged.kill()
    damage(damaged.data)
    const refused = await startDaemonCommand({ data: damaged.data, env: ENV }).ended
    expect(refused.code).toBe(1)
    expect(refused.stderr).toContain('[STORE_DAMAGED]')
    expect(refused.stderr).toContain('move its store away')
    renameSync(join(damaged.data, 'store'), join(damaged.data, 'store.damaged'))
    const again = await TestDaemon.start({ data: damaged.data, join: ticket, env: ENV })
    expect(again.node).toBe(damaged.node)
    await eventually('it to say so', () => again.running.output.stderr.includes(ABSTAINS), SEEN_MS)
    await votesAgain(founder, again)
  })

  it('B-20 U-10 a validator put back from an old backup is known as such, abstains until it is safe, and says so', async () => {
    const { nodes, listen } = await governed(4)
    const [founder, old] = nodes
    if (!founder || !old) throw new Error('four were asked for')
    await old.kill()
    const backup = join(scratchDirectory(), 'backup')
    cpSync(old.data, backup, { recursive: true, preserveTimestamps: true })
    const place = listen[1] ?? ''
    const between = await TestDaemon.start({ data: old.data, env: ENV, listen: place })
    await votesAgain(founder, between)
    expect(between.running.output.stderr).not.toContain(ABSTAINS)
    await between.kill()
    rmSync(join(old.data, 'store'), { recursive: true })
    cpSync(join(backup, 'store'), join(old.data, 'store'), { recursive: true, preserveTimestamps: true })
    const back = await TestDaemon.start({ data: old.data, env: ENV, listen: place })
    await eventually('it to say so', () => back.running.output.stderr.includes(ABSTAINS), SEEN_MS)
    expect(back.running.output.stderr).toContain('was copied here')
    await votesAgain(founder, back)
    // Past that it is a store like any other.
    await back.kill()
    const last = await TestDaemon.start({ data: old.data, env: ENV, listen: place })
    await votesAgain(founder, last)
    expect(last.running.output.stderr).not.toContain('was copied here')
  })

  it('U-10 a lone validator on a copy decides nothing until a person vouches for it', async () => {
    const founder = await TestDaemon.start()
    await propose(founder, 'gold')
    await founder.kill()
    const copy = join(scratchDirectory(), 'copy')
    cpSync(founder.data, copy, { recursive: true })
    const doubtful = await TestDaemon.start({ data: copy })
    expect((await council(doubtful)).members[0]?.state).toBe('abstaining')
    expect(doubtful.running.output.stderr).toContain(ABSTAINS)
    await doubtful.stop()
    const vouched = await TestDaemon.start({ data: copy, args: ['--trust-store'] })
    await propose(vouched, 'silver')
    await vouched.stop()
    const later = await TestDaemon.start({ data: copy })
    await propose(later, 'bronze')
  })
})
