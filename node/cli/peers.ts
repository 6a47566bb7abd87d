import type { Command } from 'commander'
import type { PeerReport, PeersReport } from '../../src/index.ts'
import { action, type Context, withDaemon } from './command.ts'
import { free, table } from './table.ts'
import type { Colours } from './terminal.ts'
import { formatSeconds } from './values.ts'

export function registerPeers(program: Command): void {
  program
    .command('peers')
    .description('the members this node knows: state, roles, latency and load')
    .action(
      action(async (context) => {
        const report = await withDaemon(context, (client) => client.call('node.peers', {}))
        context.terminal.result(report, (shown) => describePeers(shown, context, Date.now()))
        return 0
      }),
    )
}

const HEADINGS = ['NODE', 'STATE', free('ROLES'), free('REGION'), free('ZONE'), 'RTT', 'LOAD', 'FOR']

export function describePeers({ peers }: PeersReport, { terminal, sameDaemon }: Context, wallNowMs: number): string {
  const { colours, columns } = terminal
  if (peers.length === 0) {
    return `no peers yet: this is a swarm of one\nto add a node, make a ticket here: swarm-node ticket create${sameDaemon}`
  }
  const rows = peers.map((peer) => [
    peer.node,
    paint(peer.state, colours),
    peer.roles.join(','),
    peer.region || '-',
    peer.zone || '-',
    peer.rttMs === null ? '-' : `${peer.rttMs.toFixed(1)} ms`,
    peer.load === null ? '-' : `${Math.round(peer.load * 100)}%`,
    formatSeconds(Math.max(0, wallNowMs - Date.parse(peer.since)) / 1000),
  ])
  return table(HEADINGS, rows, columns)
}

function paint(state: PeerReport['state'], colours: Colours): string {
  if (state === 'alive') return colours.green(state)
  if (state === 'suspect') return colours.yellow(state)
  return state === 'dead' ? colours.red(state) : colours.dim(state)
}
