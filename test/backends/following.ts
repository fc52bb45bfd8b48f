/** Follows one job by a backend, against a server that gives prepared answers one after the other. */

import type http from 'node:http'
import { onTestFinished } from 'vitest'
import { createClient } from '../../src/core.ts'
import type { Backend, ClientOptions, JobEvent } from '../../src/types.ts'
import { serve } from './foreign-server.ts'

/** The answer to one request. The last answer is repeated. */
export interface Answer {
  status?: number
  headers?: http.OutgoingHttpHeaders
  body?: string | readonly (string | Uint8Array)[]
  /** Cuts the connection after the body. */
  isCut?: boolean
  /** Sends no end. */
  staysOpen?: boolean
}

export interface Served {
  url: string
  requests: { method: string; url: string; headers: http.IncomingHttpHeaders; body: string }[]
}

export async function serveAnswers(answers: Answer[] | ((request: Served['requests'][number]) => Answer), path?: string): Promise<Served> {
  const requests: Served['requests'] = []
  const left = Array.isArray(answers) ? [...answers] : []
  const { url, close } = await serve(async (req, res) => {
    let body = ''
    for await (const chunk of req) body += chunk
    const request = { method: req.method ?? '', url: req.url ?? '', headers: req.headers, body }
    requests.push(request)
    const answer = Array.isArray(answers) ? ((left.length > 1 ? left.shift() : left[0]) ?? {}) : answers(request)
    const { status = 200, headers = {}, body: text = [], isCut, staysOpen } = answer
    res.writeHead(status, headers)
    res.flushHeaders()
    // Sends each piece in a packet of its own.
    for (const piece of typeof text === 'string' ? [text] : text) {
      res.write(piece)
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (isCut) res.destroy()
    else if (!staysOpen) res.end()
  }, path)
  onTestFinished(close)
  return { url, requests }
}

export function clientOf(backend: Backend, url: string, options: Partial<ClientOptions> = {}) {
  const client = createClient({ backend, url, retry: { baseMs: 5, maxMs: 20 }, ...options, transports: backend.transports })
  onTestFinished(client.close)
  return client
}

export async function eventsOf(backend: Backend, url: string, options: Partial<ClientOptions> & { job?: string; after?: string } = {}): Promise<JobEvent[]> {
  const { job = 'j1', after, ...rest } = options
  const events: JobEvent[] = []
  for await (const event of clientOf(backend, url, rest).subscribe(job, { after })) events.push(event)
  return events
}

export const brief = (events: readonly JobEvent[]): [type: string, data: unknown][] => events.map(({ type, data }) => [type, data])
