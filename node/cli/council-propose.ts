import { type Command, InvalidArgumentError } from 'commander'
import { type ControlClient, type ParamsOf, SwarmError } from '../../src/index.ts'
import { action, type Context, needed, withDaemon } from './command.ts'
import { outcomeWords } from './council-words.ts'
import { collect, durationMs, parseCount, parseDuration } from './values.ts'

type Proposal = ParamsOf<'council.propose'>
type BodyOf<K extends Proposal['kind']> = Extract<Proposal, { kind: K }>['body']

interface Kind<Options> {
  readonly kind: Proposal['kind']
  readonly about: string
  readonly options: (command: Command) => Command
  readonly proposal: (options: Options) => Proposal
}

/** A kind of proposal with its flags. */
function kind<K extends Proposal['kind'], Options>(
  name: K,
  about: string,
  options: (command: Command) => Command,
  body: (options: Options) => BodyOf<K>,
): Kind<Options> {
  return { kind: name, about, options, proposal: (given) => ({ kind: name, body: body(given) }) as Proposal }
}

/** The kinds and flags of spec/interfaces.md. */
const KINDS = [
  kind(
    'tenant',
    'make a tenant, or change its weight and quotas',
    (command) =>
      command
        .addOption(needed('--name <name>', 'its name'))
        .addOption(needed('--weight <w>', 'its share beside other tenants, 0.001 to 1000', parseAmount))
        .option('--quota <r=v>', 'most of a resource at a time; several times', collectAmount),
    (given: { name: string; weight: number; quota?: Record<string, number> }) => {
      const { name, weight, quota = {} } = given
      return { name, weight, quota }
    },
  ),
  kind(
    'revoke',
    "end a node's membership everywhere, for good",
    (command) =>
      command
        .addOption(needed('--node <id>', 'the node'))
        .option('--org <name>', 'as a member of this organisation only: what an organisation may decide about its own')
        .option('--force', 'although no other member that is up holds a key of its organisation'),
    ({ node, org }: { node: string; org?: string }) => ({ node, ...(org === undefined ? {} : { org }) }),
  ),
  kind(
    'org',
    'make an organisation, change its keys and seats, or dissolve it',
    (command) =>
      command
        .addOption(needed('--name <name>', 'its name'))
        .option(
          '--key <id>',
          'a key that speaks for it (authority create); several times; others are withdrawn',
          collect,
        )
        .option('--seats <n>', 'validators it may have at most', parseCount(0, 64))
        .option('--dissolve', 'end it: its keys are withdrawn, and its members are out'),
    organisationBody,
  ),
  kind(
    'validator',
    'take validators in, let others go; several at once are judged together',
    (command) =>
      command
        .option('--add <id>', 'a member certified as a validator; several times', collect)
        .option('--remove <id>', 'a validator; several times', collect),
    ({ add = [], remove = [] }: { add?: readonly string[]; remove?: readonly string[] }) => {
      return { add: [...add], remove: [...remove] }
    },
  ),
  kind(
    'parameter',
    'set a cluster-wide parameter',
    (command) =>
      command
        .addOption(needed('--name <name>', 'its name, for example council.sizeMax'))
        .addOption(needed('--value <value>', 'a number, a word, or a duration such as 30s')),
    ({ name, value }: { name: string; value: string }) => ({ name, value: parameterValue(name, value) }),
  ),
  kind(
    'role',
    'grant a role, or take it away',
    (command) =>
      command
        .addOption(needed('--tenant <name>', "where: a tenant, or '*' for all"))
        .addOption(needed('--subject <id>', 'who: a node id, or another word'))
        .addOption(needed('--role <name>', "which: 'admin' may govern there"))
        .option('--withdraw', 'take it away'),
    (given: { tenant: string; subject: string; role: string; withdraw?: boolean }) => {
      const { tenant, subject, role, withdraw = false } = given
      return { tenant, subject, role, withdraw }
    },
  ),
  kind(
    'override',
    'put an emergency measure into force for a while',
    (command) =>
      command
        .addOption(needed('--subject <s>', 'what it is about: a node, a tenant or another word'))
        .addOption(needed('--action <name>', 'what is done, for example quarantine'))
        .addOption(needed('--ttl <duration>', 'how long, at most 7d; 0s ends it', parseDuration)),
    ({ subject, action: name, ttl }: { subject: string; action: string; ttl: number }) => {
      return { subject, action: name, ttlMs: ttl }
    },
  ),
] as const

interface OrganisationOptions {
  readonly name: string
  readonly key?: readonly string[]
  readonly seats?: number
  readonly dissolve?: boolean
}

function organisationBody({ name, key, seats, dissolve }: OrganisationOptions): BodyOf<'org'> {
  if (dissolve === true) {
    if (key === undefined && seats === undefined) return { name, keys: [], seats: 0 }
    throw new SwarmError('BAD_USAGE', '--dissolve leaves no keys and no seats: leave out --key and --seats')
  }
  if (key !== undefined && seats !== undefined) return { name, keys: [...key], seats }
  throw new SwarmError('BAD_USAGE', 'an organisation needs --key ID and --seats N, or --dissolve')
}

export function registerPropose(council: Command): void {
  const propose = council.command('propose').description('have something decided; see propose KIND --help')
  for (const { kind: name, about, options, proposal } of KINDS as unknown as readonly Kind<unknown>[]) {
    options(propose.command(name).description(about))
      .option(
        '--expect <revision>',
        'only if it is at this revision (council show); 0: only if new',
        parseCount(0, 2 ** 52),
      )
      .action(
        action<{ readonly expect?: number; readonly force?: true }>((context, { expect, force, ...given }) => {
          const said = { ...(expect === undefined ? {} : { expect }), ...(force === undefined ? {} : { force }) }
          return submit(context, { ...proposal(given), ...said })
        }),
      )
  }
}

async function submit(context: Context, proposal: Proposal): Promise<number> {
  const outcome = await withDaemon(context, async (client) => {
    const decided = await client.call('council.propose', proposal)
    if (proposal.kind === 'revoke' && !(await isKnown(client, proposal.body.node))) {
      const { node } = proposal.body
      context.terminal.say(`No node that is known here has the id ${node}. Is it spelled as 'peers' shows it?`)
    }
    if (proposal.kind === 'validator' && decided.outcome === 'applied' && (await areTwo(client))) {
      const what = 'Two validators decide nothing without each other, not even to let one of them go.'
      context.terminal.say(`${what} Take in a third: council propose validator --add ID`)
    }
    return decided
  })
  if (outcome.outcome === 'voted') {
    context.terminal.say('This was the voice of one validator: run the same command at others to carry it.')
  }
  context.terminal.result(outcome, outcomeWords)
  return 0
}

async function areTwo(client: ControlClient): Promise<boolean> {
  const { rows } = await client.call('council.show', { section: 'validators', limit: 3 })
  return rows.length === 2
}

async function isKnown(client: ControlClient, id: string): Promise<boolean> {
  const { peers } = await client.call('node.peers', {})
  return peers.some(({ node }) => node === id) || (await client.call('node.status', {})).node === id
}

/** As the council spells it: durations of parameters in milliseconds, whole numbers as numbers. */
function parameterValue(name: string, text: string): string | number {
  const ms = name.endsWith('Ms') ? durationMs(text) : undefined
  return ms ?? (/^\d{1,15}$/.test(text) ? Number(text) : text)
}

function parseAmount(text: string): number {
  const amount = Number(text)
  if (/^\d+(?:\.\d+)?$/.test(text) && Number.isFinite(amount)) return amount
  throw new InvalidArgumentError('It is a number such as 2 or 0.5.')
}

function collectAmount(text: string, before: Readonly<Record<string, number>> = {}): Readonly<Record<string, number>> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('A quota looks like cpu=16.')
  return { ...before, [text.slice(0, at)]: parseAmount(text.slice(at + 1)) }
}
