import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { resolveSettings } from '../../node/settings.ts'
import { CLAIMS_PROFILES, checkClaimsParams } from '../../src/claims/params.ts'
import {
  badConfiguration,
  type Config,
  type ConfigProblem,
  type ConfigSources,
  clusterParameters,
  describeConfig,
  formatDuration,
  PROFILES,
  parseDuration,
  profileFile,
  type ResolvedConfig,
  resolveConfig,
} from '../../src/config/index.ts'
import { keysOf } from '../../src/config/key.ts'
import { configSchema } from '../../src/config/schema.ts'
import { nearest } from '../../src/config/suggest.ts'
import { checkDirectoryParams, DIRECTORY_PROFILES } from '../../src/directory/params.ts'
import { checkMembershipParams, MEMBERSHIP_PROFILES } from '../../src/membership/params.ts'

const HOME = '/home/ada'

function settings(profile: (typeof PROFILES)[number], env: Readonly<Record<string, string>>) {
  return resolveSettings({ profile, listen: [], labels: {} }, env)
}

function resolved(sources: Partial<ConfigSources> = {}): ResolvedConfig {
  const result = resolveConfig({ home: HOME, env: {}, ...sources })
  if (!result.ok) throw badConfiguration(result.error)
  return result.value
}

function problems(sources: Partial<ConfigSources>): readonly ConfigProblem[] {
  const result = resolveConfig({ home: HOME, env: {}, ...sources })
  return result.ok ? [] : result.error
}

const file = (content: string): Pick<ConfigSources, 'file'> => ({ file: { name: 'swarm.yaml', content } })

describe('layers', () => {
  it('CF-1 CF-2: a later layer wins, and every value says where it is from', () => {
    const content = 'node: { region: from-file, zone: from-file }\nlog: { level: warn }\nup: { nodes: 7 }'
    const env = { SWARM_NODE_NODE_REGION: 'from-env', SWARM_NODE_LOG_LEVEL: 'debug', SWARM_NODE_PROFILE: 'wan' }
    const { config, origins } = resolved({ ...file(content), env, flags: { region: 'from-flag' } })
    expect([config.node.region, origins.get('node.region')]).toEqual(['from-flag', 'flag --region'])
    expect([config.node.zone, origins.get('node.zone')]).toEqual(['from-file', 'file swarm.yaml'])
    expect([config.log.level, origins.get('log.level')]).toEqual(['debug', 'environment SWARM_NODE_LOG_LEVEL'])
    expect([config.network.relay.client, origins.get('network.relay.client')]).toEqual([true, 'profile wan'])
    expect([config.storage.segmentBytesMax, origins.get('storage.segmentBytesMax')]).toEqual([2 ** 24, 'default'])
  })

  it('the data directory and the socket are where the specification says', () => {
    expect(resolved().config).toMatchObject({
      data: '/home/ada/.local/state/swarm-node',
      socket: '/home/ada/.local/state/swarm-node/swarm.sock',
    })
    expect(resolved({ env: { XDG_STATE_HOME: '/state' } }).config.data).toBe('/state/swarm-node')
    expect(resolved({ env: { SWARM_NODE_DATA: '/d', SWARM_NODE_SOCKET: '' } }).config.socket).toBe('/d/swarm.sock')
    expect(resolved({ env: { SWARM_NODE_DATA: '/d' }, flags: { data: '/e' } }).config.data).toBe('/e')
  })

  it('the local profile listens on loopback only', () => {
    expect(resolved({ flags: { profile: 'local' } }).config.network.listen).toEqual(['/ip4/127.0.0.1/tcp/0'])
    expect(resolved().config.network.listen).toEqual(['/ip4/0.0.0.0/tcp/0'])
  })

  it('reads lists, maps, numbers, truth values and durations from the environment', () => {
    const env = {
      SWARM_NODE_NETWORK_LISTEN: '/ip4/1.2.3.4/tcp/1, /ip6/::1/tcp/2',
      SWARM_NODE_NODE_LABELS: 'gpu=V100,tier=a=b',
      SWARM_NODE_UP_NODES: '5',
      SWARM_NODE_NETWORK_MDNS: 'false',
      SWARM_NODE_SECURITY_TICKET_TTL_MS: '30m',
    }
    const { network, node, up, security } = resolved({ env }).config
    expect(network).toMatchObject({ listen: ['/ip4/1.2.3.4/tcp/1', '/ip6/::1/tcp/2'], mdns: false })
    expect(node.labels).toEqual({ gpu: 'V100', tier: 'a=b' })
    expect([up.nodes, security.ticketTtlMs]).toEqual([5, 1_800_000])
  })

  it('flags that were not given change nothing', () => {
    const flags = { listen: [], label: {}, region: undefined }
    expect(resolved({ flags })).toEqual(resolved())
    expect(resolved({ flags: { label: { a: 'b' }, listen: ['/ip4/127.0.0.1/tcp/9'] } }).config).toMatchObject({
      node: { labels: { a: 'b' } },
      network: { listen: ['/ip4/127.0.0.1/tcp/9'] },
    })
  })

  it('a file may be YAML or JSON, nested or dotted, empty or only comments', () => {
    expect(resolved(file('{"node": {"region": "eu"}}')).config.node.region).toBe('eu')
    expect(resolved(file('node.region: eu')).config.node.region).toBe('eu')
    for (const content of ['', '# nothing\n']) expect(resolved(file(content))).toEqual(resolved())
  })

  it('G-7 no label of its own makes a node an issuer', () => {
    const reserved = problems({ flags: { label: { 'swarm.issuer': 'acme' } } })
    expect(reserved).toMatchObject([{ path: expect.stringContaining('node.labels') }])
    // As many bytes as a presence has room for, whatever they are.
    const long = problems({ flags: { label: { city: 'é'.repeat(33) } } })
    expect(long).toMatchObject([{ path: expect.stringContaining('node.labels') }])
    expect(resolved({ flags: { label: { city: 'é'.repeat(32) } } }).config.node.labels).toEqual({
      city: 'é'.repeat(32),
    })
    expect(resolved({ flags: { label: { 'swarmed.issuer': 'acme' } } }).config.node.labels).toHaveProperty([
      'swarmed.issuer',
    ])
  })

  it('is frozen through and through', () => {
    const { config } = resolved({ flags: { label: { a: 'b' } } })
    const frozen = (value: unknown): boolean =>
      typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen))
    expect(frozen(config)).toBe(true)
  })
})

describe('problems', () => {
  it('the example is written as it would be there: in a file, or as a variable', () => {
    const fixes = (sources: Parameters<typeof problems>[0]) => problems(sources).map(({ fix }) => fix)
    expect(fixes(file('network.announce: 3'))).toEqual(['For example: ["/ip4/10.0.0.7/tcp/4001"]'])
    const env = { SWARM_NODE_NETWORK_ANNOUNCE: 'x', SWARM_NODE_NODE_CAPACITY: 'gpu' }
    const [capacity, announce] = fixes({ env }).map((fix) => fix.replace('For example: ', ''))
    expect(announce).toBe('/ip4/10.0.0.7/tcp/4001')
    const mended = { SWARM_NODE_NETWORK_ANNOUNCE: announce ?? '', SWARM_NODE_NODE_CAPACITY: capacity ?? '' }
    expect(problems({ env: mended })).toEqual([])
  })

  it('a variable that is named as the flag or the last part of a key is known for it', () => {
    const env = { SWARM_NODE_REGION: 'x', SWARM_NODE_ZONE: 'x', SWARM_NODE_SIZE_MAX: '3' }
    expect(problems({ env }).map(({ fix }) => fix)).toEqual([
      'Did you mean SWARM_NODE_NODE_REGION?',
      'Did you mean SWARM_NODE_NODE_ZONE?',
      'Did you mean SWARM_NODE_COUNCIL_SIZE_MAX?',
    ])
  })

  it('a file that does not parse: where, and why', () => {
    const [problem] = problems(file('node: ['))
    expect(problem).toMatchObject({ path: 'swarm.yaml:1', fix: 'Mend that line.' })
    expect(problem?.rule).toMatch(/^must be YAML or JSON: .* column \d+$/)
  })

  it('CF-3 CF-4: all are told at once, with path, value, origin, rule and what to do', () => {
    const content = [
      'profil: wan',
      'node: { region: "not a name", labels: { ok: fine } }',
      'netwrok: { mdns: true }',
      'membership: { probeCycleMs: fast, fullMeshMax: 300, mdns: true }',
      'up: 3',
    ].join('\n')
    const env = { SWARM_NODE_REGON: 'eu', SWARM_NODE_UP_NODES: 'many', SWARM_NODE_NETWORK_MDNS: 'yes' }
    const found = problems({ ...file(content), env, flags: { http: 'localhost' } })
    expect(found.map(({ path, value, origin, fix }) => [path, value, origin, fix])).toEqual([
      ['profil', 'wan', 'file swarm.yaml', 'Did you mean profile?'],
      ['netwrok', { mdns: true }, 'file swarm.yaml', 'Did you mean network?'],
      ['membership.mdns', true, 'file swarm.yaml', expect.stringContaining('Did you mean')],
      ['up', 3, 'file swarm.yaml', 'Put the keys below it, indented.'],
      ['SWARM_NODE_REGON', undefined, 'environment', expect.stringContaining('Did you mean SWARM_NODE_')],
      ['node.region', 'not a name', 'file swarm.yaml', 'For example: eu-west'],
      ['network.mdns', 'yes', 'environment SWARM_NODE_NETWORK_MDNS', 'For example: false'],
      ['membership.probeCycleMs', 'fast', 'file swarm.yaml', 'For example: 1s'],
      ['membership.fullMeshMax', 300, 'file swarm.yaml', `For example: ${resolved().config.membership.fullMeshMax}`],
      ['http.listen', 'localhost', 'flag --http', 'For example: 127.0.0.1:9464'],
      ['up.nodes', 'many', 'environment SWARM_NODE_UP_NODES', 'For example: 3'],
    ])
    expect(found.every(({ rule }) => rule.length > 0)).toBe(true)
    const error = badConfiguration(found)
    expect(error.exitCode).toBe(2)
    expect(error.message.split('\n').length).toBe(12)
    expect(error.message).toContain(
      'membership.fullMeshMax is 300 (file swarm.yaml): must be a whole number from 2 to 256',
    )
  })

  it('CF-4: no text is taken for a number in a file, and nothing for nothing', () => {
    expect(problems(file('up: { nodes: "3" }'))).toHaveLength(1)
    expect(problems(file('http: { listen: null }'))).toHaveLength(1)
    expect(problems(file('http: { listen: 127.0.0.1:99999 }'))).toHaveLength(1)
  })

  it.each([
    [['/ip4/0.0.0.0/tcp/0', '/ip4/255.9.99.199/tcp/65535', '/ip6/::/tcp/1', '/dns4/a.example.org/tcp/4001'], true],
    [['/ip4/127.0.0.1/tcp/99999'], false],
    [['/ip4/1.2.3.256/tcp/1'], false],
    [['/ip4/1.2.3/tcp/1'], false],
    [['/ip4/127.0.0.1'], false],
    [['/ip4/127.0.0.1/udp/4001/quic-v1'], false],
  ])('knows what can be listened on: %j is %s', (listen, isFine) => {
    const report = resolveConfig({ home: '/nowhere', env: {}, flags: { listen } })
    expect(report.ok ? [] : report.error.map(({ path }) => path)).toEqual(isFine ? [] : ['network.listen'])
  })

  it('says where a file does not parse, and goes on with the rest', () => {
    const found = problems({ ...file('node:\n  region: [eu\n'), env: { SWARM_NODE_UP_NODES: '0' } })
    expect(found.map(({ path }) => path)).toEqual([expect.stringMatching(/^swarm\.yaml:\d+$/), 'up.nodes'])
  })

  it('a key given twice is a problem', () => {
    expect(problems(file('node: { region: a }\nnode.region: b'))).toMatchObject([{ rule: 'is given twice' }])
  })

  it('CF-7: a relation that does not hold is told with its reason and what can be changed', () => {
    const [problem, ...rest] = problems(file('directory: { expiryMs: 40s }'))
    expect(rest).toEqual([])
    expect(problem).toMatchObject({ path: 'directory.heartbeatMs', value: 60_000, fix: 'Change directory.expiryMs.' })
    expect(problem?.rule).toContain('two lost heartbeats must not make a live node vanish')
  })

  it('a broken value does not hide that a relation of others is broken', () => {
    const found = problems(file('directory: { expiryMs: 40s }\nmembership: { rings: x }'))
    expect(found.map(({ path }) => path)).toEqual(['membership.rings', 'directory.heartbeatMs'])
  })
})

describe('cluster-wide keys (CF-6)', () => {
  const founded = clusterParameters(resolved({ flags: { profile: 'wan' } }).config)

  it('go into the genesis as texts that fit it', () => {
    expect(founded['directory.expiryMs']).toBe('240000')
    expect(Object.keys(founded).length).toBeLessThanOrEqual(64)
    for (const [name, text] of Object.entries(founded)) {
      expect(name.length).toBeLessThanOrEqual(48)
      expect(text.length).toBeLessThanOrEqual(128)
    }
  })

  it('come from the genesis where there is one, whatever the profile', () => {
    const { config, origins } = resolved({ flags: { profile: 'lan' }, genesis: founded })
    expect(config.directory.expiryMs).toBe(240_000)
    expect(origins.get('directory.expiryMs')).toBe('genesis')
    expect(clusterParameters(config)).toEqual(founded)
  })

  it('a local value that says otherwise is a problem, one that says the same is not', () => {
    expect(problems({ genesis: founded, ...file('directory: { expiryMs: 4m }') })).toEqual([])
    expect(problems({ genesis: founded, env: { SWARM_NODE_DIRECTORY_EXPIRY_MS: '3m' } })).toMatchObject([
      { path: 'directory.expiryMs', value: 180_000, rule: expect.stringContaining('founded with 240000') },
    ])
  })

  it('a parameter that this version does not know, or that is not cluster-wide, is a problem', () => {
    const found = problems({ genesis: { ...founded, 'policy.mode': '"x"', 'up.nodes': '4' } })
    expect(found.map(({ path, origin }) => [path, origin])).toEqual([
      ['policy.mode', 'genesis'],
      ['up.nodes', 'genesis'],
    ])
  })
})

describe('the table of keys', () => {
  it.each(PROFILES)('CF-7: the profile %s has the values of the protocols', (profile) => {
    const { membership, directory, claims } = resolved({ flags: { profile } }).config
    expect(MEMBERSHIP_PROFILES[profile]).toMatchObject(membership)
    expect(DIRECTORY_PROFILES[profile]).toMatchObject(directory)
    expect(CLAIMS_PROFILES[profile]).toMatchObject(claims)
    expect(settings(profile, {}).claims).toEqual(CLAIMS_PROFILES[profile])
  })

  it.each(PROFILES)('CF-7: a lease of any allowed length keeps the relations of the claims: %s', (profile) => {
    for (const leaseMs of [2_000, 2_001, 5_000, 10_000, 33_333, 60_000]) {
      const { claims } = settings(profile, { SWARM_NODE_CLAIMS_LEASE_MS: `${leaseMs}ms` })
      expect(claims.leaseMs).toBe(leaseMs)
      checkClaimsParams(claims)
    }
  })

  it('who lets others at the socket demands a token', () => {
    expect(problems({ env: { SWARM_NODE_SOCKET_ACCESS: 'group' } }).map(({ path }) => path)).toEqual(['socketAccess'])
    const env = { SWARM_NODE_SOCKET_ACCESS: 'group', SWARM_NODE_TOKEN: 'x'.repeat(16) }
    expect(resolved({ env }).config.socketAccess).toBe('group')
  })

  it('amounts are numbers, in a file and in the environment', () => {
    expect(resolved(file('node: {capacity: {cpu: 4, gpu.V100: 0.5}}')).config.node.capacity).toEqual({
      cpu: 4,
      'gpu.V100': 0.5,
    })
    expect(resolved({ env: { SWARM_NODE_NODE_CAPACITY: 'cpu=4,memory=1.5' } }).config.node.capacity).toEqual({
      cpu: 4,
      memory: 1.5,
    })
    for (const text of ['cpu=many', 'cpu', 'cpu=-1']) {
      expect(problems({ env: { SWARM_NODE_NODE_CAPACITY: text } })).toHaveLength(1)
    }
  })

  it('CF-7: whatever is accepted passes the checks of the protocols', () => {
    const numbers = keysOf(configSchema).filter(({ path }) => /^(membership|directory)\./.test(path))
    const scales = fc.dictionary(
      fc.constantFrom(...numbers.map(({ path }) => path)),
      fc.double({ min: 0.05, max: 20 }),
      {
        maxKeys: 4,
      },
    )
    let accepted = 0
    fc.assert(
      fc.property(fc.constantFrom(...PROFILES), scales, (profile, scale) => {
        const base = resolved({ flags: { profile } })
        const lines = describeConfig(base)
          .filter(({ path }) => path in scale)
          .map(({ path, value }) => `${path}: ${Math.round(Number(value) * (scale[path] ?? 1))}`)
        const result = resolveConfig({ home: HOME, env: {}, flags: { profile }, ...file(lines.join('\n')) })
        if (!result.ok) return
        accepted += 1
        checkMembershipParams({ ...MEMBERSHIP_PROFILES[profile], ...result.value.config.membership })
        checkDirectoryParams({ ...DIRECTORY_PROFILES[profile], ...result.value.config.directory })
      }),
      { numRuns: 500 },
    )
    expect(accepted).toBeGreaterThan(50)
  })

  it('CF-5: durations are the keys that end in Ms', () => {
    for (const { path, about } of keysOf(configSchema)) {
      expect(about.kind === 'duration', path).toBe(path.endsWith('Ms'))
      expect(about.help, path).toMatch(/^[A-Z].*\.$/)
    }
  })

  it('variables are not ambiguous', () => {
    const variables = keysOf(configSchema).map(({ variable }) => variable)
    expect(new Set(variables).size).toBe(variables.length)
    expect(variables).toContain('SWARM_NODE_NETWORK_RELAY_SERVER')
  })

  it('CF-8: a secret is not printed, neither as a value nor in a problem', () => {
    const good = describeConfig(resolved({ env: { SWARM_NODE_TOKEN: 'correct-horse-battery' } }))
    expect(good.find(({ path }) => path === 'token')).toMatchObject({ value: '(set)' })
    expect(JSON.stringify(good)).not.toContain('horse')
    expect(JSON.stringify(problems({ env: { SWARM_NODE_TOKEN: 'horse' } }))).not.toContain('horse')
  })

  it('describes every key once, with its origin', () => {
    const described = describeConfig(resolved())
    expect(described.map(({ path }) => path)).toEqual(keysOf(configSchema).map(({ path }) => path))
    expect(described.find(({ path }) => path === 'http.listen')).toMatchObject({ value: null, origin: 'default' })
  })
})

describe('files that are shipped', () => {
  it.each(PROFILES)('the profile file %s chooses the profile and nothing else', (profile) => {
    const { config } = resolved(file(profileFile(profile)))
    expect(config).toEqual(resolved({ flags: { profile } }).config satisfies Config)
  })

  it('the example resolves', () => {
    const content = readFileSync(join(import.meta.dirname, '../../config/examples/swarm.yaml'), 'utf8')
    expect(resolved(file(content)).config).toMatchObject({
      node: { region: 'eu-west' },
      security: { ticketTtlMs: 1_800_000 },
    })
  })
})

describe('words', () => {
  it.each([
    ['250ms', 250],
    ['30s', 30_000],
    ['5m', 300_000],
    ['24h', 86_400_000],
    ['1.5s', 1500],
    ['7d', 604_800_000],
  ])('CF-5: %s is %d ms', (text, ms) => expect(parseDuration(text)).toBe(ms))

  it.each(['', '5', 's', '-1s', '1 s', '1.2345ms', '5M', '1e3s', '99999999999999d'])(
    'CF-5: %j is no duration',
    (text) => expect(parseDuration(text)).toBeUndefined(),
  )

  it('CF-5: what is written reads back', () => {
    fc.assert(fc.property(fc.nat(2 ** 31), (ms) => parseDuration(formatDuration(ms)) === ms))
  })

  it('CF-4: finds what was meant, and nothing where nothing is near', () => {
    expect(nearest('regoin', ['region', 'zone'])).toBe('region')
    expect(nearest('zzzzzzzz', ['region', 'zone'])).toBeUndefined()
  })
})
