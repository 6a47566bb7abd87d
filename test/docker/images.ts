import { chmod, copyFile, cp, mkdir, readFile, symlink, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { command, type Docker } from './command.ts'
import { DockerMissing } from './engine.ts'

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url))
const PULL_MS = 300_000
const MAKE_MS = 600_000

/** Stands for the official image where no registry of images can be reached. */
const OWN_BASE = 'swarm-node-base:bookworm'

/** Steps that take long, told while they go on. */
export type Step = <T>(what: string, work: () => Promise<T>) => Promise<T>

/** What builds images, and where. */
export interface Workshop {
  readonly docker: Docker
  readonly directory: string
  readonly signal: AbortSignal
  readonly step: Step
}

/**
 * Builds the Dockerfile.
 *
 * @param name names all images made here but the base
 * @returns the image to run
 * @throws DockerMissing when there is no base image to be had; Error when the build fails
 */
export async function buildImage(workshop: Workshop, name: string): Promise<string> {
  const { docker, step } = workshop
  const base = await baseImage(workshop)
  const args = ['--build-arg', `NODE_IMAGE=${await trusting(workshop, base, `${name}:base`)}`, REPOSITORY]
  const build = ['build', '--force-rm', '--network', 'host']
  await step(`building the image on ${base}`, async () => {
    // The first stage gets a name too, so that it can be removed by it.
    await docker.run([...build, '--target', 'build', '--tag', `${name}:build`, ...args], MAKE_MS)
    await docker.run([...build, '--tag', `${name}:run`, ...args], MAKE_MS)
  })
  return `${name}:run`
}

export async function removeImages(docker: Docker, name: string): Promise<void> {
  const found = await docker.run(['images', '--format', '{{.Repository}}:{{.Tag}}', name])
  if (found !== '') await docker.run(['image', 'rm', '--force', ...found.split('\n')])
}

/** The image that the Dockerfile names; else one like it, made from Debian's packages and the project's own Node. */
async function baseImage({ docker, directory, signal, step }: Workshop): Promise<string> {
  const dockerfile = await readFile(join(REPOSITORY, 'Dockerfile'), 'utf8')
  const official = /^ARG NODE_IMAGE=(\S+)$/m.exec(dockerfile)?.[1]
  if (official === undefined) throw new Error('the Dockerfile does not say NODE_IMAGE')
  for (const name of [official, OWN_BASE]) if (await docker.does(['image', 'inspect', name])) return name
  if (await step(`pulling ${official}`, () => docker.does(['pull', '--quiet', official], PULL_MS))) return official
  try {
    await step('it cannot be pulled: making a base image with debootstrap', () =>
      bootstrap(docker, join(directory, 'base'), signal),
    )
  } catch (cause) {
    signal.throwIfAborted()
    const why = cause instanceof Error ? cause.message : String(cause)
    throw new DockerMissing(`${official} cannot be pulled, and none like it be made: ${why}`)
  }
  return OWN_BASE
}

async function bootstrap(docker: Docker, root: string, signal: AbortSignal): Promise<void> {
  await mkdir(root)
  // In namespaces of its own, so that whatever it mounts and starts ends with it.
  const alone = ['--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
  await command('unshare', [...alone, 'debootstrap', '--variant=minbase', 'bookworm', root], {
    boundMs: MAKE_MS,
    signal,
  })
  const npmScript = process.env.npm_execpath
  if (npmScript === undefined) throw new Error('run it as npm run docker: npm goes into the image')
  await copyFile(join(REPOSITORY, 'node_modules/node/bin/node'), join(root, 'usr/local/bin/node'))
  await chmod(join(root, 'usr/local/bin/node'), 0o755)
  await cp(dirname(dirname(npmScript)), join(root, 'usr/local/lib/node_modules/npm'), { recursive: true })
  await symlink('../lib/node_modules/npm/bin/npm-cli.js', join(root, 'usr/local/bin/npm'))
  const archive = `${root}.tar`
  await command('tar', ['--create', '--file', archive, '--directory', root, '.'], { signal, boundMs: PULL_MS })
  await docker.run(['import', archive, OWN_BASE], PULL_MS)
}

/** The image, trusting whom this host trusts: behind a proxy with its own authority `npm ci` would fail otherwise. */
async function trusting({ docker, directory }: Workshop, base: string, tag: string): Promise<string> {
  const certificates = process.env.NODE_EXTRA_CA_CERTS
  if (certificates === undefined) return base
  const context = join(directory, 'trust')
  await mkdir(context)
  await copyFile(certificates, join(context, 'ca.crt'))
  const path = '/usr/local/share/ca-certificates/host.crt'
  await writeFile(join(context, 'Dockerfile'), `FROM ${base}\nCOPY ca.crt ${path}\nENV NODE_EXTRA_CA_CERTS=${path}\n`)
  await docker.run(['build', '--tag', tag, context])
  return tag
}
