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

/** Where numbers are declared that people set or reason about. */
const PLACES = /^src\/(?:.*\/)?(?:[a-z-]+-)?params\.ts$|^src\/config\/.*\.ts$/

/** Last word, or two, of a name that says what its number counts. */
const UNIT =
  /(?:Ms|Seconds|Minutes|Hours|Days|Bytes|Count|Counts|PerSecond|PerMinute|PerHour|PerByte|Max|Min|Ratio|Percent|Points|Thousandths|Bits|Fraction|Share|Probability|Factor|Messages|Burst|Index|Port)(?:Per[A-Z][a-z]+)*$/

/**
 * Numbers without a unit: versions, and counts whose own name is what they count. A name is added here on purpose, or
 * better given a unit.
 */
export const DIMENSIONLESS: ReadonlySet<string> = new Set([
  'IPC_PROTOCOL',
  'PARALLEL_DIALS_START',
  'RELAYS_WANTED',
  'confirmations',
  'gossipFanout',
  'incarnationsReserved',
  'indirectProbes',
  'ringSpan',
  'rings',
])

export const units: Rule = {
  name: 'units',
  check: (repository) =>
    repository.files.filter((path) => PLACES.test(path)).flatMap((path) => check(path, repository)),
}

function check(path: string, repository: Repository): readonly Fault[] {
  const source = repository.read(path)
  const tree = parse(source)
  const faults: Fault[] = []
  if (tree === undefined) return faults
  visit(tree, (node, parent) => {
    const name = numberName(node, parent)
    if (name === undefined || DIMENSIONLESS.has(name) || UNIT.test(camelCase(name))) return
    faults.push(`${path}:${lineOf(source, node.start)}: ${name} does not end in its unit (Ms, Bytes, Count, Max …)`)
  })
  return faults
}

/** The name of an exported numeric constant, or of a numeric field of an interface. */
function numberName(node: Node, parent: Node | undefined): string | undefined {
  if (node.type === 'TSPropertySignature') {
    const annotation = isNode(node.typeAnnotation) ? node.typeAnnotation.typeAnnotation : undefined
    return isNode(annotation) && annotation.type === 'TSNumberKeyword' ? nameOf(node.key) : undefined
  }
  if (node.type !== 'ExportNamedDeclaration' || parent?.type !== 'Program' || !isNode(node.declaration))
    return undefined
  const declarations = Array.isArray(node.declaration.declarations) ? node.declaration.declarations : []
  const [first] = declarations
  return isNode(first) && isNumeric(first.init) ? nameOf(first.id) : undefined
}

function isNumeric(node: unknown): boolean {
  if (!isNode(node)) return false
  if (node.type === 'Literal') return typeof node.value === 'number'
  return node.type === 'BinaryExpression' || node.type === 'UnaryExpression'
}

/** `FRAME_BYTES_MAX` as `FrameBytesMax`, so that one pattern serves both. */
function camelCase(name: string): string {
  if (!/^[A-Z0-9_]+$/.test(name)) return name
  return name.replace(/([A-Z0-9])([A-Z0-9]*)_?/g, (_word, first: string, rest: string) => first + rest.toLowerCase())
}
