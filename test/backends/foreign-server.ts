/** Servers that don't speak Jobtail's protocol: streams of events or lines, with and without ids, and status documents. */

import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { ServedJob } from '../../src/testing/backend/types.ts'

/** A job whose server says which steps it has had. */
export interface RecordedJob extends ServedJob {
  /** The server's own record, read without a client and without the proxy. */
  record(): number[] | Promise<number[]>
}

export interface ForeignServer {
  url: string
  job(): RecordedJob
  close(): Promise<void>
}

export async function serve(handle: http.RequestListener, path = '/jobs'): Promise<{ url: string; close(): Promise<void> }> {
  const server = http.createServer(handle).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}${path}`, // as: it listens on a port
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    }
  }
}

interface Kept {
  steps: number[]
  isOver: boolean
  changed: Set<() => void>
}

/** Jobs by their id. Each is a list of steps. */
function createJobs() {
  const jobs = new Map<string, Kept>()
  const tell = ({ changed }: Kept): void => {
    for (const each of [...changed]) each()
  }
  return {
    get: (id: string) => jobs.get(id),
    find: (url = '') => jobs.get(new URL(url, 'http://x').pathname.split('/').filter(Boolean)[1] ?? ''),
    add(): RecordedJob {
      const id = `job-${jobs.size + 1}`
      const kept: Kept = { steps: [], isOver: false, changed: new Set() }
      jobs.set(id, kept)
      return {
        id,
        step(n) {
          kept.steps.push(n)
          tell(kept)
        },
        end() {
          kept.isOver = true
          tell(kept)
        },
        record: () => [...kept.steps]
      }
    }
  }
}

export interface StreamKind {
  /** The text of one message. `undefined` is the end. */
  write(step: number | undefined, number: number): string
  type: string
  /** The first step of an answer, by the request's cursor. `live`: only new steps. */
  from(req: http.IncomingMessage): number | 'live'
  /**
   * The id of the requested job.
   * @defaultValue by the path
   */
  jobOf?(req: http.IncomingMessage): string
  /** The job's document, for a request without a query. */
  document?(isOver: boolean): unknown
}

/** Streams each step as soon as it is made. */
export async function serveStream({ write, type, from, document, jobOf }: StreamKind): Promise<ForeignServer> {
  const jobs = createJobs()
  const server = await serve((req, res) => {
    const job = jobOf ? jobs.get(jobOf(req)) : jobs.find(req.url)
    if (!job) return void res.writeHead(404, { 'content-type': 'text/plain' }).end('no such job')
    if (document && !req.url?.includes('?')) return void res.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(document(job.isOver)))
    res.writeHead(200, { 'content-type': type }).flushHeaders()
    const begin = from(req)
    let next = begin === 'live' ? job.steps.length : begin
    const send = (): void => {
      for (; next < job.steps.length; next += 1) res.write(write(job.steps[next], next + 1))
      if (job.isOver) res.end(write(undefined, next + 1))
    }
    job.changed.add(send)
    res.on('close', () => job.changed.delete(send))
    send()
  })
  return { ...server, job: jobs.add }
}

/** Serves a document with each job's state. */
export async function serveDocument(document: (step: number | undefined, isOver: boolean) => unknown, status = 200): Promise<ForeignServer> {
  const jobs = createJobs()
  const server = await serve((req, res) => {
    const job = jobs.find(req.url)
    if (!job) return void res.writeHead(404, { 'content-type': 'text/plain' }).end('no such job')
    res.writeHead(job.isOver ? 200 : status, { 'content-type': 'application/json' }).end(JSON.stringify(document(job.steps.at(-1), job.isOver)))
  })
  return { ...server, job: jobs.add }
}
