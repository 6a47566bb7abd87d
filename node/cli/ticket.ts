import type { Command } from 'commander'
import { action, withDaemon } from './command.ts'
import { collect, parseCount, parseDuration } from './values.ts'

interface TicketOptions {
  readonly role?: readonly string[]
  readonly org?: string
  readonly ttl?: number
  readonly uses?: number
}

export function registerTicket(program: Command): void {
  program
    .command('ticket')
    .description('join tickets')
    .command('create')
    .description('print a ticket with which another host joins')
    .option('--role <role>', 'a role the newcomer gets; several times (default: worker, custodian, validator)', collect)
    .option('--org <org>', "the newcomer's organisation (default: this node's)")
    .option('--ttl <duration>', 'how long the ticket holds, for example 24h', parseDuration)
    .option('--uses <n>', 'how many newcomers may use it', parseCount(1, 1_000_000))
    .action(
      action<TicketOptions>(async (context, options) => {
        const params = {
          ...(options.role === undefined ? {} : { roles: [...options.role] }),
          ...(options.org === undefined ? {} : { org: options.org }),
          ...(options.ttl === undefined ? {} : { ttlMs: options.ttl }),
          ...(options.uses === undefined ? {} : { uses: options.uses }),
        }
        const made = await withDaemon(context, (client) => client.call('ticket.create', params))
        context.terminal.say(`Holds until ${made.expiresAt}. On the other host: swarm-node start --join TICKET`)
        context.terminal.result(made, ({ ticket }) => ticket)
        return 0
      }),
    )
}
