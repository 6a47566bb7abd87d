import { MACHINES, PROTOCOLS } from './imports.ts'
import {
  type Fault,
  isNode,
  lineOf,
  type Node,
  nameOf,
  parse,
  type Repository,
  type Rule,
  visit,
} from './repository.ts'

/** Where the same inputs must give the same effects. `swarm/host.ts` drives, but on a clock that it is given. */
const PURE = new RegExp(`^src/(?:kernel|wire|swarm|machine|${[...PROTOCOLS, ...MACHINES].join('|')})/.*\\.ts$`)

const WORDS: ReadonlySet<string> = new Set([
  'Date',
  'performance',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'queueMicrotask',
  'Promise',
  'process',
  'console',
  'crypto',
  'fetch',
])

export const bannedWords: Rule = {
  name: 'banned-words',
  check: (repository) => repository.files.filter((path) => PURE.test(path)).flatMap((path) => check(path, repository)),
}

function check(path: string, repository: Repository): readonly Fault[] {
  const source = repository.read(path)
  const tree = parse(source)
  const faults: Fault[] = []
  if (tree === undefined) return faults
  visit(tree, (node, parent) => {
    const word = bannedIn(node, parent)
    if (word !== undefined) faults.push(`${path}:${lineOf(source, node.start)}: ${word} has no place in a core`)
  })
  return faults
}

function bannedIn(node: Node, parent: Node | undefined): string | undefined {
  if (node.async === true) return 'async'
  if (node.type === 'AwaitExpression') return 'await'
  if (node.type === 'MemberExpression' && nameOf(node.object) === 'Math' && nameOf(node.property) === 'random')
    return 'Math.random'
  if (node.type !== 'Identifier' || !WORDS.has(nameOf(node) ?? '')) return undefined
  return isOnlyAName(node, parent) || isGivenTime(node, parent) ? undefined : nameOf(node)
}

/** Names of fields and methods are the module's own affair: `host.process` is not the global. */
function isOnlyAName(node: Node, parent: Node | undefined): boolean {
  if (parent === undefined || parent.computed === true) return false
  if (parent.type === 'MemberExpression') return parent.property === node
  return 'key' in parent && isNode(parent.key) && parent.key === node && parent.shorthand !== true
}

/** `new Date(wall)` reads no clock: it is how a given time becomes words. */
function isGivenTime(node: Node, parent: Node | undefined): boolean {
  if (nameOf(node) !== 'Date' || parent?.type !== 'NewExpression' || parent.callee !== node) return false
  return Array.isArray(parent.arguments) && parent.arguments.length > 0
}
