import type { Command } from 'commander'
import type { NodeStatus } from '../../src/index.ts'
import { isShutOut, SHUT_OUT_WORDS, type ShutOutState } from '../shut-out.ts'
import { action, withDaemon } from './command.ts'
import type { Terminal } from './terminal.ts'
import { formatSeconds } from './values.ts'

export function registerStatus(program: Command): void {
  program
    .command('status')
    .description('what this node knows of itself')
    .action(
      action(async (context) => {
        const status = await withDaemon(context, (client) => client.call('node.status', {}))
        context.terminal.result(status, (shown) => describeStatus(shown, context.terminal))
        return 0
      }),
    )
}

function describeStatus(status: NodeStatus, { colours }: Terminal): string {
  const tasks = Object.entries(status.tasks).filter(([, count]) => count > 0)
  const rows: readonly (readonly [string, string])[] = [
    ['node', colours.bold(status.node)],
    ['swarm', status.swarm],
    ['state', status.state === 'running' ? colours.green(status.state) : colours.yellow(status.state)],
    ['version', status.version],
    ['up', formatSeconds(status.uptimeSeconds)],
    ['certified', `until ${status.certificateExpiresAt}`],
    ['roles', status.roles.join(', ') || 'none'],
    ['place', [status.region, status.zone].filter((part) => part !== '').join(' / ') || 'not set'],
    ...status.addresses.map((address, i) => [i === 0 ? 'addresses' : '', address] as const),
    ['socket', status.socket],
    ...(status.http === undefined ? [] : [['http', `http://${status.http}`] as const]),
    ['agents', String(status.agents)],
    ['tasks', tasks.map(([state, count]) => `${count} ${state}`).join(', ') || 'none'],
    ['journals', String(status.journals)],
    [
      'process',
      `${status.pid}, ${Math.round(status.memoryBytes / 1024 / 1024)} MiB, lag ${status.eventLoopLagMs.toFixed(1)} ms`,
    ],
  ]
  const facts = rows.map(([name, value]) => `${colours.dim(name.padEnd(10))} ${value}`)
  return [...facts, ...(isShutOut(status.state) ? ['', shutOutText(status.state)] : [])].join('\n')
}

function shutOutText(state: ShutOutState): string {
  const { what, wayBack } = SHUT_OUT_WORDS[state]
  return `${what.charAt(0).toUpperCase()}${what.slice(1)}: nobody talks to it. ${wayBack}`
}
