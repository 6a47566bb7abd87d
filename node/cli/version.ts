import type { Command } from 'commander'
import { VERSION } from '../version.ts'
import { action } from './command.ts'

export function registerVersion(program: Command): void {
  program
    .command('version')
    .description('print the versions of this program and what it runs on')
    .action(
      action(async ({ terminal }) => {
        const { node, v8 } = process.versions
        const document = { version: VERSION, node, v8, platform: process.platform, arch: process.arch }
        terminal.result(document, () => `swarm-node ${VERSION} (Node ${node}, ${process.platform} ${process.arch})`)
        return 0
      }),
    )
}
