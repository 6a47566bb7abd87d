import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { environmentOf } from '../../node/agents/command-agent.ts'
import { type CommandLine, OUTPUT_BYTES_MAX, runCommand } from '../../node/agents/command-process.ts'
import { inputFor, outputText, payloadOf, typedPayloadOf } from '../../node/agents/text-payload.ts'
import { isRunning } from '../../node/processes.ts'
import { JsonText } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { scratchDirectory } from '../support/scratch.ts'

/** Commands as agents: what crosses their pipes, how they end, and that nothing of them is left. */

const errors: string[] = []

function run(script: string, options: Partial<CommandLine> = {}) {
  errors.length = 0
  const line = {
    command: 'sh',
    args: ['-c', script],
    env: process.env,
    input: '',
    signal: new AbortController().signal,
  }
  const onError = (bytes: Uint8Array) => errors.push(Buffer.from(bytes).toString())
  return runCommand({ ...line, onError, ...options })
}

/** What a process writes that runs this, with `run(script, onError)`. */
function script(text: string): string {
  const command = `
    import { runCommand } from ${JSON.stringify(import.meta.resolve('../../node/agents/command-process.ts'))}
    const { signal } = new AbortController()
    const run = (text, onError = () => {}) =>
      runCommand({ command: 'sh', args: ['-c', text], env: process.env, input: '', signal, onError })
    ${text}`
  // Few files, so that they are soon used up.
  const limited = ['-c', 'ulimit -n 100; exec "$@"', 'sh', process.execPath, '--input-type=module', '-e', command]
  return spawnSync('sh', limited, { encoding: 'utf8', timeout: 30_000 }).stdout
}

async function failure(running: Promise<unknown>) {
  return running.then(
    () => 'no failure',
    ({ code, message, retryable }) => ({ code, message, retryable }),
  )
}

const text = (bytes: Uint8Array) => Buffer.from(bytes).toString()
const bytes = (written: string) => Buffer.from(written)

function json(written: string): JsonText {
  const payload = payloadOf(bytes(written))
  if (!(payload instanceof JsonText)) throw new Error(`${written} was to be JSON`)
  return payload
}

describe('a command', () => {
  it('gets its input and gives its output', async () => {
    expect(text(await run('tr a-z A-Z', { input: '"hello"\n' }))).toBe('"HELLO"\n')
  })

  it('need not read its input', async () => {
    expect(text(await run('exec <&-; echo done', { input: 'x'.repeat(1_000_000) }))).toBe('done\n')
  })

  it.each([
    ['echo no such page >&2; exit 1', { code: 'EXIT_1', message: 'no such page', retryable: false }],
    ['echo try later >&2; exit 75', { code: 'EXIT_75', message: 'try later', retryable: true }],
    ['exit 3', { code: 'EXIT_3', message: expect.stringContaining('wrote nothing'), retryable: false }],
    ['kill -9 $$', { code: 'SIGNAL_SIGKILL', message: expect.anything(), retryable: false }],
  ])('fails: %s', async (script, expected) => expect(await failure(run(script))).toEqual(expected))

  it('of its standard error the end is the message, all of it is passed on', async () => {
    const failed = await failure(run('seq 1 2000 >&2; exit 1'))
    expect(failed).toMatchObject({ message: expect.stringMatching(/^….*1999\n2000$/s) })
    expect((failed as { message: string }).message.length).toBeLessThanOrEqual(2049)
    expect(errors.join('')).toMatch(/^1\n2\n3\n/)
  })

  it('that writes without end is ended', async () => {
    expect(await failure(run('yes'))).toMatchObject({ code: 'TOO_LARGE', retryable: false })
    expect((await run(`head -c ${OUTPUT_BYTES_MAX} /dev/zero`)).length).toBe(OUTPUT_BYTES_MAX)
  })

  it('that is not there', async () => {
    expect(await failure(run('', { command: '/nowhere/cmd' }))).toMatchObject({ code: 'NOT_STARTED', retryable: true })
  })

  it('for which this process has no files left may be tried again', () => {
    const ran = script(`
      const { openSync } = await import('node:fs')
      try { for (;;) openSync('/dev/null', 'r') } catch {}
      await run('echo hi').catch(({ code, retryable }) => console.log(code, retryable))
    `)
    expect(ran).toBe('NOT_STARTED true\n')
  })

  it('does not outlive this process, however that ends', async () => {
    const ran = script(`
      run('echo $$ >&2; exec sleep 300', (bytes) => {
        console.log(String(bytes))
        setImmediate(() => { throw new Error('a bug') })
      })
    `)
    expect(Number(ran)).toBeGreaterThan(0)
    await eventually('it to be gone', () => !isRunning(Number(ran)))
  })

  it('is ended with all it has started when it is cancelled', async () => {
    const pids = join(scratchDirectory(), 'pids')
    const controller = new AbortController()
    const script = `sleep 300 & echo $! > ${pids}.tmp; echo $$ >> ${pids}.tmp; mv ${pids}.tmp ${pids}; wait`
    const failed = failure(run(script, { signal: controller.signal }))
    await eventually('it to run', () => existsSync(pids))
    controller.abort()
    expect(await failed).toMatchObject({ code: 'CANCELLED' })
    const numbers = readFileSync(pids, 'utf8').trim().split('\n').map(Number)
    expect(numbers).toHaveLength(2)
    await eventually('both to be gone', () => !numbers.some(isRunning))
  })

  it('that ignores the request to stop is ended by force', async () => {
    const started = join(scratchDirectory(), 'started')
    const controller = new AbortController()
    const script = `trap '' TERM; touch ${started}; while :; do sleep 0.1; done`
    const failed = failure(run(script, { signal: controller.signal }))
    await eventually('it to run', () => existsSync(started))
    controller.abort()
    expect(await failed).toMatchObject({ code: 'CANCELLED' })
  })

  it('is over when it has ended, whatever it has left behind', async () => {
    const pid = Number(text(await run('sleep 300 & echo $!')))
    await eventually('the rest to be gone', () => !isRunning(pid))
  })

  it('cancelled before it began, does not go on', async () => {
    expect(await failure(run('sleep 300', { signal: AbortSignal.abort() }))).toMatchObject({ code: 'CANCELLED' })
  })
})

describe('payloads', () => {
  it.each(['hello', 'two\nlines\n', '', '{"a":'])('%j is text, because it is not JSON', (written) => {
    expect(payloadOf(bytes(`${written}\n`))).toBe(written)
  })

  it.each([
    '{"a":[1]}',
    '"x"',
    '12345678901234567890',
    '1e999',
    '0.1000',
    '{"id":9007199254740993}',
    '{"b":1.0,"a":2,"b":3}',
    '[ "a  b", "\\u00e9\\n" ]',
  ])('I-12: %s is JSON, and crosses as it is written', (written) => {
    const payload = json(` ${written}\n`)
    expect(payload.text).toBe(written)
    expect(inputFor(payload)).toBe(`${written}\n`)
    if (written !== '"x"') expect(outputText(payload)).toBe(written)
  })

  it('I-12: JSON of many lines becomes one', () => {
    expect(json('{\n  "a": "x  y",\r\n\t"b": [\n1 ]\n}\n').text).toBe('{"a": "x  y","b": [1 ]}')
  })

  it('what is not UTF-8 is bytes', () => {
    expect(payloadOf(Buffer.from([0xff, 0xfe]))).toEqual(Buffer.from([0xff, 0xfe]))
    expect(outputText(JsonText.of({ $bytes: '/w==' }))).toEqual(Uint8Array.of(0xff))
  })

  it('a text is a text if that was said', () => {
    expect(payloadOf(bytes('5\n'), { isText: true })).toBe('5')
    expect(typedPayloadOf(bytes('[note] hi'), { isText: true })).toBe('[note] hi')
    const inputs = ['"hi"', '{"$bytes":"/w=="}', '{"a":1.0}'].map((text) => inputFor(json(text), { isText: true }))
    expect(inputs).toEqual(['hi', Uint8Array.of(0xff), '{"a":1.0}\n'])
  })

  it.each(['{"a":', '[1,', '"x'])('typed, %j is a mistake', (written) => {
    expect(() => typedPayloadOf(bytes(written))).toThrow(/looks like JSON and is not/)
  })

  it('what a command learns of its task', () => {
    const task = { agent: 'a1', task: 't1', attempt: 2, skill: 's', input: null, tenant: 'default', leaseMs: 1000 }
    expect(environmentOf(task, 0)).toEqual({
      SWARM_TASK_ID: 't1',
      SWARM_SKILL: 's',
      SWARM_ATTEMPT: '2',
      SWARM_DEADLINE: undefined,
    })
    const late = environmentOf({ ...task, deadlineMs: 60_000, runTimeoutMs: 1_500 }, 0)
    expect(late.SWARM_DEADLINE).toBe('1970-01-01T00:00:01.500Z')
  })
})
