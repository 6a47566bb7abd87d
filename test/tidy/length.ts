import {
  type Fault,
  isNode,
  isTypeScript,
  lineOf,
  type Node,
  nameOf,
  parse,
  type Repository,
  type Rule,
  visit,
} from './repository.ts'

export const FILE_LINES_MAX = 500
export const FUNCTION_LINES_MAX = 60
export const BASELINE_PATH = 'test/tidy/long-functions.json'

/** `path#function` to its lines. */
export type Baseline = Readonly<Record<string, number>>

export const length: Rule = {
  name: 'length',
  check: (repository) => [
    ...fileFaults(repository),
    ...functionFaults(longFunctions(repository), baselineOf(repository)),
  ],
}

function fileFaults(repository: Repository): readonly Fault[] {
  return repository.files.filter(isTypeScript).flatMap((path) => {
    const lines = repository.read(path).split('\n').length - 1
    return lines <= FILE_LINES_MAX ? [] : [`${path}: ${lines} lines, at most ${FILE_LINES_MAX}: this is two rooms`]
  })
}

function functionFaults(found: Baseline, baseline: Baseline): readonly Fault[] {
  const tooLong = Object.entries(found).flatMap(([name, lines]) => {
    const allowed = Math.max(FUNCTION_LINES_MAX, baseline[name] ?? 0)
    return lines <= allowed ? [] : [`${name}: ${lines} lines, at most ${allowed}: take parts out of it`]
  })
  const outdated = Object.entries(baseline).flatMap(([name, lines]) =>
    (found[name] ?? 0) >= lines ? [] : [`${BASELINE_PATH}: ${name} is shorter than its entry: npm run tidy -- --write`],
  )
  return [...tooLong, ...outdated]
}

/** The ratchet: entries are lowered or go, and none is added. */
export function tightened(repository: Repository): Baseline {
  const found = longFunctions(repository)
  const kept = Object.entries(baselineOf(repository)).flatMap(([name, lines]) => {
    const now = Math.min(lines, found[name] ?? 0)
    return now > FUNCTION_LINES_MAX ? [[name, now] as const] : []
  })
  return Object.fromEntries(kept)
}

function baselineOf(repository: Repository): Baseline {
  return repository.files.includes(BASELINE_PATH) ? JSON.parse(repository.read(BASELINE_PATH)) : {}
}

/** Functions over the limit in what ships. */
function longFunctions(repository: Repository): Baseline {
  const found: Record<string, number> = {}
  for (const path of repository.files) {
    if (!/^(?:src|node)\/.*\.ts$/.test(path)) continue
    const source = repository.read(path)
    const tree = parse(source)
    if (tree === undefined) continue
    visit(tree, (node, parent) => {
      if (!/^(?:Function|ArrowFunction)/.test(node.type) || !isNode(node.body)) return
      const lines = lineOf(source, node.end) - lineOf(source, node.start) + 1
      const name = `${path}#${functionName(node, parent)}`
      if (lines > FUNCTION_LINES_MAX) found[name] = Math.max(lines, found[name] ?? 0)
    })
  }
  return found
}

function functionName(node: Node, parent: Node | undefined): string {
  return nameOf(node.id) ?? nameOf(parent?.id) ?? nameOf(parent?.key) ?? 'unnamed'
}
