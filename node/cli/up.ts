import type { Command } from 'commander'
import { action, type Context, quoted } from './command.ts'
import { table } from './table.ts'
import { parseCount } from './values.ts'

/** As many processes as one machine has been seen to carry (design/quality.md, "scale"). */
const NODES_MAX = 100

export function registerUp(program: Command): void {
  program
    .command('up')
    .description('a local swarm of separate processes on loopback, for development')
    .option('--nodes <n>', 'how many (default: up.nodes of the configuration)', parseCount(1, NODES_MAX))
    .action(
      action<{ readonly nodes?: number }>(async (context, options) => {
        const { terminal, data, program: script } = context
        const nodeCount = options.nodes ?? (await configuredCount(context))
        const { LocalSwarm } = await import('../local-swarm.ts')
        const swarm = new LocalSwarm({ directory: LocalSwarm.directoryOf(data), program: script, detached: true })
        const down = ` --data ${quoted(data)}`
        let isAnyUp = false
        const starting = terminal.meter('starting', nodeCount)
        const finding = terminal.meter('finding each other', nodeCount)
        starting.update(0)
        try {
          const nodes = await swarm.up(nodeCount, {
            started: (node, count) => {
              isAnyUp = true
              starting.update(count, node.name)
            },
            seen: (count) => finding.update(count),
          })
          finding.end()
          const rows = nodes.map(({ name, data: directory, socket, status }) => {
            return { name, node: status.node, data: directory, socket, addresses: status.addresses, pid: status.pid }
          })
          terminal.result({ nodes: rows }, () => {
            const cells = rows.map((row) => [row.name, row.node, String(row.pid), row.addresses[0] ?? '-'])
            return table(['NAME', 'NODE', 'PID', 'ADDRESS'], cells, terminal.columns)
          })
          const around = `swarm-node peers --data ${quoted(rows[0]?.data ?? '')}`
          terminal.say(`Look around: ${around}\nStop them:   swarm-node down${down}`)
          return 0
        } catch (cause) {
          finding.end()
          if (isAnyUp) terminal.say(`Those that did start still run; stop them with: swarm-node down${down}`)
          throw cause
        }
      }),
    )
}

async function configuredCount({ config, given, env }: Context): Promise<number> {
  const { resolveSettings } = await import('../settings.ts')
  return resolveSettings({ config, ...given, listen: [], labels: {} }, env).config.up.nodes
}
