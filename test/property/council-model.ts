import type { Act } from '../../src/council/index.ts'
import type { Vouched } from '../../src/identity/types.ts'
import { PORTS } from '../support/council.ts'

/** Clauses GV-1 to GV-14 and GV-16 once more, as plainly as can be: plain maps, loops, the table of the README as it reads. */
export class NaiveCouncil {
  orgs = new Map<string, { keys: readonly string[]; seats: number; rev: number }>()
  withdrawn = new Map<string, { org: string; rev: number }>()
  seats = new Map<string, string>()
  seatRev = 0
  barred = new Set<string>()
  params = new Map<string, { value: string; rev: number }>()
  tenants = new Map<string, { is: string; rev: number }>()
  roles = new Map<string, number>()
  revoked = new Map<string, number>()
  expelled = new Map<string, number>()
  overrides = new Map<string, { until: number; rev: number }>()
  motions: { bytes: string; voices: Set<string>; opener: string; until: number }[] = []
  rev = 0
  readonly founder: string

  constructor(founder: string, orgs: readonly string[], seats: readonly (readonly [string, string])[]) {
    this.founder = founder
    for (const org of orgs) this.orgs.set(org, { keys: [`key${org}`], seats: 5, rev: 0 })
    this.seats = new Map(seats)
  }

  apply(client: string, act: Act, expect: number | undefined, at: number): string {
    if (!this.heard(client)) return 'UNAUTHORISED'
    if (expect !== undefined && expect !== this.revisionOf(act)) return 'STALE'
    const fault = this.fault(act, at)
    if (fault !== undefined) return fault
    let carried = false
    if (!this.entitled(client, act)) {
      if (!this.seats.has(client)) return 'UNAUTHORISED'
      const bytes = JSON.stringify([expect ?? null, act], (_, value) =>
        value instanceof Uint8Array ? [...value] : value,
      )
      const open = this.motions.filter((motion) => motion.until > at)
      const motion = open.find((one) => one.bytes === bytes)
      const voices = new Set([...(motion?.voices ?? []), client].filter((voter) => this.seats.has(voter)))
      if (voices.size < quorumOf(this.seats.size)) {
        if (motion?.voices.has(client)) return 'ALREADY_SO'
        if (motion === undefined && open.filter((one) => one.opener === client).length >= 4) return 'QUOTA_EXCEEDED'
        this.motions = open
        if (motion === undefined) this.motions.push({ bytes, voices, opener: client, until: at + 72 * 3_600_000 })
        else motion.voices = voices
        this.rev += 1
        return `voted ${voices.size}`
      }
      carried = true
      this.motions = this.motions.filter((one) => one !== motion)
    }
    this.rev += 1
    this.change(act, carried, at)
    this.motions = this.motions.filter(
      (one) =>
        one.bytes !==
        JSON.stringify([expect ?? null, act], (_, value) => (value instanceof Uint8Array ? [...value] : value)),
    )
    return 'applied'
  }

  heard(client: string): boolean {
    if (this.revoked.has(client)) return false
    const admin = [...this.roles.keys()].some((role) => role.startsWith(`${client} `) && role.endsWith(' admin'))
    return this.orgOf(client) !== undefined || this.seats.has(client) || admin
  }

  private orgOf(key: string): string | undefined {
    for (const [org, { keys }] of this.orgs) if (keys.includes(key)) return org
    return undefined
  }

  private entitled(client: string, act: Act): boolean {
    const org = this.orgOf(client)
    const top = org === this.founder || this.roles.has(`${client} * admin`)
    const governs = top && this.params.get('council.governance')?.value !== '"council"'
    switch (act.kind) {
      case 'override':
        return top
      case 'tenant':
      case 'parameter':
        return governs
      case 'role':
        if (act.tenant === '*' && act.role === 'admin') return governs && org === this.founder
        return governs || this.roles.has(`${client} ${act.tenant} admin`)
      case 'org':
        return governs || (org !== undefined && org === act.name && this.orgs.get(act.name)?.seats === act.seatsMax)
      case 'revoke':
        return governs || (org !== undefined && act.org === org)
      case 'validator': {
        const added = act.add.map((bytes) => PORTS.readCertificate(bytes)?.certificate)
        const whose = [...added.map((one) => one?.org), ...act.remove.map((one) => this.seats.get(one))]
        return governs || (org !== undefined && whose.every((one) => one === org))
      }
    }
  }

  private genuine({ certificate, authority }: Vouched): boolean {
    return this.orgs.get(certificate.org)?.keys.includes(authority) === true
  }

  revisionOf(act: Act): number {
    if (act.kind === 'tenant') return this.tenants.get(act.name)?.rev ?? 0
    if (act.kind === 'revoke') {
      return (act.org === undefined ? this.revoked.get(act.node) : this.expelled.get(`${act.org} ${act.node}`)) ?? 0
    }
    if (act.kind === 'org') return this.orgs.get(act.name)?.rev ?? 0
    if (act.kind === 'validator') return this.seatRev
    if (act.kind === 'parameter') return this.params.get(act.name)?.rev ?? 0
    if (act.kind === 'role') return this.roles.get(`${act.subject} ${act.tenant} ${act.role}`) ?? 0
    return this.overrides.get(`${act.subject} ${act.action}`)?.rev ?? 0
  }

  private fault(act: Act, at: number): string | undefined {
    switch (act.kind) {
      case 'tenant':
        if (act.weight < 0.001 || act.weight > 1000) return 'BAD_REQUEST'
        return this.tenants.get(act.name)?.is === `${act.weight} ${JSON.stringify(act.quotas)}`
          ? 'ALREADY_SO'
          : undefined
      case 'revoke':
        if (this.revoked.has(act.node)) return 'ALREADY_SO'
        if (this.seats.has(act.node) && this.seats.size === 1) return 'UNSAFE_CHANGE'
        if (act.org === undefined) {
          const isFounders = this.orgOf(act.node) === this.founder
          return isFounders && this.orgs.get(this.founder)?.keys.length === 1 ? 'UNSAFE_CHANGE' : undefined
        }
        if (!this.orgs.has(act.org)) return 'NOT_FOUND'
        if (this.orgOf(act.node) !== undefined) return 'BAD_REQUEST'
        return this.expelled.has(`${act.org} ${act.node}`) ? 'ALREADY_SO' : undefined
      case 'org':
        return this.faultOfOrg(act.name, act.authorities, act.seatsMax)
      case 'validator':
        return this.faultOfSeats(act, at)
      case 'parameter': {
        const now = this.params.get(act.name)?.value
        if (act.name === 'council.governance') {
          if (!['"founder"', '"council"'].includes(act.value)) return 'BAD_REQUEST'
          return (now ?? '"founder"') === act.value ? 'ALREADY_SO' : undefined
        }
        const value = Number(act.value)
        if (!(value >= 1 && value <= 64)) return 'BAD_REQUEST'
        return Number(now ?? '10') === value ? 'ALREADY_SO' : undefined
      }
      case 'role': {
        const has = this.roles.has(`${act.subject} ${act.tenant} ${act.role}`)
        if (act.tenant !== '*' && !this.tenants.has(act.tenant)) return 'NOT_FOUND'
        if (this.revoked.has(act.subject)) return 'BAD_REQUEST'
        if (act.withdraw) return has ? undefined : 'NOT_FOUND'
        return has ? 'ALREADY_SO' : undefined
      }
      case 'override': {
        const until = this.overrides.get(`${act.subject} ${act.action}`)?.until ?? 0
        if (act.ttlMs === 0) return until > at ? undefined : 'NOT_FOUND'
        return act.ttlMs < 1000 ? 'BAD_REQUEST' : undefined
      }
    }
  }

  private faultOfOrg(name: string, keys: readonly string[], seats: number): string | undefined {
    if (new Set(keys).size < keys.length) return 'BAD_REQUEST'
    for (const key of keys) {
      const owner = this.orgOf(key) ?? this.withdrawn.get(key)?.org
      if ((owner !== undefined && owner !== name) || this.seats.has(key) || this.revoked.has(key)) return 'BAD_REQUEST'
    }
    if (keys.length === 0) {
      if (seats > 0) return 'BAD_REQUEST'
      if (!this.orgs.has(name)) return 'NOT_FOUND'
      if (name === this.founder) return 'UNSAFE_CHANGE'
    }
    if ([...this.seats.values()].filter((org) => org === name).length > seats) return 'UNSAFE_CHANGE'
    const known = this.orgs.get(name)
    return known?.seats === seats && known.keys.join() === keys.join() ? 'ALREADY_SO' : undefined
  }

  private faultOfSeats(act: Extract<Act, { kind: 'validator' }>, at: number): string | undefined {
    const after = new Map(this.seats)
    const named: string[] = [...act.remove]
    for (const bytes of act.add) {
      const shown = PORTS.readCertificate(bytes)
      if (shown === undefined || !this.genuine(shown)) return 'CERTIFICATE_INVALID'
      const { node, org, roles, notBefore, notAfter } = shown.certificate
      if (!roles.includes('validator')) return 'CERTIFICATE_INVALID'
      if (at < notBefore - 300_000 || at > notAfter + 300_000) return 'CERTIFICATE_EXPIRED'
      if (this.revoked.has(node) || this.expelled.has(`${org} ${node}`)) return 'CERTIFICATE_REVOKED'
      if (this.orgOf(node) !== undefined) return 'BAD_REQUEST'
      if (this.seats.has(node)) return 'ALREADY_SO'
      named.push(node)
      after.set(node, org)
    }
    if (named.length === 0 || new Set(named).size < named.length) return 'BAD_REQUEST'
    for (const node of act.remove) {
      if (!this.seats.has(node)) return 'NOT_FOUND'
      after.delete(node)
    }
    if (after.size === 0) return 'UNSAFE_CHANGE'
    const sizeMax = Number(this.params.get('council.sizeMax')?.value ?? '10')
    if (after.size > this.seats.size && after.size > sizeMax) return 'QUOTA_EXCEEDED'
    return this.unfair(after) ? 'UNSAFE_CHANGE' : undefined
  }

  /** GV-6, from its text. */
  private unfair(after: ReadonlyMap<string, string>): boolean {
    const orgs = new Set(after.values())
    const share = (seats: ReadonlyMap<string, string>, org: string) =>
      [...seats.values()].filter((one) => one === org).length
    const f = Math.floor((after.size - 1) / 3)
    for (const org of orgs) {
      const grows = share(after, org) > share(this.seats, org)
      if (grows && share(after, org) > (this.orgs.get(org)?.seats ?? 0)) return true
      if (grows && orgs.size > 1 && share(after, org) > Math.max(f, Math.ceil(after.size / orgs.size))) return true
    }
    const fBefore = Math.floor((this.seats.size - 1) / 3)
    const balanced = [...new Set(this.seats.values())].every((org) => share(this.seats, org) <= fBefore)
    return balanced && [...orgs].some((org) => share(after, org) > f)
  }

  private change(act: Act, carried: boolean, at: number): void {
    const { rev } = this
    if (act.kind === 'tenant') this.tenants.set(act.name, { is: `${act.weight} ${JSON.stringify(act.quotas)}`, rev })
    else if (act.kind === 'org') {
      for (const key of this.orgs.get(act.name)?.keys ?? []) this.withdrawn.set(key, { org: act.name, rev })
      for (const key of act.authorities) this.withdrawn.delete(key)
      if (act.authorities.length === 0) this.orgs.delete(act.name)
      else this.orgs.set(act.name, { keys: act.authorities, seats: act.seatsMax, rev })
    } else if (act.kind === 'parameter') this.params.set(act.name, { value: act.value, rev })
    else if (act.kind === 'role') {
      const key = `${act.subject} ${act.tenant} ${act.role}`
      if (act.withdraw) this.roles.delete(key)
      else this.roles.set(key, rev)
    } else if (act.kind === 'override') {
      for (const [key, { until }] of [...this.overrides]) if (until <= at && act.ttlMs > 0) this.overrides.delete(key)
      const key = `${act.subject} ${act.action}`
      if (act.ttlMs === 0) this.overrides.delete(key)
      else this.overrides.set(key, { until: at + act.ttlMs, rev })
    } else if (act.kind === 'revoke' && act.org !== undefined) {
      this.expelled.set(`${act.org} ${act.node}`, rev)
      if (this.seats.get(act.node) === act.org && this.seats.delete(act.node)) this.seatRev = rev
    } else if (act.kind === 'revoke') {
      const org = this.orgOf(act.node) ?? ''
      const { keys = [], seats = 0 } = this.orgs.get(org) ?? {}
      const left = keys.filter((one) => one !== act.node)
      if (keys.length > left.length) this.withdrawn.set(act.node, { org, rev })
      if (keys.length > left.length) this.orgs.set(org, { keys: left, seats, rev })
      if (left.length === 0 && seats === 0) this.orgs.delete(org)
      this.revoked.set(act.node, rev)
      this.barred.delete(act.node)
      for (const key of [...this.roles.keys()]) if (key.startsWith(`${act.node} `)) this.roles.delete(key)
      if (this.seats.delete(act.node)) this.seatRev = rev
    } else {
      for (const node of act.remove) {
        this.seats.delete(node)
        if (!carried) this.barred.add(node)
      }
      for (const bytes of act.add) {
        const certificate = PORTS.readCertificate(bytes)?.certificate
        this.seats.set(certificate?.node ?? '', certificate?.org ?? '')
        this.barred.delete(certificate?.node ?? '')
      }
      this.seatRev = rev
    }
  }

  /** Everything, in one comparable value. */
  get all(): unknown {
    const sorted = <V>(map: ReadonlyMap<string, V>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1))
    return {
      rev: this.rev,
      orgs: sorted(this.orgs).map(([name, { keys, seats, rev }]) => [name, keys.join(), seats, rev]),
      withdrawn: sorted(this.withdrawn).map(([key, { org, rev }]) => [key, org, rev]),
      seats: sorted(this.seats),
      barred: [...this.barred].sort(),
      params: sorted(this.params).map(([name, { value, rev }]) => [name, value, rev]),
      tenants: sorted(this.tenants).map(([name, { is, rev }]) => [name, is, rev]),
      roles: sorted(this.roles),
      revoked: sorted(this.revoked),
      expelled: sorted(this.expelled),
      overrides: sorted(this.overrides).map(([key, { until, rev }]) => [key, until, rev]),
    }
  }
}

function quorumOf(n: number): number {
  return Math.ceil((n + Math.floor((n - 1) / 3) + 1) / 2)
}
