import { posix } from 'node:path'
import { type Fault, isNode, lineOf, type Node, parse, type Repository, type Rule, visit } from './repository.ts'

/** Protocols: pure, and strangers to each other. */
export const PROTOCOLS = [
  'membership',
  'directory',
  'renewal',
  'link',
  'election',
  'consensus',
  'custody',
  'claims',
  'hierarchy',
] as const

/** State machines that consensus drives: as pure, and strangers to each other and to the protocols. */
export const MACHINES = ['council', 'cell'] as const

interface Allowed {
  /** Folders under src/ whose index.ts it may import. */
  readonly folders: readonly string[]
  /** The same, for types alone. */
  readonly types?: readonly string[]
  /** Packages and node: modules, as patterns of the whole specifier. */
  readonly packages?: RegExp
}

const CORE: Allowed = { folders: ['kernel', 'wire'], types: ['identity'] }
const LIBP2P = /^(?:@libp2p\/|@chainsafe\/libp2p|libp2p$|@multiformats\/|it-|uint8array)/

/** architecture.md, "Who may import whom". */
const TABLE: Readonly<Record<string, Allowed>> = {
  kernel: { folders: [] },
  wire: { folders: ['kernel'] },
  identity: { folders: ['kernel', 'wire'], packages: /^(?:node:crypto|multiformats\/)/ },
  ...Object.fromEntries(PROTOCOLS.map((name) => [name, CORE])),
  machine: { folders: ['kernel', 'wire'] },
  ...Object.fromEntries(MACHINES.map((name) => [name, { ...CORE, folders: [...CORE.folders, 'machine'] }])),
  swarm: { folders: ['kernel', 'wire', 'identity', ...PROTOCOLS, ...MACHINES] },
  // What is proposed to the council and shown of it has one shape, wherever it is written.
  ipc: { folders: ['kernel'], types: ['council'], packages: /^zod$/ },
  client: { folders: ['kernel', 'ipc'], packages: /^node:/ },
  config: { folders: ['kernel'], packages: /^(?:zod|yaml)$/ },
  // Types of protocols are part of what swarm shows, so its drivers may name them.
  runtime: {
    folders: ['kernel', 'wire', 'identity', 'swarm', 'config'],
    types: ['ipc', ...PROTOCOLS, ...MACHINES],
    packages: /^node:/,
  },
  net: { folders: ['kernel', 'wire', 'identity', 'link'], packages: /^(?:node:)|multiformats/ },
  storage: { folders: ['kernel', 'wire'], packages: /^node:/ },
  // The consensus core in virtual time, and members that lie: what suites and the self-test run.
  byzantine: { folders: ['kernel', 'wire', 'consensus'], types: ['identity'] },
  sim: { folders: ['kernel', 'wire', 'swarm'], types: ['identity', ...PROTOCOLS, ...MACHINES] },
}

interface Import {
  readonly specifier: string
  readonly typeOnly: boolean
  readonly line: number
}

export const imports: Rule = {
  name: 'imports',
  check: (repository) => repository.files.flatMap((path) => check(path, repository)),
}

function check(path: string, repository: Repository): readonly Fault[] {
  if (!/^(?:src|node)\/.*\.ts$/.test(path)) return []
  const source = repository.read(path)
  return importsOf(source).flatMap((found) => {
    const fault = faultOf(path, found)
    return fault === undefined ? [] : [`${path}:${found.line}: ${fault}`]
  })
}

function faultOf(path: string, found: Import): string | undefined {
  const { specifier } = found
  const folder = path.startsWith('node/') ? 'node' : folderOf(path)
  if (!specifier.startsWith('.')) return packageFault(folder, specifier)
  const target = posix.normalize(posix.join(posix.dirname(path), specifier))
  if (path.startsWith('node/')) {
    const fine = target.startsWith('node/') || target === 'src/index.ts' || target === 'package.json'
    return fine ? undefined : `node/ imports src/index.ts only, not ${target}`
  }
  if (!target.startsWith('src/')) return `src/ imports nothing outside itself, not ${target}`
  const other = folderOf(target)
  // src/index.ts is the public API: it gathers from everywhere, and nothing inside goes through it.
  if (folder === '' || other === folder) return undefined
  if (other === '') return 'nothing inside src/ imports its public face: import the folder itself'
  const { folders = [], types = [] } = TABLE[folder] ?? {}
  // Who may have types alone may as well take them from where they are declared.
  const declared = found.typeOnly && types.includes(other) && target === `src/${other}/types.ts`
  if (target !== `src/${other}/index.ts` && !declared) return `import ${other}/index.ts, not a file behind it`
  if (folders.includes(other) || (found.typeOnly && types.includes(other))) return undefined
  return types.includes(other) ? `${folder} may import only types from ${other}` : `${folder} may not import ${other}`
}

function packageFault(folder: string, specifier: string): string | undefined {
  if (LIBP2P.test(specifier)) return folder === 'net' ? undefined : `only src/net imports libp2p, not ${specifier}`
  if (folder === 'node' || folder === '') return undefined
  if (TABLE[folder]?.packages?.test(specifier)) return undefined
  return `${folder} may not import the package ${specifier}`
}

function folderOf(path: string): string {
  const parts = path.split('/')
  return parts.length > 2 ? (parts[1] ?? '') : ''
}

/** Static imports, re-exports, and imports by expression. */
function importsOf(source: string): readonly Import[] {
  const tree = parse(source)
  if (tree === undefined) return []
  const found: Import[] = []
  visit(tree, (node) => {
    const from = node.source
    if (!/^Import|^Export|^TSImport/.test(node.type) || !isNode(from) || typeof from.value !== 'string') return
    found.push({ specifier: from.value, typeOnly: isTypeOnly(node), line: lineOf(source, node.start) })
  })
  return found
}

function isTypeOnly(node: Node): boolean {
  if (node.importKind === 'type' || node.exportKind === 'type' || node.type === 'TSImportType') return true
  const specifiers = Array.isArray(node.specifiers) ? node.specifiers : []
  return (
    specifiers.length > 0 &&
    specifiers.every(
      (specifier) => isNode(specifier) && (specifier.importKind === 'type' || specifier.exportKind === 'type'),
    )
  )
}
