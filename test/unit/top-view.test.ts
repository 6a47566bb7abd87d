import { join } from 'node:path'
import { stripVTControlCharacters } from 'node:util'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { createProgram } from '../../node/cli/main.ts'
import { openTerminal } from '../../node/cli/terminal.ts'
import { Screen, type Snapshot, topText } from '../../node/cli/top-view.ts'
import type { NodeStatus, TaskRecord } from '../../src/index.ts'
import { FakeNode } from '../support/fake-node.ts'
import { scratchDirectory } from '../support/scratch.ts'
import { codeOf, ends } from '../support/scripted-client.ts'
import { refusal, ScriptedDaemon } from '../support/scripted-daemon.ts'

/** The live view as text, and what drawing it writes. */

afterEach(() => {
  vi.unstubAllEnvs()
})

const terminal = { ...openTerminal(false, { NO_COLOR: '1' }), columns: 100, rows: 24 }
const ESCAPE = '\u001b'

const task = (name: string): TaskRecord => ({
  task: name,
  tenant: 'default',
  skill: 'ocr',
  state: 'running',
  priority: 5,
  attempts: 1,
  submittedAt: '2026-01-01T00:00:00.000Z',
  coordinator: 'n1',
  guarantee: 'exactly-once',
  executions: 1,
})

const agent = {
  agent: 'a1',
  name: 'reader',
  kind: 'specialised' as const,
  skills: [{ name: 'ocr', proficiency: 1 }],
  slots: 4,
  running: 2,
  stuck: 0,
  resources: {},
  labels: {},
  price: 0,
  attachedAt: '2026-01-01T00:00:00.000Z',
}

function snapshotOf(tasks: readonly TaskRecord[], counts: Readonly<Record<string, number>> = {}): Snapshot {
  const status: NodeStatus = { ...new FakeNode().status(), agents: 1, tasks: counts }
  return { status, agents: [agent], tasks }
}

describe('the view', () => {
  it('shows the node, its agents and its tasks, and says when there is nothing', () => {
    const text = topText({ snapshot: snapshotOf([task('t1')], { running: 1 }), recent: [], perSecond: 2.25 }, terminal)
    expect(text).toMatch(/12D3KooWFake {2}running {2}up 1h 1m\n.*agents 1 {2}running 1 {2}2\.3 tasks\/s/)
    expect(text).toMatch(/a1 +reader +ocr +█{5}░{5} +2\/4/)
    expect(text).toMatch(/t1 +running +ocr/)
    expect(text).toContain('JUST ENDED: none')
  })

  it('says how much more there is than fits', () => {
    const tasks = Array.from({ length: 30 }, (_, i) => task(`t${i}`))
    expect(topText({ snapshot: snapshotOf(tasks), recent: [], perSecond: undefined }, terminal)).toContain('… 26 more')
  })
})

describe('an agent that has more to do than slots, because it has said that it has fewer now', () => {
  it('is shown as busy', () => {
    const { status } = snapshotOf([])
    const view = { snapshot: { status, agents: [{ ...agent, slots: 2, running: 5 }], tasks: [] }, recent: [] }
    expect(topText({ ...view, perSecond: undefined }, terminal)).toMatch(/a1 +reader +ocr +█{10} +5\/2/)
  })
})

describe('the keyboard', () => {
  it('is left alone until there is something to end with it', async () => {
    const daemon = await new ScriptedDaemon(join(scratchDirectory(), 's')).start()
    ends.push(() => daemon.stop())
    daemon.answer = ({ method }) => (method === 'events.subscribe' ? refusal('QUOTA_EXCEEDED') : 'default')
    vi.stubEnv('TERM', 'xterm')
    const setRawMode = vi.fn(() => process.stdin)
    stub(process.stdout, { isTTY: true })
    stub(process.stdin, { isTTY: true, setRawMode })
    const command = ['node', 'swarm-node', '--socket', daemon.path, 'top']
    expect(await codeOf(createProgram().parseAsync(command))).toBe('QUOTA_EXCEEDED')
    expect(setRawMode).not.toHaveBeenCalled()
  })
})

/** Puts these in the place of what a stream has, until the end of the test. */
function stub(stream: object, values: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(values)) {
    const before = Object.getOwnPropertyDescriptor(stream, name)
    Object.defineProperty(stream, name, { value, configurable: true, writable: true })
    ends.push(() =>
      before === undefined ? Reflect.deleteProperty(stream, name) : Object.defineProperty(stream, name, before),
    )
  }
}

describe('the screen', () => {
  it('is drawn in the same place, never longer than it is, and given back', () => {
    let written = ''
    const write = (text: string) => {
      written += text
      return true
    }
    const stream = { columns: 80, rows: 10, write }
    const screen = new Screen(terminal, stream as unknown as NodeJS.WriteStream)
    screen.open()
    expect(written).toContain(`${ESCAPE}[?1049h`)
    screen.note({ kind: 'task-changed', at: '2026-01-01T00:00:00.000Z', task: 't0', state: 'completed' }, 20)
    written = ''
    screen.draw(snapshotOf([task('t1')], { completed: 1 }))
    expect(written.startsWith(`${ESCAPE}[H`)).toBe(true)
    expect(written.split('\n')).toHaveLength(10)
    written = ''
    screen.draw(snapshotOf([task('t1')], { completed: 5 }))
    expect(written).toContain('tasks/s')
    // A line that wrapped would push the others down, more of them with each picture.
    stream.columns = 40
    written = ''
    screen.draw(snapshotOf([task('t'.repeat(60))], { running: 1, completed: 100, failed: 20, cancelled: 3 }))
    const widths = written.split('\n').map((line) => stripVTControlCharacters(line).length)
    expect(Math.max(...widths)).toBeLessThanOrEqual(40)
    screen.close()
    expect(written.endsWith(`${ESCAPE}[?25h${ESCAPE}[?1049l`)).toBe(true)
  })
})
