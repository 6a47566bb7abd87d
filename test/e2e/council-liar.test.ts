import { fork } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it } from 'vitest'
import { statusOf } from '../../node/spawn-daemon.ts'
import { eventually } from '../support/eventually.ts'
import { council, ENV, governed, propose, SEEN_MS } from './council-daemons.ts'

const LIAR = new URL('../support/lying-member.ts', import.meta.url)
const liars = new Set<ReturnType<typeof fork>>()
afterEach(() => {
  for (const liar of liars) liar.kill('SIGKILL')
  liars.clear()
})

describe('a validator that lies', () => {
  it('GV-15 one that proposes two blocks at a time is convicted by its own signatures, for all to see, and decisions go on', async () => {
    const { nodes, listen } = await governed(4)
    const [founder, other, third, victim] = nodes
    if (!founder || !other || !third || !victim) throw new Error('four were asked for')
    await victim.kill()
    const liar = fork(LIAR, [victim.data, listen[3] ?? '', 'equivocate-by-subset'], {
      env: { ...process.env, ...ENV },
      stdio: 'ignore',
    })
    liars.add(liar)
    const isUp = async () => (await statusOf(victim.socket))?.state === 'running'
    await eventually('the liar to run', isUp, SEEN_MS)
    let proposals = 0
    const decideUntil = (what: string, holds: () => Promise<boolean>) =>
      eventually(
        what,
        async () => {
          proposals += 1
          await propose(founder, `t${proposals}`)
          return holds()
        },
        SEEN_MS,
      )
    const stateOf = async () => (await council(founder)).members.find(({ node }) => node === victim.node)?.state
    await decideUntil('it to vote', async () => (await stateOf()) === 'voting')
    liar.send('lie')
    await once(liar, 'message')
    // In its turn it tells one half of the members another thing than the other.
    await decideUntil('its seat to end', async () => (await stateOf()) === undefined)
    for (const honest of [founder, other, third]) {
      await eventually(
        `${honest.node} to know`,
        async () => {
          const { stdout } = await honest.command('council', 'log')
          return stdout.includes(`${victim.node} convicted: it signed `)
        },
        SEEN_MS,
      )
      expect((await honest.command('council', 'show', 'convicted')).stdout).toContain(victim.node)
      expect((await council(honest)).members.map(({ node }) => node)).not.toContain(victim.node)
    }
    await propose(other, 'after')
    // The conviction proves itself to whoever has the genesis, by the two votes.
    const { stdout } = await founder.command('council', 'log', '--json')
    const { decisions } = JSON.parse(stdout) as { decisions: readonly { kind: string; height: number }[] }
    const conviction = decisions.find(({ kind }) => kind === 'conviction')
    const proof = join(founder.data, 'proof.json')
    writeFileSync(proof, (await founder.command('council', 'log', '--proof', String(conviction?.height))).stdout)
    const verified = await founder.command('council', 'verify', proof)
    expect([verified.code, verified.stderr]).toEqual([0, ''])
    expect(verified.stdout).toContain(`${victim.node} convicted: it signed `)
    expect(founder.running.output.stderr).toContain('it lies, or runs twice with one key')
  })
})
