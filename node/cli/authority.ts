import type { Command } from 'commander'
import { action, type Context } from './command.ts'

export function registerAuthority(program: Command): void {
  const authority = program
    .command('authority')
    .description('the key with which an organisation certifies its nodes; needs no daemon')
  authority
    .command('create')
    .description(
      'make one in the data directory of the node that is to make its tickets; the council decides what it may',
    )
    .action(action(create))
  authority.command('show').description('print its id').action(action(show))
}

async function create({ terminal, data }: Context): Promise<number> {
  const { makeAuthority } = await import('../keys.ts')
  const { node: key } = makeAuthority(data)
  terminal.say(
    `To have it decided, where the founding organisation's key is: swarm-node council propose org --name NAME --key ${key} --seats N`,
  )
  terminal.result({ key }, () => key)
  return 0
}

async function show({ terminal, data }: Context): Promise<number> {
  const [{ authorityOf }, { SwarmError }] = await Promise.all([import('../keys.ts'), import('../../src/index.ts')])
  const key = authorityOf(data)?.node
  if (key === undefined)
    throw new SwarmError('NOT_FOUND', `${data} holds no organisation's key: authority create makes one`)
  terminal.result({ key }, () => key)
  return 0
}
