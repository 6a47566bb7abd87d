import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createLine, createMeter } from '../../node/cli/meter.ts'
import { free, table } from '../../node/cli/table.ts'
import { describeAgents, describeTasks } from '../../node/cli/task-words.ts'
import { openTerminal, wantsColours } from '../../node/cli/terminal.ts'
import { collectLabel, durationMs, formatSeconds, parseCount } from '../../node/cli/values.ts'
import { nodeVersionProblem } from '../../node/node-version.ts'
import { resolveSettings } from '../../node/settings.ts'
import { PROFILES, startArguments } from '../../node/start-options.ts'
import { dataDirectory, socketPath } from '../../src/client/index.ts'
import { PROFILES as CONFIGURED_PROFILES, parseDuration } from '../../src/config/index.ts'
import type { AgentReport, TaskRecord } from '../../src/index.ts'
import { scratchDirectory } from '../support/scratch.ts'

describe('durations', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1.5s', 1_500],
    ['7d', 604_800_000],
    ['0s', 0],
  ])('%s', (text, ms) => expect(durationMs(text)).toBe(ms))

  it.each(['', '5', 'ms', '5 m', '-5s', '5w', '1e3s', '5s ', '99999999999999999h'])('not %j', (text) =>
    expect(durationMs(text)).toBeUndefined(),
  )

  it.each([
    [0.4, '0s'],
    [42, '42s'],
    [60, '1m'],
    [200, '3m 20s'],
    [86_400 + 3 * 3_600 + 59, '1d 3h'],
    [86_400, '1d'],
  ])('%d seconds', (seconds, text) => expect(formatSeconds(seconds)).toBe(text))
})

describe('values', () => {
  it('counts are whole and within bounds', () => {
    const parse = parseCount(1, 10)
    expect(parse('10')).toBe(10)
    for (const text of ['0', '11', '1.5', '1e0', '', ' 3', '-1']) expect(() => parse(text)).toThrow()
  })

  it('labels keep what follows the first equals sign, and the last of a key wins', () => {
    expect(collectLabel('a=b=c', { a: 'x', z: 'y' })).toEqual({ a: 'b=c', z: 'y' })
    expect(collectLabel('a=')).toEqual({ a: '' })
    expect(() => collectLabel('=b')).toThrow()
  })
})

describe('table', () => {
  const rows = [
    ['12D3KooWAbcdefghijklmnopqrstuvwxyz', 'alive'],
    ['short', '\u001b[32malive\u001b[39m'],
  ]

  it('is as wide as its cells, colour not counted', () => {
    expect(table(['NODE', 'STATE'], rows, 200).split('\n')).toEqual([
      `NODE${' '.repeat(32)}STATE`,
      '12D3KooWAbcdefghijklmnopqrstuvwxyz  alive',
      `short${' '.repeat(31)}\u001b[32malive\u001b[39m`,
    ])
  })

  it('fits the terminal: the widest free text gives way', () => {
    const lines = table([free('SKILLS'), 'STATE'], rows, 30).split('\n')
    expect(lines[1]).toBe('12D3KooWAbcdefghijklmn…  alive')
    expect(lines[1]?.length).toBe(30)
  })

  it('does not shrink to nothing', () => {
    expect(table([free('SKILLS'), 'STATE'], rows, 3)).toContain('12D3Koo…')
  })

  it('never cuts what tells rows apart: they go on below', () => {
    const ids = ['a'.repeat(60), 'b'.repeat(60)]
    const shown = table(['TASK', free('SKILL'), 'SUBMITTED'], [[ids[0] ?? '', 'x'.repeat(40), ids[1] ?? '']], 80)
    expect(shown.split('\n')).toEqual([
      `TASK${' '.repeat(58)}SKILL`,
      '    SUBMITTED',
      `${ids[0]}  ${'x'.repeat(17)}…`,
      `    ${ids[1]}`,
    ])
  })
})

describe('tasks and agents', () => {
  const NOW = Date.parse('2026-01-02T00:00:00.000Z')
  const at = '2026-01-01T12:00:00.000Z'
  const said = {
    ...{ skill: 'transcribe-audio', tenant: 'hospital-a', priority: 5, attempts: 3, submittedAt: at },
    ...{ coordinator: 'n', executions: 3, executor: { node: 'n'.repeat(52) } },
  }
  const ids = ['Dpz7vecQaM-1k34-1zz', 'Dpz7vecQaM-1k34-2zz']
  const tasks = ids.map((task): TaskRecord => ({ ...said, task, state: 'dead-lettered', guarantee: 'exactly-once' }))
  const seenAt = (columns: number) => ({ ...openTerminal(false, {}), columns })

  it('a row of tasks or agents fits 80 columns, ids and times whole', () => {
    const lines = describeTasks(tasks, seenAt(80), NOW).split('\n')
    expect(lines.map((line) => line.slice(0, ids[0]?.length))).toEqual([expect.stringMatching(/^TASK +$/), ...ids])
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80)
    expect(lines[1]).toContain('  12h  ')
    const agent: AgentReport = {
      ...{ agent: 'a1000', name: 'transcriber-of-boston', slots: 64, running: 64, stuck: 0, price: 0.25 },
      ...{ skills: [{ name: 'transcribe-audio', proficiency: 0.5 }], resources: { gpu: 8, memory: 64 }, labels: {} },
      kind: 'specialised',
      attachedAt: at,
    }
    const agents = describeAgents([agent], { terminal: seenAt(80), sameDaemon: '' }, NOW).split('\n')
    expect(agents).toEqual([expect.any(String), expect.stringMatching(/^a1000 .* 64\/64 .* 12h$/)])
    expect(Math.max(...agents.map((line) => line.length))).toBeLessThanOrEqual(80)
  })

  it('for a program nothing is cut, and times are times', () => {
    const [, line] = describeTasks(tasks, seenAt(Number.POSITIVE_INFINITY), NOW).split('\n')
    for (const whole of [ids[0], said.skill, said.tenant, at, 'n'.repeat(52)]) expect(line).toContain(whole)
  })

  it('what has to go on below is not cut as well, unless that saves a line', () => {
    const peer = ['n'.repeat(52), 'alive', 'worker,custodian,validator', 'default', 'default', '2.0 ms', '0%', '4m 16s']
    const headings = ['NODE', 'STATE', free('ROLES'), free('REGION'), free('ZONE'), 'RTT', 'LOAD', 'FOR']
    const [, , first, second, ...more] = table(headings, [peer], 80).split('\n')
    expect([first, more]).toEqual([`${peer[0]}  alive`, []])
    expect(second?.trim().split(/ {2,}/)).toEqual(peer.slice(2))
    expect(table(headings, [['n', 'alive', 'r'.repeat(90), ...peer.slice(3)]], 80)).toMatch(/^n .* r+… .* 4m 16s$/m)
  })

  it('on a narrow terminal rows go on below, ids whole', () => {
    const lines = describeTasks(tasks, seenAt(40), NOW).split('\n')
    expect(lines.filter((line) => ids.some((id) => line.startsWith(id)))).toHaveLength(2)
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(40)
  })
})

describe('colours and bars', () => {
  it.each([
    [{ isTTY: true }, {}, true],
    [{ isTTY: true }, { NO_COLOR: '1' }, false],
    [{ isTTY: true }, { NO_COLOR: '' }, true],
    [{ isTTY: true }, { TERM: 'dumb' }, false],
    [{}, { CI: 'true', FORCE_COLOR: '1' }, false],
  ])('%j %j', (stream, env, expected) => expect(wantsColours(stream, env)).toBe(expected))

  it('a bar is drawn on a terminal and within its width, and nowhere else', () => {
    for (const isTTY of [true, false]) {
      const written: string[] = []
      const meter = createMeter({ isTTY, columns: 60, write: (text) => written.push(text) }, 'starting', 4, false)
      meter.update(1, 'x'.repeat(100))
      meter.end()
      expect(written.length).toBe(isTTY ? 2 : 0)
      if (!isTTY) continue
      expect(written[0]).toContain('██████░')
      expect(written[0]?.replace('\r\u001b[2K', '').length).toBeLessThan(60)
      expect(written[1]).toBe('\r\u001b[2K')
    }
  })

  it('a bar fits a narrow terminal', () => {
    const written: string[] = []
    const stream = { isTTY: true, columns: 40, write: (text: string) => written.push(text) }
    createMeter(stream, 'finding each other', 100, false).update(50, 'node-50')
    expect(stripVTControlCharacters(written.join('')).trim().length).toBeLessThan(40)
    expect(written[0]).toContain('█░')
  })

  it('a line is taken away once', () => {
    const written: string[] = []
    const line = createLine({ isTTY: true, columns: 40, write: (text: string) => written.push(text) }, false)
    line.update('x')
    line.end()
    line.end()
    expect(written).toHaveLength(2)
  })
})

describe('where things are', () => {
  it.each([
    ['/flag', { SWARM_NODE_DATA: '/env', XDG_STATE_HOME: '/xdg' }, '/flag'],
    [undefined, { SWARM_NODE_DATA: '/env', XDG_STATE_HOME: '/xdg' }, '/env'],
    [undefined, { SWARM_NODE_DATA: '', XDG_STATE_HOME: '/xdg' }, '/xdg/swarm-node'],
  ])('data: %s %j', (flag, env, expected) => expect(dataDirectory(flag, env)).toBe(expected))

  it('data: by default under the home directory', () => {
    expect(dataDirectory(undefined, {})).toMatch(/\/\.local\/state\/swarm-node$/)
  })

  it('socket: flag, environment, data directory', () => {
    expect(socketPath('/flag', { SWARM_NODE_SOCKET: '/env' }, '/data')).toBe('/flag')
    expect(socketPath(undefined, { SWARM_NODE_SOCKET: '/env' }, '/data')).toBe('/env')
    expect(socketPath(undefined, {}, '/data')).toBe('/data/swarm.sock')
  })
})

describe('node versions', () => {
  it.each(['22.13.0', '22.21.1', '23.0.0', '24.21.0', '100.0.0'])('%s will do', (version) =>
    expect(nodeVersionProblem(version)).toBeUndefined(),
  )

  it.each(['22.12.0', '20.20.2', '18.0.0', '9.99.0', 'nonsense'])('%s will not', (version) => {
    expect(nodeVersionProblem(version)).toMatch(/^swarm-node needs Node 22\.13 or newer, and this is .*nodejs\.org$/)
  })
})

it('start options survive the way through a command line', () => {
  const options = { data: '/d', socket: '/s', join: 'T', listen: ['/ip4/1.2.3.4/tcp/1'], labels: { a: 'b' } }
  expect(startArguments(options)).toEqual([
    ...['start', '--join', 'T', '--data', '/d', '--socket', '/s', '--listen', '/ip4/1.2.3.4/tcp/1', '--label', 'a=b'],
  ])
})

describe('settings', () => {
  const file = () => {
    const path = join(scratchDirectory(), 'swarm.yaml')
    writeFileSync(
      path,
      'data: /from/file\nnode:\n  region: eu-west\nnetwork:\n  bootstrap:\n    - /dns4/a/tcp/1/p2p/QmNode\n',
    )
    return path
  }

  it('come from the file, the environment and the flags, the later over the earlier', () => {
    const start = { config: file(), join: 'T', listen: ['/ip4/1.2.3.4/tcp/5'], labels: { gpu: 'V100' }, zone: 'b' }
    const settings = resolveSettings(start, { SWARM_NODE_NODE_REGION: 'us-east', SWARM_NODE_NODE_ZONE: 'a' })
    expect(settings.start).toEqual({
      data: '/from/file',
      socket: '/from/file/swarm.sock',
      join: 'T',
      trustStore: false,
    })
    expect(settings.config.node).toEqual({ region: 'us-east', zone: 'b', labels: { gpu: 'V100' }, capacity: {} })
    expect(settings.contacts).toEqual([{ node: 'QmNode', addresses: ['/dns4/a/tcp/1'] }])
    expect(settings.network(['worker']).listen).toEqual(['/ip4/1.2.3.4/tcp/5'])
    expect(settings.report.values).toContainEqual({ path: 'node.zone', value: 'b', origin: 'flag --zone' })
  })

  it('relay where the roles say so, unless told otherwise', () => {
    const relay = (roles: 'relay'[], env = {}) =>
      resolveSettings({ listen: [], labels: {} }, env).network(roles).relay?.serve
    expect(relay(['relay'])).toBe(true)
    expect(relay([])).toBe(false)
    expect(relay([], { SWARM_NODE_NETWORK_RELAY_SERVER: 'on' })).toBe(true)
    expect(relay(['relay'], { SWARM_NODE_NETWORK_RELAY_SERVER: 'off' })).toBe(false)
  })

  it('of a swarm are those of its genesis, and to want others is a problem', () => {
    const plain = resolveSettings({ listen: [], labels: {} }, {})
    expect(plain.within({ 'membership.suspicionMaxMs': '9000' }).membership.suspicionMaxMs).toBe(9000)
    const other = resolveSettings({ listen: [], labels: {} }, { SWARM_NODE_MEMBERSHIP_SUSPICION_MAX_MS: '9001' })
    expect(() => other.within({ 'membership.suspicionMaxMs': '9000' })).toThrow(/cluster-wide/)
  })

  it('tell every problem at once, and a file that cannot be read', () => {
    const env = { SWARM_NODE_LOG_LEVEL: 'loud', SWARM_NODE_UP_NODES: '0' }
    expect(() => resolveSettings({ listen: [], labels: {} }, env)).toThrow(/log\.level[\s\S]*up\.nodes/)
    expect(() => resolveSettings({ config: '/nowhere.yaml', listen: [], labels: {} }, {})).toThrow(/nowhere\.yaml/)
  })
})

it('the command line and the configuration agree on profiles and durations', () => {
  expect(PROFILES).toEqual(CONFIGURED_PROFILES)
  for (const text of ['250ms', '30s', '5m', '24h', '7d', '1.5s', '5', 'x'])
    expect(durationMs(text)).toBe(parseDuration(text))
})
