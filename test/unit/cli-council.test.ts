import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { IpcServer } from '../../node/ipc-server.ts'
import { openLog } from '../../node/log.ts'
import { COUNCIL_SECTIONS, METHODS, SwarmError } from '../../src/index.ts'
import { runCommand } from '../support/command-line.ts'
import { DECISIONS } from '../support/fake-council.ts'
import { FakeNode } from '../support/fake-node.ts'
import { scratchDirectory } from '../support/scratch.ts'

let node: FakeNode
let server: IpcServer
let socket: string

beforeEach(async () => {
  node = new FakeNode()
  socket = join(scratchDirectory(), 's')
  server = await IpcServer.listen({
    connectionsMax: 64,
    path: socket,
    node,
    log: openLog({ level: 'fatal', to: 'stderr' }).module('ipc'),
    metrics: async () => ({ metrics: [] }),
    requestStop: () => {},
    fatal: (cause) => {
      throw cause
    },
    access: 'owner',
  })
})

afterEach(() => server.stop())

const council = (...args: string[]) => runCommand(['council', ...args, '--socket', socket])
const json = async (...args: string[]) => JSON.parse((await council(...args, '--json')).stdout)

describe('council', () => {
  it('status, log and show print what the daemon answers', async () => {
    expect(await json('status')).toEqual(node.council.status())
    expect(await json('log')).toEqual({ decisions: DECISIONS })
    expect(await json('log', '--since', '4')).toEqual({ decisions: DECISIONS.slice(1) })
    expect((await council('log', '--since', '99')).stdout).toBe('nothing was decided from height 99 on\n')
    expect(await json('show', 'tenants')).toMatchObject({ section: 'tenants', rows: [{ name: 'gold' }] })
    const { stdout } = await council('status')
    expect(stdout).toMatch(/epoch\s+2, view 9/)
    expect(stdout).toMatch(/12D3KooWFake\s+acme\s+voting\s+4/)
    const log = await council('log')
    expect(log.stdout).toContain('tenant gold: weight 2, cpu ≤ 16  (decided at height 3)')
    expect(log.stdout).toContain(
      '12D3KooWLiar convicted: it signed prepare of 11111111 in view 7 and prepare of 22222222 in view 7  (decided at height 5)',
    )
    expect(log.stdout).toContain('validators + 12D3KooWNew (acme), - 12D3KooWOld  (1 of 3 voices at height 4)')
    expect((await council('show', 'tenants')).stdout).toMatch(/gold\s+2\s+cpu=16\s+1\nmore: --after 'gold'/)
    expect((await council('show', 'motions')).stdout).toBe('no motions\n')
  })

  it('status --cell is about the custodians; log says what it does not hold', async () => {
    expect(await json('status', '--cell')).toEqual(node.council.status({ cell: true }))
    expect((await council('status', '--cell')).stdout).toMatch(/12D3KooWCustodian\s+acme\s+voting/)
    node.council.complete = { from: 3, why: 'snapshot' }
    expect(await json('log')).toEqual({ decisions: DECISIONS, complete: { from: 3, why: 'snapshot' } })
    expect((await council('log')).stdout).toMatch(/^complete from height 3 on: this node took over the state below/)
    node.council.complete = { from: 9, why: 'bound' }
    expect((await council('log', '--since', '9')).stdout).toMatch(
      /^complete from height 9 on: older decisions made room/,
    )
  })

  it.each([
    [
      ['tenant', '--name', 'gold', '--weight', '1.5', '--quota', 'cpu=16', '--quota', 'gpu=0.5', '--expect', '0'],
      { kind: 'tenant', body: { name: 'gold', weight: 1.5, quota: { cpu: 16, gpu: 0.5 } }, expect: 0 },
    ],
    [['revoke', '--node', 'n1'], { kind: 'revoke', body: { node: 'n1' } }],
    [['revoke', '--node', 'n1', '--org', 'beta'], { kind: 'revoke', body: { node: 'n1', org: 'beta' } }],
    [
      ['org', '--name', 'beta', '--key', 'k1', '--key', 'k2', '--seats', '3'],
      { kind: 'org', body: { name: 'beta', keys: ['k1', 'k2'], seats: 3 } },
    ],
    [['validator', '--add', 'n1'], { kind: 'validator', body: { add: ['n1'], remove: [] } }],
    [
      ['validator', '--add', 'n1', '--add', 'n2', '--remove', 'n3'],
      { kind: 'validator', body: { add: ['n1', 'n2'], remove: ['n3'] } },
    ],
    [
      ['parameter', '--name', 'directory.heartbeatMs', '--value', '30s'],
      { kind: 'parameter', body: { name: 'directory.heartbeatMs', value: 30_000 } },
    ],
    [
      ['parameter', '--name', 'council.governance', '--value', 'council'],
      { kind: 'parameter', body: { name: 'council.governance', value: 'council' } },
    ],
    [
      ['role', '--tenant', '*', '--subject', 'n1', '--role', 'admin', '--withdraw'],
      { kind: 'role', body: { tenant: '*', subject: 'n1', role: 'admin', withdraw: true } },
    ],
    [
      ['override', '--subject', 'n1', '--action', 'quarantine', '--ttl', '5m'],
      { kind: 'override', body: { subject: 'n1', action: 'quarantine', ttlMs: 300_000 } },
    ],
  ])('propose %j', async (args, expected) => {
    const ran = await council('propose', ...args, '--json')
    expect([ran.code, ran.stderr.replace(/^(?:This was the voice|No node that is known).*\n/gm, '')]).toEqual([0, ''])
    expect(JSON.parse(ran.stdout)).toMatchObject({ height: 5 })
    expect(node.council.proposals).toEqual([expected])
  })

  it('says what a voice needs, on the screen and not in the result', async () => {
    const ran = await council('propose', 'revoke', '--node', 'n1')
    expect(ran).toMatchObject({ code: 0, stdout: '1 of 3 voices at height 5\n' })
    expect(ran.stderr).toContain('run the same command at others')
    expect(ran.stderr).toContain('No node that is known here has the id n1')
    const known = await council('propose', 'revoke', '--node', '12D3KooWPeerOne')
    expect([known.code, known.stderr]).toEqual([0, expect.not.stringContaining('No node')])
  })

  it('says what a council of two cannot do, and nothing of others', async () => {
    const said: string[] = []
    for (const validators of [['a'], ['a', 'b'], ['a', 'b', 'c']]) {
      node.council.validators = validators
      said.push((await council('propose', 'validator', '--add', 'b')).stderr)
    }
    expect(said).toEqual(['', expect.stringMatching(/^Two validators .* Take in a third/), ''])
  })

  it.each([
    [['propose', 'tenant', '--name', 'gold'], /weight/],
    [['propose', 'tenant', '--name', 'gold', '--weight', 'much'], /number/],
    [['propose', 'tenant', '--name', 'gold', '--weight', '1', '--quota', 'cpu'], /cpu=16/],
    [['propose', 'tenant', '--name', 'g o', '--weight', '1'], /visible characters/],
    [['propose', 'revoke', '--node', 'no node'], /node id/],
    [['propose', 'org', '--name', 'x', '--key', 'k', '--seats', '65'], /0 to 64/],
    [['propose', 'override', '--subject', 's', '--action', 'a', '--ttl', 'long'], /30s/],
    [['propose', 'override', '--subject', 's', '--action', 'a', '--ttl', '8d'], /at most 7d/],
    [['propose', 'peace'], /unknown command|peace/],
    [['show', 'everything'], /organisations/],
    [['log', '--limit', '0'], /1 to 1000/],
  ])('%j is refused as bad usage', async (args, words) => {
    const ran = await council(...args)
    expect([ran.code, ran.stdout]).toEqual([2, ''])
    expect(ran.stderr).toMatch(words)
    expect(node.council.proposals).toEqual([])
  })

  it.each([
    ['UNAUTHORISED', 6],
    ['QUOTA_EXCEEDED', 6],
    ['NO_QUORUM', 5],
    ['STALE', 1],
    ['ALREADY_SO', 1],
    ['UNSAFE_CHANGE', 1],
    ['NOT_FOUND', 1],
    ['CERTIFICATE_REVOKED', 6],
    ['BAD_REQUEST', 2],
  ] as const)('a refusal %s exits %i with its reason', async (code, exit) => {
    node.council.refusal = new SwarmError(code, 'because', { data: { missing: ['n2', 'n3'] } })
    const ran = await council('propose', 'revoke', '--node', 'n1', '--json')
    expect(ran.code).toBe(exit)
    expect(JSON.parse(ran.stdout)).toEqual({ error: { code, message: 'because', missing: ['n2', 'n3'] } })
  })

  it('sections are those that the council lists', async () => {
    const { SECTIONS } = await import('../../src/council/index.ts')
    expect(COUNCIL_SECTIONS).toEqual(SECTIONS)
    for (const section of SECTIONS) {
      expect(METHODS['council.show'].params.safeParse({ section }).success).toBe(true)
    }
  })
})
