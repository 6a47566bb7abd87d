import { readFileSync } from 'node:fs'
import { CLAIMS_PROFILES, type ClaimsParams } from '../../src/claims/index.ts'
import { DIRECTORY_PROFILES } from '../../src/directory/index.ts'
import { Random } from '../../src/kernel/index.ts'
import { MEMBERSHIP_PROFILES, type MembershipParams } from '../../src/membership/index.ts'
import {
  type Boot,
  bootSwarm,
  type Contact,
  type Host,
  LAN,
  type Latency,
  matrixLatency,
  type NodeParts,
  parseLatencyMatrix,
  type RunResult,
  reservedOn,
  runScenario,
  type Scenario,
  SimKeys,
  type SwarmBootOptions,
  type SwarmProgram,
  simAddress,
  simNodeId,
  WAN,
} from '../../src/sim/index.ts'
import { composeSwarm, type Swarm } from '../../src/swarm/index.ts'
import { sealerOf } from '../support/sealer.ts'
import { ClaimsLoad } from './claims-load.ts'
import { CouncilLoad } from './council-load.ts'
import { buildGoverned, planOf, rolesOf } from './council-node.ts'
import { isPayload } from './lies/making.ts'
import { LyingMembers } from './lies/members.ts'

/** Regions that a scenario over real distances is spread over. */
const REGIONS = 5

const MATRIX_FILE = new URL('../data/aws_21_regions_rtt_ms.csv', import.meta.url)

export function latencyOf(scenario: Scenario): Latency {
  if (scenario.latency === 'lan') return LAN
  if (scenario.latency === 'wan') return WAN
  const matrix = parseLatencyMatrix(readFileSync(MATRIX_FILE, 'utf8'))
  return matrixLatency('aws', matrix, REGIONS, new Random(`${scenario.seed}/regions`))
}

export function paramsOf(scenario: Scenario): MembershipParams {
  return scenario.latency === 'lan' ? MEMBERSHIP_PROFILES.lan : MEMBERSHIP_PROFILES.wan
}

/** Puts a node together as it ships, or with a bug in it. */
export type Build = (parts: NodeParts, params: MembershipParams, host: Host) => Swarm

export const buildNode: Build = (parts, params) =>
  composeSwarm({
    isPayload: () => true,
    seal: sealerOf(parts.signer.node),
    ...parts,
    params: { membership: params, directory: DIRECTORY_PROFILES.lan, claims: CLAIMS_PROFILES.lan },
  })

/** Small tables, so that a liar comes to their bounds. */
const CROWDED_CLAIMS: ClaimsParams = {
  ...CLAIMS_PROFILES.lan,
  holdsMax: 128,
  holdsPerPeerMax: 48,
  demandsMax: 1_500,
  tenantsMax: 150,
  requestsMax: 200,
  transfersPerPeerMax: 32,
  transferBytesPerPeerMax: 2 * 1024 * 1024,
  outboxMessagesMax: 128,
  tracksMax: 1_000,
}

/** What agents and clients take is not everything, as in a daemon. */
const buildAmongLiars: Build = (parts, params) =>
  composeSwarm({
    isPayload,
    seal: sealerOf(parts.signer.node),
    ...parts,
    params: { membership: params, directory: DIRECTORY_PROFILES.lan, claims: CROWDED_CLAIMS },
  })

function buildCouncilNode(scenario: Scenario): Build {
  return (parts, params) => buildGoverned(parts, params, scenario)
}

/** The first machine, which everyone is told of, and some that came before. */
function contactsOf(scenario: Scenario, host: Host): readonly Contact[] {
  if (host.machine === 0) return []
  const random = new Random(`${scenario.seed}/contacts/${host.machine}`)
  const earlier = Array.from({ length: Math.min(host.machine, scenario.nodes) - 1 }, (_, i) => i + 1)
  const machines = [0, ...random.sample(earlier, scenario.contacts - 1)]
  return machines.map((machine) => ({ node: simNodeId(machine), addresses: [simAddress(machine)] }))
}

export interface RunChoices {
  readonly build?: Build
  readonly onTrace?: ((line: string) => void) | undefined
}

/** Runs a scenario with the membership that ships. */
export function run(scenario: Scenario, choices: RunChoices = {}): RunResult {
  const params = paramsOf(scenario)
  const council = scenario.name === 'council' ? new CouncilLoad(scenario) : undefined
  const liars = scenario.name === 'claims-liar' ? new LyingMembers(scenario) : undefined
  const usual = council !== undefined ? buildCouncilNode(scenario) : liars !== undefined ? buildAmongLiars : buildNode
  const build = choices.build ?? usual
  // Campaigns about claims and the council have work to do; the others watch an idle swarm.
  const claims = scenario.name === 'claims' || liars !== undefined ? new ClaimsLoad(liars) : undefined
  const load = claims ?? council
  const plan = council === undefined ? undefined : planOf(scenario)
  const boot = (options: SwarmBootOptions): Boot<SwarmProgram> => liars?.boot(options) ?? bootSwarm(options)
  return runScenario<SwarmProgram>({
    scenario,
    latency: latencyOf(scenario),
    boot: boot({
      keys: new SimKeys(scenario.seed),
      contactsOf: (host) => contactsOf(scenario, host),
      build: (parts, host) => build(parts, params, host),
      perform: (host, effect) => claims?.perform(host, effect),
      decided: (host, id, outcome) => council?.decided(host, id, outcome),
      ...(plan === undefined ? {} : { rolesOf: (host) => rolesOf(plan, host) }),
    }),
    load,
    // Whoever is revoked is cut off for good, as are liars for a while: nobody's view of membership is to be judged by that.
    judgesMembership: council === undefined && liars === undefined,
    // M-5 allows 8 s where round trips take up to 400 ms (membership/params.ts).
    bounds: { convergeMs: 30_000, detectMs: scenario.latency === 'lan' ? 5_000 : 8_000 },
    leave: (program) => program.leave(),
    membersMax: params.membersMax,
    linksMax: params.linksMax,
    readEveryMs: scenario.nodes <= 32 ? 0 : 20_000,
    suspicionMsMin: params.suspicionLostMinMs,
    reservedOn,
    onTrace: choices.onTrace,
  })
}
