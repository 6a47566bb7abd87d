import type { ClaimsObservation } from '../claims/index.ts'
import type { ConsensusObservation } from '../consensus/index.ts'
import type { DirectoryObservation } from '../directory/index.ts'
import type { NodeId } from '../kernel/index.ts'
import type { MembershipObservation } from '../membership/index.ts'
import type { RenewalObservation } from '../renewal/index.ts'
import type { Lane, MessageKind, SendOutcome } from '../wire/index.ts'

/** What the cores tell people. */
export type CoreObservation =
  | MembershipObservation
  | MemberObservation
  | DirectoryObservation
  | RenewalObservation
  | ClaimsObservation
  | ConsensusObservation
  | CouncilObservation

/** Members coming and going, as seen from this node: the composite core makes them from membership's events. */
export type MemberObservation =
  | { readonly kind: 'member-up'; readonly node: NodeId; readonly region: string; readonly zone: string }
  | { readonly kind: 'member-cleared'; readonly node: NodeId }
  | { readonly kind: 'member-suspect'; readonly node: NodeId }
  | { readonly kind: 'member-down'; readonly node: NodeId }
  | { readonly kind: 'member-left'; readonly node: NodeId }

/** What the council has decided, as far as it concerns this node. */
export type CouncilObservation =
  | { readonly kind: 'council-revoked'; readonly node: NodeId }
  | { readonly kind: 'council-expelled'; readonly node: NodeId; readonly org: string }
  /** This very node: whoever it is linked to ends that. */
  | { readonly kind: 'council-revoked-here'; readonly node: NodeId }
  /** The key that has certified this very node no longer speaks for its organisation. */
  | { readonly kind: 'council-unvouched-here'; readonly node: NodeId }
  | { readonly kind: 'council-parameter'; readonly name: string; readonly value: string }

/** What the loop around them tells people. */
export type HostObservation =
  | CoreObservation
  | {
      readonly kind: 'dial-failed'
      readonly peer: NodeId | undefined
      readonly address: string
      readonly code: string
      readonly message: string
    }
  | { readonly kind: 'link-gap'; readonly peer: NodeId; readonly lane: Lane }
  | {
      readonly kind: 'send-refused'
      readonly peer: NodeId
      readonly message: MessageKind
      readonly outcome: SendOutcome
    }
  | {
      readonly kind: 'message-malformed'
      readonly peer: NodeId
      readonly message: MessageKind
      readonly reason: string
    }

type Kind = HostObservation['kind']
type Of<K extends Kind> = Extract<HostObservation, { readonly kind: K }>

/** How one kind of observation reaches people. */
export interface ObservationRow<K extends Kind> {
  readonly module: 'membership' | 'directory' | 'renewal' | 'claims' | 'consensus' | 'council' | 'link' | 'net'
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  /** The log line, and the text of the event. */
  message(observation: Of<K>): string
  /** Whether `events --follow` and the dashboard show it. */
  readonly event: boolean
  /** Every row is a counter `swarm_node_<kind>_total`; this is its help text. */
  readonly help: string
}

/** R-5: one row for every kind. */
export const OBSERVATIONS: { readonly [K in Kind]: ObservationRow<K> } = {
  'member-up': {
    module: 'membership',
    level: 'info',
    event: true,
    help: 'Members seen to come up, restarts included.',
    message: (o) => `${o.node} is up${o.region === '' ? '' : ` in ${o.region}`}`,
  },
  'member-cleared': {
    module: 'membership',
    level: 'info',
    event: true,
    help: 'Suspicions that were refuted.',
    message: (o) => `${o.node} has refuted the suspicion`,
  },
  'member-suspect': {
    module: 'membership',
    level: 'info',
    event: true,
    help: 'Members that came under suspicion.',
    message: (o) => `${o.node} does not answer and is suspect`,
  },
  'member-down': {
    module: 'membership',
    level: 'warn',
    event: true,
    help: 'Members declared dead.',
    message: (o) => `${o.node} is dead`,
  },
  'member-left': {
    module: 'membership',
    level: 'info',
    event: true,
    help: 'Members that said good-bye.',
    message: (o) => `${o.node} has left`,
  },
  lagging: {
    module: 'membership',
    level: 'warn',
    event: true,
    help: 'Times this process was itself late, so that its time-outs were stretched.',
    message: (o) => `this node was ${Math.round(o.lagMs)} ms late: its time-outs are stretched, check its host's load`,
  },
  health: {
    module: 'membership',
    level: 'debug',
    event: false,
    help: 'Changes of the local health score.',
    message: (o) => `local health is ${o.score}`,
  },
  suspected: {
    module: 'membership',
    level: 'debug',
    event: false,
    help: 'Suspicions raised or confirmed.',
    message: (o) => `${o.by} suspects ${o.node}`,
  },
  refuted: {
    module: 'membership',
    level: 'warn',
    event: true,
    help: 'Times this node was suspected or declared dead and said that it lives.',
    message: (o) => `${o.by} took this node for dead; refuted with incarnation ${o.incarnation}`,
  },
  down: {
    module: 'membership',
    level: 'debug',
    event: false,
    help: 'Suspicions that ended in a verdict.',
    message: (o) => `${o.node} is dead after ${Math.round(o.suspectedMs)} ms, ${o.confirmations} others confirm`,
  },
  twin: {
    module: 'membership',
    level: 'error',
    event: true,
    help: 'Signs of a second process with the same key.',
    message: (o) => `${o.node} runs twice: ${o.advice}`,
  },
  rejected: {
    module: 'membership',
    level: 'warn',
    event: true,
    help: 'Statements of members that were refused.',
    message: (o) => `what ${o.from} passed on about ${o.node} was refused: ${o.reason}`,
  },
  'table-full': {
    module: 'membership',
    level: 'error',
    event: true,
    help: 'Newcomers that found no room in the member table.',
    message: (o) => `the member table is full: ${o.node} was not taken in`,
  },
  overlay: {
    module: 'membership',
    level: 'debug',
    event: false,
    help: 'Changes of the overlay of neighbours.',
    message: (o) => `${o.mode} of ${o.neighbours} neighbours among ${o.members} members`,
  },
  'digest-published': {
    module: 'directory',
    level: 'debug',
    event: false,
    help: 'Digests of this node that went out.',
    message: (o) => `digest ${o.version} published (${o.reason})`,
  },
  'digest-rejected': {
    module: 'directory',
    level: 'warn',
    event: true,
    help: 'Digests of others that were refused.',
    message: (o) => `a digest of ${o.node}, passed on by ${o.from}, was refused: ${o.reason}`,
  },
  'directory-full': {
    module: 'directory',
    level: 'error',
    event: true,
    help: 'Members whose digest found no room.',
    message: (o) => `the directory is full: the digest of ${o.node} was not taken in`,
  },
  'task-retried': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Attempts that did not succeed and are to be repeated.',
    message: (o) => `${o.task}: attempt ${o.attempt} at ${o.node} did not succeed (${o.cause}), it is tried again`,
  },
  'task-failed': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Tasks that failed for good.',
    message: (o) => `${o.task} has failed: ${o.code}: ${o.message}`,
  },
  'task-dead-lettered': {
    module: 'claims',
    level: 'error',
    event: true,
    help: 'Tasks given up after all their attempts.',
    message: (o) => `${o.task} is given up after ${o.attempts} attempts: ${o.message}`,
  },
  'task-recovered': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Restarts that found open tasks in the log.',
    message: (o) => `${o.count} open tasks were found in the log; ${o.executors} nodes may hold leases of them`,
  },
  'execution-doubled': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Tasks that were started more often than they had to be (T-13).',
    message: (o) => `${o.task} was started ${o.executions} times: ${o.cause}`,
  },
  'lease-lapsed': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Leases that ended without a word from their executor.',
    message: (o) => `the lease of ${o.task} at ${o.node} has lapsed, attempt ${o.attempt}`,
  },
  'result-refused': {
    module: 'claims',
    level: 'info',
    event: false,
    help: 'Results that changed nothing.',
    message: (o) => `a result of ${o.task} from ${o.from} was refused: ${o.verdict}`,
  },
  'agent-answer-ignored': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Answers of agents to tasks they did not hold.',
    message: (o) => `what agent ${o.agent} says about ${o.task} is ignored: ${o.reason}`,
  },
  'agent-attached': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Agents that attached.',
    message: (o) => `agent ${o.name} has attached: ${o.skills.join(', ')}`,
  },
  'agent-silent': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Agents that did not say what they promised to say, so that their tasks were offered again (T-14).',
    message: (o) => `agent ${o.name} is silent: the ${o.running} tasks that it ran are offered again`,
  },
  'agent-heard': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Agents that were silent and are heard again.',
    message: (o) => `agent ${o.name} is heard again, and may take tasks`,
  },
  'agent-gone': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Agents that detached or were lost.',
    message: (o) => `agent ${o.name} is gone (${o.reason}), it ran ${o.running} tasks`,
  },
  'executor-shunned': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Executors that fail what they take on and are left alone for a while (T-12).',
    message: (o) =>
      `${o.executor} has failed ${o.failures} times in a row at ${o.skill} and gets none for ${o.forMs} ms`,
  },
  'executor-trusted': {
    module: 'claims',
    level: 'info',
    event: true,
    help: 'Executors that were shunned and do well again.',
    message: (o) => `${o.executor} does well again at ${o.skill}`,
  },
  'submission-refused': {
    module: 'claims',
    level: 'debug',
    event: false,
    help: 'Submissions that were refused for want of room.',
    message: (o) => `a task of class ${o.priority} of ${o.tenant} was refused: ${o.code}`,
  },
  'claims-malformed': {
    module: 'claims',
    level: 'warn',
    event: true,
    help: 'Messages of the contract net that made no sense.',
    message: (o) => `${o.message} from ${o.peer} makes no sense: ${o.reason}`,
  },
  renewed: {
    module: 'renewal',
    level: 'info',
    event: true,
    help: 'Times that the certificate of this node was renewed.',
    message: (o) => `the certificate of this node was renewed by ${o.by} and now ends at ${isoOf(o.expiresAt)}`,
  },
  'renewal-due': {
    module: 'renewal',
    level: 'warn',
    event: true,
    help: 'Times that the certificate of this node was due and nobody had renewed it.',
    message: (o) =>
      `the certificate of this node ends at ${isoOf(o.expiresAt)} and none of ${o.issuersCount} nodes that can renew it ` +
      `has: start the node of ${o.org} that holds its authority key (its founder), and see that this one can reach it; ` +
      `or start this node again with --join and a new ticket`,
  },
  'renewal-refused': {
    module: 'renewal',
    level: 'warn',
    event: true,
    help: 'Renewals of certificates that were refused, by this node or to it.',
    message: (o) => `${o.by} refused to renew the certificate of ${o.node}: ${o.reason}`,
  },
  'renewal-granted': {
    module: 'renewal',
    level: 'info',
    event: false,
    help: 'Certificates of others that this node has renewed.',
    message: (o) => `renewed the certificate of ${o.node}`,
  },
  'consensus.finalised': {
    module: 'consensus',
    level: 'debug',
    event: false,
    help: 'Blocks that became final.',
    message: (o) => `height ${o.height} is final, decided in view ${o.view} with ${o.operations} operations`,
  },
  'consensus.view-skipped': {
    module: 'consensus',
    level: 'info',
    event: true,
    help: 'Views that a quorum skipped.',
    message: (o) => `view ${o.view} of ${o.primary} was skipped: it proposed nothing in time`,
  },
  'consensus.checkpoint-stable': {
    module: 'consensus',
    level: 'debug',
    event: false,
    help: 'Checkpoints that a quorum signed.',
    message: (o) => `the state at height ${o.height} is certified: ${o.root}`,
  },
  'consensus.epoch-started': {
    module: 'consensus',
    level: 'info',
    event: true,
    help: 'Changes of a membership.',
    message: (o) => `epoch ${o.epoch} has begun with ${o.members.length} members: ${o.members.join(', ')}`,
  },
  'consensus.equivocation': {
    module: 'consensus',
    level: 'error',
    event: true,
    help: 'Members caught signing two things of which no correct member signs both.',
    message: (o) => `${o.signer} has signed ${o.votes}: it lies, or runs twice with one key`,
  },
  'consensus.bad-signature': {
    module: 'consensus',
    level: 'warn',
    event: true,
    help: 'Bad signatures on messages of consensus.',
    message: (o) => `${o.from} sent a bad signature on ${o.what}`,
  },
  'consensus.refused': {
    module: 'consensus',
    level: 'warn',
    event: true,
    help: 'Messages of consensus that were refused.',
    message: (o) => `${o.from}: ${o.why}`,
  },
  'consensus.abstaining': {
    module: 'consensus',
    level: 'warn',
    event: true,
    help: 'Times that this member stopped voting because it may have forgotten votes of its own.',
    message: (o) => `this member does not vote until the others have said where they are: ${o.why}`,
  },
  'consensus.voting-again': {
    module: 'consensus',
    level: 'info',
    event: true,
    help: 'Times that this member could vote again.',
    message: (o) => `this member votes again from view ${o.view} of epoch ${o.epoch} on`,
  },
  'consensus.state-transfer': {
    module: 'consensus',
    level: 'info',
    event: false,
    help: 'States that were taken over from others, begun and done.',
    message: (o) => `taking over the state at height ${o.height}: ${o.phase}`,
  },
  'consensus.roots-differ': {
    module: 'consensus',
    level: 'error',
    event: true,
    help: 'Times that this node computed another state than a quorum: a bug, or damaged memory.',
    message: (o) => `the state at height ${o.height} is ${o.ours} here and ${o.theirs} for a quorum: please report it`,
  },
  'council-revoked': {
    module: 'council',
    level: 'warn',
    event: true,
    help: 'Nodes whose membership the council ended.',
    message: (o) => `the council has revoked ${o.node}: it is out for good`,
  },
  'council-expelled': {
    module: 'council',
    level: 'warn',
    event: true,
    help: 'Nodes whose membership their own organisation has ended.',
    message: (o) => `${o.org} has ended the membership of ${o.node}: its certificates for it count no more`,
  },
  'council-parameter': {
    module: 'council',
    level: 'info',
    event: true,
    help: 'Cluster-wide parameters that the council has set.',
    message: (o) =>
      o.name.startsWith('council.')
        ? `${o.name} is ${o.value} from now on`
        : `${o.name} is ${o.value} from the next start of each node on: restart them one by one`,
  },
  'council-revoked-here': {
    module: 'council',
    level: 'error',
    event: true,
    help: 'Whether the council has ended the membership of this node.',
    message: (o) =>
      `the council has revoked this node (${o.node}): nobody talks to it any more, and it cannot come back. Stop it; ` +
      `to join again, start with an empty data directory and a new ticket`,
  },
  'council-unvouched-here': {
    module: 'council',
    level: 'error',
    event: true,
    help: 'Times that the certificate of this node ceased to count: its key was withdrawn, or its organisation ended the membership.',
    message: (o) =>
      `the council has withdrawn the key that signed the certificate of this node (${o.node}), or its organisation has ended its ` +
      'membership: nobody talks to it any more. Ask its organisation, or another, for a new ticket, and start it again with ' +
      '--join TICKET and the same data directory',
  },
  'dial-failed': {
    module: 'net',
    level: 'debug',
    event: false,
    help: 'Dials that failed.',
    message: (o) => `dialling ${o.peer ?? o.address} failed: ${o.code}: ${o.message}`,
  },
  'link-gap': {
    module: 'link',
    level: 'warn',
    event: true,
    help: 'Times a peer restarted or a buffer overflowed, so that numbered messages may be lost.',
    message: (o) => `messages to or from ${o.peer} on the ${o.lane} lane may be lost`,
  },
  'send-refused': {
    module: 'link',
    level: 'debug',
    event: false,
    help: 'Messages that a full queue or a missing link refused.',
    message: (o) => `${o.message} to ${o.peer} was not sent: ${o.outcome}`,
  },
  'message-malformed': {
    module: 'link',
    level: 'warn',
    event: true,
    help: 'Messages that did not decode.',
    message: (o) => `${o.peer} sent a malformed ${o.message}: ${o.reason}`,
  },
}

function isoOf(wall: number): string {
  return new Date(wall).toISOString()
}

/** The row of an observation, for who has one of any kind. */
export function rowOf(observation: HostObservation): ObservationRow<Kind> {
  return OBSERVATIONS[observation.kind] as ObservationRow<Kind>
}
