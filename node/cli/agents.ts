import type { Command } from 'commander'
import type { AgentReport } from '../../src/index.ts'
import { action, withDaemon } from './command.ts'

/** Rows of one answer. */
const PAGE_MAX = 1_000

export function registerAgents(program: Command): void {
  program
    .command('agents')
    .description('the agents that are attached to this node, and how busy they are')
    .action(
      action(async (context) => {
        const { describeAgents } = await import('./task-words.ts')
        const agents = await withDaemon(context, async (client) => {
          const agents: AgentReport[] = []
          let next: string | undefined
          do {
            const page = next === undefined ? {} : { after: next }
            const answer = await client.call('node.agents', { limit: PAGE_MAX, ...page })
            agents.push(...answer.agents)
            next = answer.next
          } while (next !== undefined)
          return agents
        })
        context.terminal.result({ agents }, (shown) => describeAgents(shown.agents, context, Date.now()))
        return 0
      }),
    )
}
