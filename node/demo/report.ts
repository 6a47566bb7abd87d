import { table } from '../cli/table.ts'
import type { Colours } from '../cli/terminal.ts'
import type { PeersSeen } from './members.ts'
import type { Percentiles, Share, Tally } from './tally.ts'

/** The figures of a run, for people. */
export function reportOf(tally: Tally, places: ReadonlyMap<string, string>, colours: Colours): string {
  const { submitted, completed, lost, acceptedTwice, doubleExecutions, retries } = tally
  const none = (count: number) => (count === 0 ? colours.green('0') : colours.red(String(count)))
  return [
    line('submitted', String(submitted)),
    line('completed', String(completed)),
    line('lost', none(lost)),
    line('accepted twice', none(acceptedTwice)),
    line(
      'double executions',
      `${doubleExecutions}   ${colours.dim('finished by two agents; one result was accepted')}`,
    ),
    line('retries', `${retries}   ${colours.dim('attempts lost with their agent or node, and made again')}`),
    line('submit to award', `${percentiles(tally.awardMs)}   ${colours.dim("by the coordinators' clocks, whole ms")}`),
    line('submit to response', percentiles(tally.responseMs)),
    line(
      'share per node',
      shares(tally.byNode, completed, (node) => places.get(node) ?? node),
    ),
    line(
      'share per agent',
      shares(tally.byAgent, completed, (agent) => agent),
    ),
  ].join('\n')
}

/** Every member as every node sees it: who it is, and how far it is from each. */
export function membersTable(views: readonly PeersSeen[], columns: number): string {
  const headings = ['MEMBER', 'REGION', 'ROLES', 'LOAD', ...views.map(({ name }) => name)]
  const rows = views.map((member) => {
    const seen = views.map((view) => view.peers.find((peer) => peer.node === member.node))
    const told = seen.find((peer) => peer !== undefined)
    const latencies = seen.map((peer) =>
      peer === undefined ? '-' : `${peer.state === 'alive' ? '' : `${peer.state} `}${msOf(peer.rttMs)}`,
    )
    const load = told?.load === null || told === undefined ? '-' : `${Math.round(told.load * 100)}%`
    return [member.name, told?.region ?? '-', told?.roles.join(',') ?? '-', load, ...latencies]
  })
  return table(headings, rows, columns)
}

function msOf(ms: number | null): string {
  return ms === null ? '-' : `${ms.toFixed(1)} ms`
}

function line(what: string, figure: string): string {
  return `  ${what.padEnd(20)}${figure}`
}

function percentiles({ p50, p95, p99 }: Percentiles): string {
  return `p50 ${p50.toFixed(0)} ms, p95 ${p95.toFixed(0)} ms, p99 ${p99.toFixed(0)} ms`
}

function shares(of: readonly Share[], total: number, nameOf: (name: string) => string): string {
  const rows = of.map(({ name, count }) => ({ name: nameOf(name), share: Math.round((100 * count) / total) }))
  return rows
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .map(({ name, share }) => `${name} ${share}%`)
    .join(', ')
}
