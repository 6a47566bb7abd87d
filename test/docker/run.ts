import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Check } from './check.ts'
import type { Docker } from './command.ts'
import { ContainerSwarm } from './container-swarm.ts'
import { COUNCIL_CHECKS } from './council-checks.ts'
import { DockerMissing, type Engine, findEngine } from './engine.ts'
import { buildImage, removeImages } from './images.ts'
import { MEMBERSHIP_CHECKS } from './membership-checks.ts'
import { WORK_CHECKS } from './work-checks.ts'

/*
 * `npm run docker`: builds the image and runs a swarm of five containers in two regions: two Docker networks, one node in
 * both. Exit 0: all held; 1: something did not; 3: Docker cannot be had here. Nothing stays behind but base images.
 */

const EXIT_FAILED = 1
const EXIT_NO_DOCKER = 3
/** The last of the council's leaves a member outside for good. */
const CHECKS: readonly Check[] = [...MEMBERSHIP_CHECKS, ...WORK_CHECKS, ...COUNCIL_CHECKS]
const RUN = `swarm-node-test-${process.pid}`

const interruption = new AbortController()
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (!interruption.signal.aborted) console.error('\ninterrupted: removing what was started')
    interruption.abort()
  })
}

process.exitCode = await main(interruption.signal)

async function main(signal: AbortSignal): Promise<number> {
  // What was begun last is undone first.
  const undo: (() => Promise<void>)[] = []
  try {
    const directory = await mkdtemp(join(tmpdir(), 'swarm-docker-'))
    undo.push(() => rm(directory, { recursive: true, force: true, maxRetries: 5 }))
    const engine = await step('looking for Docker', () => findEngine(directory, signal))
    undo.push(() => engine.end())
    console.log(`  ${engine.name}`)
    const failed = await tryOut(engine, directory, undo, signal)
    console.log(`${CHECKS.length - failed} passed, ${failed} failed`)
    return failed === 0 ? 0 : EXIT_FAILED
  } catch (cause) {
    if (cause instanceof DockerMissing) {
      console.error(`Docker cannot be had: ${cause.message}`)
      return EXIT_NO_DOCKER
    }
    if (!signal.aborted) console.error(cause instanceof Error ? cause.message : cause)
    return EXIT_FAILED
  } finally {
    for (const action of undo.reverse()) {
      await action().catch((cause: unknown) => console.error('cleaning up:', cause))
    }
  }
}

/** @returns how many checks failed */
async function tryOut(
  engine: Engine,
  directory: string,
  undo: (() => Promise<void>)[],
  signal: AbortSignal,
): Promise<number> {
  const { docker } = engine
  undo.push(() => removeImages(docker.uninterrupted(), RUN))
  const image = await buildImage({ docker, directory, signal, step }, RUN)
  console.log(`  ${await sizeOf(docker, image)}`)
  await engine.isolate()
  const swarm = new ContainerSwarm(docker, image, RUN)
  undo.push(() => swarm.remove())
  await step('starting five containers in two regions', () => startAll(swarm))
  let failed = 0
  for (const check of CHECKS) {
    try {
      console.log(`✓ ${check.what}: ${await check.run(swarm)}`)
    } catch (cause) {
      signal.throwIfAborted()
      failed += 1
      console.log(`✗ ${check.what}: ${cause instanceof Error ? cause.message : String(cause)}`)
    }
    if (check === CHECKS[0]) console.log(indented(await swarm.exec('gate', 'swarm-node', 'peers')))
  }
  if (failed > 0) for (const { name } of swarm.members) console.log(`${name}:\n${indented(await swarm.logs(name))}`)
  return failed
}

async function startAll(swarm: ContainerSwarm): Promise<void> {
  for (const region of ['east', 'west']) await swarm.createRegion(region)
  const gate = await swarm.start('gate', ['east', 'west'])
  const ticket = await swarm.ticket(gate.name)
  for (const region of ['east', 'west']) {
    for (const number of [1, 2]) await swarm.start(`${region}-${number}`, [region], ticket)
  }
}

async function sizeOf(docker: Docker, image: string): Promise<string> {
  const bytes = Number(await docker.run(['image', 'inspect', '--format', '{{.Size}}', image]))
  return `${(bytes / 1e6).toFixed(0)} MB`
}

async function step<T>(what: string, work: () => Promise<T>): Promise<T> {
  const startedAt = performance.now()
  process.stdout.write(`${what} … `)
  try {
    return await work()
  } finally {
    process.stdout.write(`${((performance.now() - startedAt) / 1000).toFixed(1)} s\n`)
  }
}

function indented(text: string): string {
  return text.replace(/^/gm, '  ')
}
