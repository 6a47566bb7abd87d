import { type Command, Option } from 'commander'
import type { NodeStatus } from '../../src/index.ts'
import { isShutOut, SHUT_OUT_WORDS } from '../shut-out.ts'
import { PROFILES, type Profile, type StartOptions } from '../start-options.ts'
import { action, type Context } from './command.ts'
import { collect, collectLabel } from './values.ts'

interface StartFlags {
  readonly join?: string
  readonly profile?: Profile
  readonly listen?: readonly string[]
  readonly region?: string
  readonly zone?: string
  readonly label?: Readonly<Record<string, string>>
  readonly http?: string
  readonly trustStore?: boolean
  readonly detach?: boolean
}

export function registerStart(program: Command): void {
  program
    .command('start')
    .description('run a node; it founds a swarm of one when there is nothing to join')
    .option('--join <ticket>', 'join the swarm that made this ticket')
    .addOption(new Option('--profile <profile>', 'settings for a kind of network').choices(PROFILES))
    .option('--listen <addr>', 'multiaddr to listen on, for example /ip4/0.0.0.0/tcp/4001; several times', collect)
    .option('--region <region>', 'the region this host is in')
    .option('--zone <zone>', 'the zone this host is in')
    .option('--label <k=v>', 'a label of this node; several times', collectLabel)
    .option('--http <host:port>', 'serve /metrics and /healthz there')
    .option(
      '--trust-store',
      'vote at once although the store is a copy, or doubts itself: you know that nothing is missing',
    )
    .option('--detach', 'run in the background; return when the node is ready')
    .action(
      action<StartFlags>(async (context, flags) => {
        const options = startOptions(context, flags)
        if (flags.detach === true) return detach(context, options)
        const [{ runDaemon }, { authorityOf }] = await Promise.all([import('../run-daemon.ts'), import('../keys.ts')])
        return runDaemon(options, (status) => welcome(context, status, authorityOf(context.data) !== undefined))
      }),
    )
}

function startOptions(context: Context, flags: StartFlags): StartOptions {
  const { profile, join, region, zone, http, trustStore, listen = [], label = {} } = flags
  const { config, given } = context
  return { ...given, config, profile, join, listen, region, zone, labels: label, http, trustStore }
}

async function detach(context: Context, start: StartOptions): Promise<number> {
  const [{ spawnDaemon }, { authorityOf }] = await Promise.all([import('../spawn-daemon.ts'), import('../keys.ts')])
  const { program, data, socket, token } = context
  const status = await spawnDaemon({ program, data, socket, token, start, detached: true })
  welcome(context, status, authorityOf(data) !== undefined)
  return 0
}

/** What a newcomer sees: who this node is, where it is, and what to do next. */
function welcome(context: Context, status: NodeStatus, holdsKey: boolean): void {
  const isIssuer = holdsKey && !isShutOut(status.state)
  const document = { ...status, data: context.data }
  context.terminal.result(document, () => welcomeText(context, status, isIssuer))
}

export function welcomeText(
  { data, sameDaemon, terminal: { colours } }: Context,
  status: NodeStatus,
  /** Whether it can make tickets. */
  isIssuer: boolean,
): string {
  const command = (text: string) => colours.bold(`swarm-node ${text}`)
  return [
    ...headline(status, colours),
    '',
    `  node       ${status.node}`,
    `  swarm      ${status.swarm}`,
    ...status.addresses.map((address, i) => `  ${i === 0 ? 'addresses' : '         '}  ${address}`),
    `  socket     ${status.socket}`,
    `  data       ${data}`,
    ...(status.http === undefined ? [] : [`  http       http://${status.http}/metrics  /healthz`]),
    '',
    'What to do next',
    ...(isIssuer
      ? [
          `  let another host join:  ${command(`ticket create${sameDaemon}`)}`,
          `             and there:   ${command('start --join TICKET')}`,
        ]
      : []),
    `  see who is here:        ${command(`peers${sameDaemon}`)}`,
    `  see what happens:       ${command(`events --follow${sameDaemon}`)}`,
    `  stop this node:         ${command(`stop${sameDaemon}`)}`,
  ].join('\n')
}

function headline({ version, state, node }: NodeStatus, colours: Context['terminal']['colours']): readonly string[] {
  if (!isShutOut(state)) return [`${colours.green('●')} swarm-node ${version} is running`]
  const { what, wayBack } = SHUT_OUT_WORDS[state]
  return [
    `${colours.red('●')} swarm-node ${version} is running, but ${what}: nobody talks to it`,
    `  ${wayBack} Its ${state === 'revoked' ? 'old ' : ''}name is ${node}.`,
  ]
}
