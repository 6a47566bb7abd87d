import type { ClaimsPeers, Condition, Objective } from '../claims/index.ts'
import { originOf } from '../claims/index.ts'
import {
  chooseCandidates,
  type DirectoryView,
  type Expression,
  evaluate,
  parseExpression,
  type ScoreWeights,
} from '../directory/index.ts'
import { BoundedMap, err, type NodeId, ok, type Random } from '../kernel/index.ts'
import type { MembershipView } from '../membership/index.ts'

/** Expressions that are kept parsed. */
const PARSED_MAX = 4096

class ParsedCondition implements Condition {
  readonly text: string
  readonly expression: Expression

  constructor(text: string, expression: Expression) {
    this.text = text
    this.expression = expression
  }

  holds(attributes: Parameters<Condition['holds']>[0]): boolean | undefined {
    return evaluate(this.expression, attributes)
  }
}

/** What the claims ask of directory and membership. Hints: the executor decides what it can do. */
export function claimsPeers(parts: {
  readonly node: NodeId
  readonly membership: MembershipView
  readonly directory: DirectoryView
  readonly random: Random
}): ClaimsPeers {
  const { node, membership, directory, random } = parts
  const parsed = new BoundedMap<string, ParsedCondition>(PARSED_MAX)
  return {
    parse: (text) => {
      const known = parsed.get(text)
      if (known !== undefined) return ok(known)
      const result = parseExpression(text)
      if (!result.ok) return err(result.error)
      const condition = new ParsedCondition(text, result.value)
      parsed.set(text, condition)
      return ok(condition)
    },
    choose: ({ skills, resources, require, prefer, objective, excluded, linked }, count) =>
      chooseCandidates(
        others(directory, membership, node),
        {
          skills,
          resources,
          require: require.flatMap(expressionOf),
          prefer: prefer.flatMap(expressionOf),
          excluded: excluded as ReadonlySet<NodeId>,
          weights: weightsOf(objective),
        },
        { count, random, linked, rttMs: (peer) => membership.rttMs(peer) },
      ),
    rttMs: (peer) => membership.rttMs(peer),
    named: (origin) => {
      for (const member of membership.members()) if (originOf(member.node) === origin) return member.node
      return undefined
    },
  }
}

/** Skills of a node as its digest names them. */
export function skillsOf(directory: DirectoryView, node: NodeId): readonly string[] {
  return directory.entry(node)?.digest.skills.map(({ name }) => name) ?? []
}

function* others(
  directory: DirectoryView,
  membership: MembershipView,
  self: NodeId,
): Generator<NonNullable<ReturnType<DirectoryView['entry']>>> {
  for (const entry of directory.entries()) {
    // Who is under suspicion is not asked: a hint, and it moves no claim that is in force (M-3).
    if (entry.node !== self && membership.state(entry.node) === 'alive') yield entry
  }
}

function expressionOf(condition: Condition): readonly Expression[] {
  return condition instanceof ParsedCondition ? [condition.expression] : []
}

function weightsOf({ throughput, latency, quality, cost }: Objective): ScoreWeights {
  return { latency, load: 2 * throughput, price: cost, quality, preference: 2 }
}
