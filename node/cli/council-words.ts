import { type CouncilConviction, type CouncilOutcome, formatDuration, type Shown } from '../../src/index.ts'

/** An act in words: what `council log` and `council verify` say of it. */
export function wordsOf(act: Shown | Pick<CouncilConviction, 'kind' | 'body'>): string {
  switch (act.kind) {
    case 'conviction':
      return `${act.body.node} convicted: it signed ${act.body.votes}`
    case 'tenant': {
      const quotas = Object.entries(act.body.quota).map(([resource, amount]) => `${resource} ≤ ${amount}`)
      return [`tenant ${act.body.name}: weight ${act.body.weight}`, ...quotas].join(', ')
    }
    case 'revoke':
      if (act.body.org !== undefined) return `membership of ${act.body.node} in ${act.body.org} revoked`
      return `membership of ${act.body.node} revoked`
    case 'org':
      if (act.body.keys.length === 0) return `organisation ${act.body.name} dissolved`
      return `organisation ${act.body.name}: ${act.body.seats} seats, keys ${act.body.keys.join(' ')}`
    case 'validator': {
      const added = act.body.add.map(({ node, org }) => `+ ${node} (${org})`)
      return `validators ${[...added, ...act.body.remove.map((node) => `- ${node}`)].join(', ')}`
    }
    case 'parameter':
      return `parameter ${act.body.name} = ${act.body.value}`
    case 'role': {
      const { tenant, subject, role, withdraw } = act.body
      return `role ${role} at ${tenant} ${withdraw ? 'withdrawn from' : 'for'} ${subject}`
    }
    case 'override': {
      const { subject, action, ttlMs } = act.body
      return ttlMs === 0
        ? `override ${action} of ${subject} ended`
        : `override ${action} of ${subject} for ${formatDuration(ttlMs)}`
    }
  }
}

/** What became of it, in words. */
export function outcomeWords(outcome: CouncilOutcome | CouncilConviction): string {
  if (outcome.outcome === 'voted') return `${outcome.votes} of ${outcome.needed} voices at height ${outcome.height}`
  return `decided at height ${outcome.height}`
}
