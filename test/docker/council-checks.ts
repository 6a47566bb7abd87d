import type { CouncilStatusReport, NodeStatus } from '../../src/index.ts'
import { eventually } from '../support/eventually.ts'
import { type Check, memberNamed, othersOf, othersSee } from './check.ts'
import type { ContainerSwarm, Member } from './container-swarm.ts'

const SEATED_MS_MAX = 60_000
const CAUGHT_UP_MS_MAX = 30_000
const RETURN_MS_MAX = 30_000
/** Everywhere within two seconds, and as long again for the commands that ask four containers. */
const REVOKED_MS_MAX = 4_000
const TOLD_MS_MAX = 30_000
/** Any two of them are more than a council of four or five can do without. */
const VALIDATORS = ['gate', 'east-1', 'west-1', 'west-2']

/** The council, in this order. The last leaves one member outside for good. */
export const COUNCIL_CHECKS: readonly Check[] = [
  { what: 'the council has validators in both regions', run: seated },
  { what: 'a validator cut off: the others decide, and it catches up', run: oneCutOff },
  { what: 'two cut off: nothing is decided, and who is missing is said', run: noQuorum },
  { what: 'a revoked node is let go by all and does not come back', run: revoked },
]

async function seated(swarm: ContainerSwarm): Promise<string> {
  const wanted = VALIDATORS.map((name) => memberNamed(swarm, name).node)
  const startMs = Date.now()
  const status = await eventually(
    'them to vote',
    async () => {
      const found = await councilAt(swarm, 'gate')
      const missing = wanted.find((node) => !found.members.some((member) => member.node === node))
      if (missing === undefined) return found.members.every(({ state }) => state === 'voting') && found
      await swarm.exec('gate', 'swarm-node', 'council', 'propose', 'validator', '--add', missing)
      return undefined
    },
    SEATED_MS_MAX,
  )
  return `quorum ${status.quorum} of ${status.members.length} after ${((Date.now() - startMs) / 1000).toFixed(1)} s`
}

async function oneCutOff(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'west-2')
  await swarm.disconnect(member.name, 'west')
  const startMs = Date.now()
  for (const word of ['first', 'second', 'third']) await decide(swarm, word)
  const tookMs = Date.now() - startMs
  const { height } = await councilAt(swarm, 'gate')
  await swarm.connect(member.name, 'west')
  const backMs = Date.now()
  await caughtUp(swarm, member.name, height)
  return `3 decisions in ${(tookMs / 1000).toFixed(1)} s, height ${height} known ${Date.now() - backMs} ms after it was back`
}

async function noQuorum(swarm: ContainerSwarm): Promise<string> {
  const cut = ['west-1', 'west-2'].map((name) => memberNamed(swarm, name))
  const before = await councilAt(swarm, 'gate')
  for (const { name } of cut) await swarm.disconnect(name, 'west')
  const refusal = await decide(swarm, 'fourth').then(
    () => undefined,
    (cause: Error) => cause.message,
  )
  if (refusal === undefined) throw new Error('it was decided without them')
  for (const { node } of cut) {
    if (!refusal.includes(node)) throw new Error(`who is missing is not said: ${refusal}`)
  }
  const { height } = await councilAt(swarm, 'gate')
  if (height !== before.height) throw new Error(`it went from height ${before.height} to ${height}`)
  for (const { name } of cut) await swarm.connect(name, 'west')
  for (const member of cut) await othersSee(swarm, member, 'alive', RETURN_MS_MAX)
  const startMs = Date.now()
  await decide(swarm, 'fifth')
  const healed = await councilAt(swarm, 'gate')
  for (const { name } of cut) await caughtUp(swarm, name, healed.height)
  return `refused, both named; healed, the next decision took ${((Date.now() - startMs) / 1000).toFixed(1)} s`
}

async function revoked(swarm: ContainerSwarm): Promise<string> {
  const member = memberNamed(swarm, 'east-2')
  await swarm.exec('gate', 'swarm-node', 'council', 'propose', 'revoke', '--node', member.node)
  const decidedMs = Date.now()
  await letGo(swarm, member, REVOKED_MS_MAX)
  const tookMs = Date.now() - decidedMs
  await knowsIt(swarm, member)
  await swarm.restart(member.name)
  await knowsIt(swarm, member)
  await letGo(swarm, member, REVOKED_MS_MAX)
  return `nobody had it ${tookMs} ms after the decision was told, nor after its restart`
}

/** Waits until it is alive to nobody. */
async function letGo(swarm: ContainerSwarm, member: Member, boundMs: number): Promise<void> {
  const gone = othersOf(swarm, member).map(({ name }) =>
    eventually(
      `${name} to let ${member.name} go`,
      async () => (await swarm.view(name, member))?.state !== 'alive',
      boundMs,
    ),
  )
  await Promise.all(gone)
}

async function knowsIt(swarm: ContainerSwarm, { name }: Member): Promise<void> {
  await eventually(
    `${name} to know that it is revoked`,
    async () => {
      const said = await swarm.exec(name, 'swarm-node', 'status', '--json').catch(() => undefined)
      return said !== undefined && (JSON.parse(said) as NodeStatus).state === 'revoked'
    },
    TOLD_MS_MAX,
  )
}

/** Has the council put an override of that name into force. */
async function decide(swarm: ContainerSwarm, word: string): Promise<void> {
  const override = ['--subject', 'docker', '--action', word, '--ttl', '1h']
  await swarm.exec('gate', 'swarm-node', 'council', 'propose', 'override', ...override)
}

function councilAt(swarm: ContainerSwarm, name: string): Promise<CouncilStatusReport> {
  return swarm.ask(name, 'council', 'status')
}

async function caughtUp(swarm: ContainerSwarm, name: string, height: number): Promise<void> {
  await eventually(
    `${name} to have decided ${height}`,
    async () => (await councilAt(swarm, name)).height >= height,
    CAUGHT_UP_MS_MAX,
  )
}
