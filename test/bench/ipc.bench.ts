import { type ChildProcess, fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

/**
 * The local socket: round trip and requests/s of our protocol against a bare echo of the same lines, and the memory of
 * idle clients. Argument: how many idle clients (the default is 2,000).
 */

const CHILD = fileURLToPath(new URL('./ipc-child.ts', import.meta.url))
const ROUND_TRIPS = 5_000
const PIPELINE_DEPTH = 256
const PIPELINED = 50_000
const ROUNDS_COUNT = 3
const IDLE_CLIENTS = 2_000

const HELLO = '{"jsonrpc":"2.0","id":0,"method":"hello","params":{"protocol":1,"client":"bench/1"}}\n'

/** About 200 bytes, the size of the floors in design/quality.md. The method answers at once with nothing much. */
const request = (id: number) =>
  `{"jsonrpc":"2.0","id":${String(id).padStart(9, '1')},"method":"node.agents","params":{}${' '.repeat(110)}}\n`

interface Server {
  readonly name: string
  readonly child: ChildProcess
  readonly path: string
}

async function main(args: readonly string[]): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'snb-'))
  const servers = [await startServer('echo', directory), await startServer('daemon', directory)]
  console.log(`node ${process.version}, ${process.platform} ${process.arch}, ${request(1).length}-byte requests`)
  try {
    await compare('round trip, µs p50', servers, roundTripUs, (ours, floor) => ours / floor)
    await compare(`requests/s, ${PIPELINE_DEPTH} in flight`, servers, pipelinedPerSecond, (ours, floor) => ours / floor)
    await idle(servers[1], Number(args[0] ?? IDLE_CLIENTS))
  } finally {
    for (const { child } of servers) child.kill('SIGKILL')
    rmSync(directory, { recursive: true, force: true })
  }
}

async function compare(
  what: string,
  servers: readonly Server[],
  measure: (socket: Socket) => Promise<number>,
  ratio: (ours: number, floor: number) => number,
): Promise<void> {
  const samples = servers.map((): number[] => [])
  // Alternating, so that a slow moment of the machine hits both.
  for (let round = 0; round < ROUNDS_COUNT; round++) {
    for (const [i, server] of servers.entries()) {
      const socket = await greeted(server)
      samples[i]?.push(await measure(socket))
      socket.destroy()
    }
  }
  const [floor = 0, ours = 0] = samples.map(median)
  console.log(
    `${what.padEnd(32)} echo ${floor.toFixed(0).padStart(8)}   daemon ${ours.toFixed(0).padStart(8)}   ratio ${ratio(ours, floor).toFixed(2)}`,
  )
}

/** One request after the other. */
async function roundTripUs(socket: Socket): Promise<number> {
  const times: number[] = []
  for (let id = 1; id <= ROUND_TRIPS; id++) {
    const startedAt = performance.now()
    socket.write(request(id))
    await once(socket, 'data')
    times.push((performance.now() - startedAt) * 1000)
  }
  return median(times)
}

async function pipelinedPerSecond(socket: Socket): Promise<number> {
  let sent = 0
  let answered = 0
  const startedAt = performance.now()
  return new Promise((resolve) => {
    const send = (count: number) => {
      let lines = ''
      for (let i = 0; i < count && sent < PIPELINED; i++) {
        sent += 1
        lines += request(sent)
      }
      if (lines !== '') socket.write(lines)
    }
    socket.on('data', (bytes: Buffer) => {
      let count = 0
      for (let at = bytes.indexOf(10); at !== -1; at = bytes.indexOf(10, at + 1)) count += 1
      answered += count
      if (answered >= PIPELINED) resolve(PIPELINED / ((performance.now() - startedAt) / 1000))
      else send(count)
    })
    send(PIPELINE_DEPTH)
  })
}

async function idle(server: Server | undefined, clientCount: number): Promise<void> {
  if (server === undefined) return
  const before = await rssOf(server)
  const startedAt = performance.now()
  const sockets: Socket[] = []
  // In groups, because a queue of connections that wait to be accepted is short.
  for (let first = 0; first < clientCount; first += 100) {
    const group = Math.min(100, clientCount - first)
    sockets.push(...(await Promise.all(Array.from({ length: group }, () => greeted(server)))))
  }
  const seconds = (performance.now() - startedAt) / 1000
  const perClient = ((await rssOf(server)) - before) / clientCount / 1024
  console.log(
    `${clientCount} idle clients`.padEnd(32),
    `connected in ${seconds.toFixed(1)} s, ${perClient.toFixed(1)} KiB each at the daemon`,
  )
  for (const socket of sockets) socket.destroy()
}

async function rssOf({ child }: Server): Promise<number> {
  child.send('memory')
  const [{ rssBytes }] = await once(child, 'message')
  return rssBytes
}

async function startServer(name: string, directory: string): Promise<Server> {
  const path = join(directory, name)
  const child = fork(CHILD, [name, path], { execArgv: ['--expose-gc'] })
  await once(child, 'message')
  return { name, child, path }
}

/** A connection that has said hello and has its answer. */
async function greeted({ path }: Server): Promise<Socket> {
  const socket = connect(path)
  await once(socket, 'connect')
  socket.write(HELLO)
  await once(socket, 'data')
  return socket
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0
}

await main(process.argv.slice(2))
