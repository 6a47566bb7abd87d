import { PROTOCOLS } from './imports.ts'
import type { Fault, Repository, Rule } from './repository.ts'

const PROTOCOL_FILES = ['README.md', 'index.ts', 'core.ts', 'types.ts', 'messages.ts', 'params.ts']
const ROOM_FILES = ['README.md', 'index.ts']
const KEBAB = /^[a-z0-9]+(?:[.-][a-z0-9]+)*$/

export const rooms: Rule = { name: 'rooms', check }

function check(repository: Repository): readonly Fault[] {
  const folders = new Set(repository.files.flatMap((path) => /^src\/([a-z-]+)\//.exec(path)?.[1] ?? []))
  const missing = [...folders].flatMap((folder) => {
    const wanted = PROTOCOLS.some((protocol) => protocol === folder) ? PROTOCOL_FILES : ROOM_FILES
    return wanted
      .filter((file) => !repository.files.includes(`src/${folder}/${file}`))
      .map((file) => `src/${folder}: ${file} is missing: every such folder has ${wanted.join(', ')}`)
  })
  const misnamed = repository.files
    .filter((path) => /^(?:src|node|test)\/.*\.ts$/.test(path) && path.split('/').some((part) => !KEBAB.test(part)))
    .map((path) => `${path}: names are in kebab-case`)
  return [...missing, ...misnamed]
}
