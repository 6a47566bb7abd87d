import { describe, expect, test } from 'vitest'
import {
  type CandidateRequest,
  chooseCandidates,
  type DirectoryEntry,
  type Expression,
  parseExpression,
  SCORE_WEIGHTS,
} from '../../src/directory/index.ts'
import { type NodeId, Random } from '../../src/kernel/index.ts'
import { directoryEntry, skill } from './directory-fixtures.ts'

function expression(text: string): Expression {
  const parsed = parseExpression(text)
  if (!parsed.ok) throw new Error(parsed.error.message)
  return parsed.value
}

function request(change: Partial<CandidateRequest> = {}): CandidateRequest {
  return {
    skills: ['echo'],
    resources: {},
    require: [],
    prefer: [],
    excluded: new Set(),
    weights: SCORE_WEIGHTS,
    ...change,
  }
}

const near = () => 1

function choose(entries: readonly DirectoryEntry[], asked: CandidateRequest, count = 100, random = new Random('draw')) {
  return chooseCandidates(entries, asked, {
    count,
    random,
    rttMs: near,
    linked: new Set(entries.map(({ node }) => node)),
  })
}

function names(entries: readonly DirectoryEntry[], asked: CandidateRequest): string[] {
  return choose(entries, asked)
    .chosen.map((candidate) => candidate.node)
    .sort()
}

test('D-10: a choice takes nothing from who is chosen, however often', () => {
  const entries = [directoryEntry('a', { skills: [skill('echo', { slotsFree: 1 })] })]
  const before = structuredClone(entries)
  for (let i = 0; i < 3; i++) expect(names(entries, request())).toEqual(['a'])
  expect(entries).toEqual(before)
})

describe('D-8: who is a candidate', () => {
  const entries = [
    directoryEntry('plain'),
    directoryEntry('two', { skills: [skill('echo'), skill('cat')] }),
    directoryEntry('small', { resources: { cpu: 1 }, capacity: { cpu: 1 } }),
    directoryEntry('drains', { accepting: false }),
    directoryEntry('mixed', { labels: { 'gpu.model': ['V100', 'T4'] } }),
    directoryEntry('vouched', { labels: { 'gpu.model': ['T4'] } }, { 'gpu.model': 'A100' }),
  ]

  test('who has it when idle, also when it is taken now, but such a one is drawn less', () => {
    const busy = directoryEntry('busy', { resources: { cpu: 0 } })
    const idle = directoryEntry('idle')
    const { chosen } = choose([busy, idle], request({ resources: { cpu: 2 }, require: [expression('cpu>=4')] }))
    expect(chosen.map(({ node }) => node)).toEqual(['idle', 'busy'])
  })

  test('skills, resources, exclusion and draining', () => {
    expect(names(entries, request({ skills: ['echo', 'cat'] }))).toEqual(['two'])
    expect(names(entries, request({ resources: { cpu: 2 } }))).not.toContain('small')
    expect(names(entries, request({ resources: { gpu: 1 } }))).toEqual([])
    expect(names(entries, request({ excluded: new Set(['plain' as NodeId]) }))).toEqual([
      'mixed',
      'small',
      'two',
      'vouched',
    ])
  })

  test('constraints; what the digest cannot tell does not exclude (D-7)', () => {
    expect(names(entries, request({ require: [expression('gpu.model==T4')] }))).toEqual(['mixed'])
    expect(names(entries, request({ require: [expression('!(gpu.model==T4)')] }))).toContain('mixed')
    expect(names(entries, request({ require: [expression('cpu>=4')] }))).not.toContain('small')
    expect(names(entries, request({ require: [expression('agent==bob')] }))).toHaveLength(5)
    expect(names(entries, request({ require: [expression('node==plain')] }))).toEqual(['plain'])
  })

  test('names that every object has are no attributes', () => {
    expect(names(entries, request({ require: [expression('constructor')] }))).toEqual([])
    expect(names(entries, request({ resources: { toString: 1 } }))).toEqual([])
  })

  test('who was left out is counted by reason', () => {
    const choice = choose(entries, request({ resources: { cpu: 2 }, require: [expression('gpu.model==T4')] }))
    expect(choice).toMatchObject({
      eligible: 1,
      obstacles: { excluded: 0, 'not-accepting': 1, skill: 0, resources: 1, constraint: 3 },
    })
  })
})

describe('score', () => {
  function better(good: Partial<DirectoryEntry['digest']>, bad: Partial<DirectoryEntry['digest']>, change = {}) {
    const { chosen } = choose([directoryEntry('bad', bad), directoryEntry('good', good)], request(change))
    expect(chosen[0]?.node).toBe('good')
    expect(chosen[0]?.score).toBeGreaterThan(chosen[1]?.score ?? 1)
    expect(chosen.every(({ score }) => score >= 0 && score <= 1)).toBe(true)
  }

  test('idle before busy, busy before queueing, cheap, proficient and preferred', () => {
    better({}, { skills: [skill('echo', { slotsFree: 1 })] })
    better({ skills: [skill('echo', { slotsFree: 1 })] }, { skills: [skill('echo', { slotsFree: 0 })] })
    better({ skills: [skill('echo', { slotsFree: 0 })] }, { skills: [skill('echo', { slotsFree: 0, queued: 9 })] })
    better({ skills: [skill('echo', { price: 0.5 })] }, {})
    better({ skills: [skill('echo', { price: 0 })] }, {})
    better({}, { skills: [skill('echo', { proficiencyThousandths: 300 })] })
    better({ labels: { disk: ['ssd'] } }, {}, { prefer: [expression('disk==ssd')] })
  })

  test('near before far', () => {
    const entries = [directoryEntry('far'), directoryEntry('near')]
    const rttMs = (node: NodeId) => (node === 'near' ? 1 : 200)
    const { chosen } = chooseCandidates(entries, request(), {
      count: 2,
      random: new Random('far'),
      rttMs,
      linked: new Set(),
    })
    expect(chosen.map(({ node }) => node)).toEqual(['near', 'far'])
  })
})

describe('D-11: acquaintances before strangers', () => {
  const members = ['ann', 'ben', 'cid', 'dot', 'eve'].map((name) => directoryEntry(name))
  const drawn = (
    entries: readonly DirectoryEntry[],
    linked: readonly string[],
    change: Partial<CandidateRequest> = {},
  ) => {
    const options = { count: 3, random: new Random('strangers'), rttMs: near, linked: new Set(linked as NodeId[]) }
    const seen = new Set<string>()
    for (let i = 0; i < 50; i++) {
      for (const { node } of chooseCandidates(entries, request(change), options).chosen) seen.add(node)
    }
    return [...seen].sort()
  }

  test('while one of them has room nobody else is met', () => {
    expect(drawn(members, ['ann', 'ben'])).toEqual(['ann', 'ben'])
    expect(drawn(members, ['ann'])).toEqual(['ann'])
    expect(drawn(members, [])).toEqual(['ann', 'ben', 'cid', 'dot', 'eve'])
    const busy = directoryEntry('ben', { skills: [skill('echo', { slotsFree: 0 })] })
    expect(drawn([...members.filter(({ node }) => node !== 'ben'), busy], ['ben'])).toContain('eve')
  })

  test('one that is busy keeps nobody from being met, however well it would do', () => {
    const labels = { disk: ['ssd'] }
    const busy = directoryEntry('ben', { skills: [skill('echo', { slotsFree: 0 })], labels })
    const entries = [...members.filter(({ node }) => node !== 'ben'), busy]
    expect(drawn(entries, ['ben'], { prefer: [expression('disk==ssd')] })).toEqual(['ann', 'ben', 'cid', 'dot', 'eve'])
  })

  test('and two strangers are met at once, at most', () => {
    const options = { count: 3, random: new Random('two'), rttMs: near }
    const busy = directoryEntry('ben', { skills: [skill('echo', { slotsFree: 0 })] })
    const entries = [...members.filter(({ node }) => node !== 'ben'), busy]
    const { chosen } = chooseCandidates(entries, request(), { ...options, linked: new Set() })
    expect(chosen).toHaveLength(2)
    let most = 0
    for (let i = 0; i < 50; i++) {
      const linked = new Set(['ben' as NodeId])
      const nodes = chooseCandidates(entries, request(), { ...options, linked }).chosen.map(({ node }) => node)
      expect(nodes.filter((node) => node !== 'ben').length).toBeLessThanOrEqual(2)
      most = Math.max(most, nodes.length)
    }
    expect(most).toBe(3)
  })

  test('but a stranger who is better by far is', () => {
    const better = directoryEntry('dot', { labels: { disk: ['ssd'] } })
    const entries = [...members.filter(({ node }) => node !== 'dot'), better]
    expect(drawn(entries, ['ann', 'ben'], { prefer: [expression('disk==ssd')] })).toEqual(['ann', 'ben', 'dot'])
  })

  test('and who is excluded, though linked, is no reason to leave others out', () => {
    const excluded = new Set(['ben' as NodeId])
    expect(drawn(members, ['ben'], { excluded })).toEqual(['ann', 'cid', 'dot', 'eve'])
  })
})

describe('D-9: the draw', () => {
  test('takes no one twice, no more than asked, and the better more often', () => {
    const random = new Random('often')
    const entries = [
      directoryEntry('best'),
      directoryEntry('good', { skills: [skill('echo', { slotsFree: 1 })] }),
      directoryEntry('poor', { skills: [skill('echo', { slotsFree: 0, queued: 20, proficiencyThousandths: 100 })] }),
    ]
    const drawn = new Map<string, number>()
    for (let i = 0; i < 3000; i++) {
      const { chosen } = choose(entries, request(), 1, random)
      expect(chosen).toHaveLength(1)
      for (const { node } of chosen) drawn.set(node, (drawn.get(node) ?? 0) + 1)
    }
    expect(drawn.get('best')).toBeGreaterThan(drawn.get('good') ?? 0)
    expect(drawn.get('good')).toBeGreaterThan(drawn.get('poor') ?? 0)
    expect(drawn.get('poor')).toBeGreaterThan(0)
    expect(new Set(choose(entries, request(), 2).chosen.map((c) => c.node)).size).toBe(2)
  })

  /**
   * 40 nodes of 4 slots; 100 tasks arrive at once at coordinators that all see the same old digests, in which one node
   * looks best. Each asks d nodes and places at the least busy of them.
   */
  function mostLoaded(count: number): { popular: number; most: number } {
    const random = new Random(`stampede ${count}`)
    const entries = Array.from({ length: 40 }, (_, i) =>
      directoryEntry(`n${i}`, i === 0 ? { skills: [skill('echo', { price: 0.5, proficiencyThousandths: 1000 })] } : {}),
    )
    const load = new Map<string, number>()
    for (let task = 0; task < 100; task++) {
      const { chosen } = choose(entries, request(), count, random)
      const [first, ...others] = chosen.map(({ node }) => node)
      if (first === undefined) continue
      const target = others.reduce(
        (least, node) => ((load.get(node) ?? 0) < (load.get(least) ?? 0) ? node : least),
        first,
      )
      load.set(target, (load.get(target) ?? 0) + 1)
    }
    return { popular: load.get('n0') ?? 0, most: Math.max(...load.values()) }
  }

  test('no stampede: the popular node gets few more than its share, and two choices level the rest', () => {
    // Greedy choice would give all 100 to the popular one; a fair share is 2.5.
    expect(mostLoaded(1).popular).toBeLessThan(12)
    const two = mostLoaded(2)
    expect(two.popular).toBeLessThanOrEqual(6)
    expect(two.most).toBeLessThanOrEqual(6)
    expect(mostLoaded(3).most).toBeLessThanOrEqual(5)
  })
})
