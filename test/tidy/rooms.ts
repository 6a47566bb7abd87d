import { basename, dirname } from 'node:path'
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
  const unlisted = [...folders]
    .map((folder) => `src/${folder}`)
    .concat('node')
    .flatMap((folder) => listing(repository, folder))
  const misnamed = repository.files
    .filter((path) => /^(?:src|node|test)\/.*\.ts$/.test(path) && path.split('/').some((part) => !KEBAB.test(part)))
    .map((path) => `${path}: names are in kebab-case`)
  return [...missing, ...unlisted, ...misnamed]
}

/** A README names every file of its folder, and its table no other: a stranger finds the one and looks in vain for the other. */
function listing({ files, read }: Repository, folder: string): readonly Fault[] {
  const path = `${folder}/README.md`
  if (!files.includes(path)) return []
  const text = read(path)
  const here = files.flatMap((file) => (dirname(file) === folder && file.endsWith('.ts') ? [basename(file)] : []))
  const unnamed = here.filter((file) => file !== 'index.ts' && !text.includes(`\`${file}\``))
  const listed = [...text.matchAll(/^\| (`[^|]*)\|/gm)].flatMap(
    ([, cell = '']) => cell.match(/(?<=`)[a-z0-9.-]+\.ts(?=`)/g) ?? [],
  )
  const absent = listed.filter((file) => !here.includes(file))
  return [
    ...unnamed.map((file) => `${path}: does not say what ${file} holds`),
    ...absent.map((file) => `${path}: lists ${file}, which is not there`),
  ]
}
