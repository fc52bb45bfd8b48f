/** The test suite for a job server mounted in a framework. It is the same for all frameworks. */

import { once } from 'node:events'
import type http from 'node:http'
import type { Http2SecureServer } from 'node:http2'
import type { AddressInfo } from 'node:net'
import { describe, expect, onTestFinished, test, vi } from 'vitest'
import { createClient } from '../../../src/core.ts'
import { createJobServer } from '../../../src/server/index.ts'
import type { JobServerOptions } from '../../../src/server/server-options.ts'
import type { JobServer } from '../../../src/server/types.ts'
import { longPoll, shortPoll } from '../../../src/transports/poll.ts'
import { sse } from '../../../src/transports/sse.ts'
import { webSocket } from '../../../src/transports/websocket.ts'
import type { Client, ClientOptions, Diagnostic } from '../../../src/types.ts'
import { createGate } from '../gate.ts'

export const TRANSPORTS = { websocket: webSocket, sse, 'long-poll': longPoll, 'short-poll': shortPoll }
export type Name = keyof typeof TRANSPORTS

export interface Mounted {
  /** The server's origin, without a path. */
  origin: string
  /** The `fetch` and WebSocket of the client. Default: the globals. */
  client?: Pick<ClientOptions, 'fetch' | 'WebSocket'>
}

export interface Mount {
  /** The path of the jobs. Default: `/jobs`. */
  basePath?: string
  /** Default: all. */
  transports?: readonly Name[]
  /** Serves the jobs, and a page `/page` with the text `the page`. Answers other paths with 404, with the text `elsewhere` where that is given. */
  mount(jobs: JobServer): Promise<Mounted>
  elsewhere?: RegExp
}

/** Lets a server listen on loopback until the end of the test. Resolves with its origin. */
export async function listen(server: http.Server | Http2SecureServer, scheme = 'http'): Promise<string> {
  if (!server.listening) server.listen(0, '127.0.0.1')
  if (!server.listening) await once(server, 'listening')
  onTestFinished(() => {
    if ('closeAllConnections' in server) server.closeAllConnections()
    server.close()
  })
  return `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}` // as: it listens on TCP
}

interface Stage {
  client: Client
  said: Diagnostic[]
  url: string
  mounted: Mounted
}

const EVENTS = 6

/** A long timeout, since the machine may be busy. */
const PATIENCE = { timeout: 30_000 }

export function describeMount(
  name: string,
  { basePath = '/jobs', transports = ['websocket', 'sse', 'long-poll', 'short-poll'], mount, elsewhere }: Mount
): void {
  async function stage(options: JobServerOptions, transport: Name = 'short-poll'): Promise<Stage> {
    const jobs = createJobServer({ basePath, shortPollPauseMs: 20, ...options })
    const mounted = await mount(jobs)
    onTestFinished(() => jobs.close({ graceMs: 100 }))
    const said: Diagnostic[] = []
    const url = mounted.origin + basePath
    const client = createClient({
      url,
      transports: [TRANSPORTS[transport]()],
      firstLook: false,
      onDiagnostic: (diagnostic) => said.push(diagnostic),
      ...mounted.client
    })
    onTestFinished(() => client.close())
    return { client, said, url, mounted }
  }

  describe(name, PATIENCE, () => {
    test.each(transports)('over %s each event arrives before the next one is made, so nothing buffers it', async (transport) => {
      const gate = createGate()
      const taken: number[] = []
      let heard = (): void => {}
      const { client, said } = await stage(
        {
          log: gate.log,
          async start(job, input) {
            for (let n = 1; n <= EVENTS; n += 1) {
              const had = new Promise<void>((resolve) => {
                heard = resolve
              })
              await job.output({ n, input })
              await had
            }
            return 'the end'
          }
        },
        transport
      )
      const input = { text: 'ü'.repeat(1000) }
      const job = await client.start(input)
      for await (const event of job) {
        taken.push(event.seq)
        if (event.type !== 'output') continue
        expect(event.data).toEqual({ n: taken.length - 2, input })
        heard()
      }
      expect(taken).toEqual(Array.from({ length: EVENTS + 3 }, (_, index) => index + 1))
      expect(await job.result).toBe('the end')
      // No event came by the single read beside a silent connection either.
      expect(said.filter(({ type }) => type === 'lost' || type === 'probe-failed')).toEqual([])
      await vi.waitFor(() => expect(gate.watching()).toBe(0), PATIENCE)
    })

    test('a cancel stops the work, and a follower that leaves is released', async () => {
      const gate = createGate()
      const transport = transports.includes('sse') ? 'sse' : 'long-poll'
      const start: JobServerOptions['start'] = (job) => new Promise((_, reject) => job.signal.addEventListener('abort', () => reject(job.signal.reason)))
      const { client } = await stage({ log: gate.log, start }, transport)
      const job = await client.start({})
      const types: string[] = []
      for await (const { type } of job) {
        types.push(type)
        if (type === 'started') await job.cancel()
      }
      expect(types).toEqual(['queued', 'started', 'cancelling', 'cancelled'])
      const other = await client.start({})
      for await (const { type } of other) if (type === 'started') break
      // The running job watches its log too.
      await vi.waitFor(() => expect(gate.watching()).toBe(1), { timeout: 20_000 })
    })

    test('everything else is left to the application', async () => {
      const { mounted, url } = await stage({})
      const { fetch = globalThis.fetch } = mounted.client ?? {}
      expect(await (await fetch(`${mounted.origin}/page`)).text()).toBe('the page')
      const unknown = await fetch(`${url}/none`)
      expect([unknown.status, unknown.headers.get('content-type')]).toEqual([404, 'application/problem+json'])
      if (!elsewhere) return
      const missing = await fetch(`${mounted.origin}/missing`)
      expect(missing.status).toBe(404)
      expect(await missing.text()).toMatch(elsewhere)
    })
  })
}
