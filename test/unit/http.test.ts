import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { parseHttpAddress } from '../../node/http/http-address.ts'
import { HttpServer } from '../../node/http/http-server.ts'
import { openLog } from '../../node/log.ts'
import { NodeMetrics } from '../../node/metrics.ts'
import { eventually } from '../support/eventually.ts'
import { FakeNode } from '../support/fake-node.ts'

const servers: HttpServer[] = []

async function serve(port = 0) {
  const node = new FakeNode()
  const metrics = new NodeMetrics(node)
  const http = await HttpServer.listen({
    host: '127.0.0.1',
    port,
    log: openLog({ level: 'fatal', to: 'stderr' }).module('http'),
    source: {
      status: () => node.status(),
      peerCounts: () => ({ alive: 1, dead: 1 }),
      metrics: async () => ({ text: await metrics.text(), contentType: metrics.contentType }),
    },
  })
  servers.push(http)
  return { node, metrics, http, url: `http://${http.address}` }
}

afterEach(async () => {
  await Promise.all(servers.splice(0).map((http) => http.stop()))
})

describe('/healthz', () => {
  it('is 200 while the node runs and 503 with the state otherwise', async () => {
    const { node, url } = await serve()
    const fine = await fetch(`${url}/healthz`)
    expect(fine.status).toBe(200)
    expect(fine.headers.get('content-type')).toContain('application/json')
    expect(await fine.json()).toMatchObject({ healthy: true, state: 'running', node: node.node, peers: { alive: 1 } })
    node.state = 'stopping'
    const not = await fetch(`${url}/healthz?verbose`)
    expect(not.status).toBe(503)
    expect(await not.json()).toMatchObject({ healthy: false, state: 'stopping' })
  })
})

describe('/metrics', () => {
  it('is text for Prometheus, every name with our prefix', async () => {
    const { url } = await serve()
    const response = await fetch(`${url}/metrics`)
    expect(response.headers.get('content-type')).toContain('text/plain')
    const text = await response.text()
    for (const line of text.split('\n').filter(Boolean)) expect(line).toMatch(/^(# (HELP|TYPE) )?swarm_node_/)
    expect(text).toContain('swarm_node_info{node="12D3KooWFake",swarm="f00d",version="0.0.0-test"} 1')
    expect(text).toContain('swarm_node_peers{state="alive"} 1')
    expect(text).toContain('swarm_node_peers{state="suspect"} 0')
    expect(text).toContain('swarm_node_tasks{state="waiting"} 2')
    expect(text).toContain('swarm_node_uptime_seconds 3661')
    expect(text).toContain('swarm_node_network_dials_total 3')
    expect(text).toContain('swarm_node_network_refused_by_us_total{code="WRONG_SWARM"} 2')
    expect(text).toContain('swarm_node_network_lane_queued_bytes{lane="bulk"} 0')
    expect(text).toContain('# TYPE swarm_node_member_down_total counter\nswarm_node_member_down_total 3')
    expect(text).toContain('swarm_node_event_loop_lag_seconds 0.0015')
  })

  it('counters do not grow by being looked at', async () => {
    const { url } = await serve()
    await fetch(`${url}/metrics`)
    expect(await (await fetch(`${url}/metrics`)).text()).toContain('swarm_node_member_down_total 3')
  })

  it('says the same as JSON', async () => {
    const { metrics } = await serve()
    const report = await metrics.report()
    const peers = report.metrics.find((metric) => metric.name === 'swarm_node_peers')
    expect(peers?.values).toContainEqual({ name: 'swarm_node_peers', labels: { state: 'dead' }, value: 1 })
  })
})

describe('anything else', () => {
  it.each([
    ['GET', '/', 404],
    ['GET', '/metrics/', 404],
    ['POST', '/metrics', 405],
    ['DELETE', '/healthz', 405],
    ['HEAD', '/healthz', 200],
  ])('%s %s is %d', async (method, path, status) => {
    const { url } = await serve()
    expect((await fetch(`${url}${path}`, { method })).status).toBe(status)
  })

  it('headers that go on and on are cut off', async () => {
    const { http } = await serve()
    const { host, port } = parseHttpAddress(http.address)
    const socket = connect(port, host)
    let text = ''
    socket.setEncoding('utf8').on('data', (piece: string) => {
      text += piece
    })
    socket.on('error', () => {})
    socket.write(`GET /healthz HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)
    await once(socket, 'close')
    expect(text).toMatch(/^HTTP\/1\.1 431/)
  })

  it('who asks on and on and reads nothing gets one answer, and keeps no place', { timeout: 30_000 }, async () => {
    const { http, url } = await serve()
    const { host, port } = parseHttpAddress(http.address)
    const asked = 'GET /metrics HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(400)
    const before = process.memoryUsage().rss
    const silent = Array.from({ length: 64 }, () => {
      const socket = connect(port, host, () => socket.write(asked))
      return socket.pause().on('error', () => {})
    })
    await Promise.all(silent.map((socket) => once(socket, 'connect')))
    await eventually('somebody else is answered', async () => {
      const answer = await fetch(`${url}/healthz`, { signal: AbortSignal.timeout(1_000) }).catch(() => undefined)
      return answer?.status === 200
    })
    expect(process.memoryUsage().rss - before).toBeLessThan(100 * 1024 * 1024)
    for (const socket of silent) socket.destroy()
  })

  it('a taken port is a coded refusal that names it', async () => {
    const { http } = await serve()
    const { port } = parseHttpAddress(http.address)
    await expect(serve(port)).rejects.toMatchObject({
      code: 'ADDRESS_IN_USE',
      message: expect.stringContaining(`${port}`),
    })
  })
})

describe('addresses', () => {
  it.each([
    ['127.0.0.1:9100', '127.0.0.1', 9100],
    ['localhost:0', 'localhost', 0],
    ['[::1]:9100', '::1', 9100],
  ])('%s', (text, host, port) => expect(parseHttpAddress(text)).toEqual({ host, port }))

  it.each(['9100', ':9100', 'host:', 'host:70000', '::1:9100', 'a b:1', ''])('not %j', (text) =>
    expect(() => parseHttpAddress(text)).toThrow(/HOST:PORT/),
  )
})
