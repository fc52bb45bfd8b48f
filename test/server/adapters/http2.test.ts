import http2 from 'node:http2'
import { expect, onTestFinished, test } from 'vitest'
import { WebSocket as NodeWebSocket } from 'ws'
import { createClient } from '../../../src/core.ts'
import { createJobServer } from '../../../src/server/index.ts'
import type { JobServer } from '../../../src/server/types.ts'
import { sse } from '../../../src/transports/sse.ts'
import { selfSigned } from './certificate.ts'
import { type Http2Fetch, http2Fetch } from './http2-fetch.ts'
import { describeMount, listen, type Mounted } from './mount.ts'

const certificate = selfSigned()

/** A WebSocket that trusts the certificate. `ws` always uses HTTP/1.1. */
class TrustingWebSocket extends NodeWebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols, { ca: certificate.cert })
  }
}

async function mount(jobs: JobServer, allowHTTP1: boolean): Promise<Mounted & { http2: Http2Fetch }> {
  const server = http2.createSecureServer({ ...certificate, allowHTTP1 })
  jobs.attach(server)
  server.on('request', (req, res) => {
    if (req.url === '/page') res.end('the page')
  })
  const origin = await listen(server, 'https')
  const own = http2Fetch(origin, certificate.cert)
  onTestFinished(() => own.close())
  // as: it has everything of the DOM's WebSocket that the transport uses
  return { origin, http2: own, client: { fetch: own.fetch, WebSocket: TrustingWebSocket as unknown as typeof WebSocket } }
}

describeMount('HTTP/2 only', { transports: ['sse', 'long-poll', 'short-poll'], mount: (jobs) => mount(jobs, false) })
describeMount('HTTP/2, and HTTP/1.1 for WebSocket', { mount: (jobs) => mount(jobs, true) })

test('HTTP/2 carries many streams over one connection', async () => {
  const jobs = createJobServer({ maxJobsPerConnection: 1 })
  onTestFinished(() => jobs.close({ graceMs: 100 }))
  const { origin, http2: own, client: by } = await mount(jobs, false)
  const client = createClient({ url: `${origin}/jobs`, transports: [sse()], firstLook: false, ...by })
  onTestFinished(() => client.close())
  const ids = Array.from({ length: 20 }, (_, index) => `job-${index}`)
  for (const id of ids) await jobs.publish(id, 'queued')
  let open = 0
  const { promise: allOpen, resolve } = Promise.withResolvers<void>()
  const follow = async (id: string): Promise<string[]> => {
    const types: string[] = []
    for await (const { type } of client.subscribe(id)) {
      types.push(type)
      if (type === 'queued' && ++open === ids.length) resolve()
    }
    return types
  }
  const all = Promise.all(ids.map(follow))
  await allOpen
  expect(own.open).toBe(ids.length)
  for (const id of ids) await jobs.publish(id, 'succeeded')
  for (const types of await all) expect(types).toEqual(['queued', 'succeeded'])
  expect(own.most).toBe(ids.length)
})
