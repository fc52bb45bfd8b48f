/** The JSON resources of a virtual server, for single reads, snapshots, start and cancel. */

import type { Reading, WireEvent } from '../../src/protocol/frames.ts'
import { isControl } from '../../src/protocol/frames.ts'
import type { VirtualLog } from './virtual-log.ts'
import { networkTimer } from './virtual-time.ts'

export type Resource = 'events' | 'snapshot' | 'start' | 'cancel'

export interface Asking {
  resource: Resource
  job: string
  url: URL
  headers: Headers
  body: string | undefined
  at: number
  isOpen: boolean
}

/** In place of an answer: none at all, a network failure, or the response that the function makes. */
export type Fault = 'hang' | 'break' | (() => Response)

export interface VirtualFetch {
  fetch: typeof fetch
  readonly asked: Asking[]
  readonly open: number
  faults: Partial<Record<Resource, Fault | undefined>>
  /** The most events of a job in one answer. */
  pageSize: number
}

/** An answer of an intermediary. */
export const page =
  (status: number, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response('<h1>Not today</h1>', { status, headers: { 'content-type': 'text/html', ...headers } })

export const problem =
  (status: number, code: string, headers: Record<string, string> = {}) =>
  (): Response =>
    new Response(JSON.stringify({ title: 'no', status, code }), { status, headers: { 'content-type': 'application/problem+json', ...headers } })

function resourceOf({ pathname }: URL, method: string): { resource: Resource; job: string } {
  const [, job = '', last] = /^\/jobs(?:\/([^/]+))?(?:\/([^/]+))?$/.exec(pathname) ?? []
  if (last === 'events' || job === 'events') return { resource: 'events', job: last ? decodeURIComponent(job) : '' }
  if (method === 'POST') return last === 'cancel' ? { resource: 'cancel', job } : { resource: 'start', job: '' }
  return { resource: 'snapshot', job: decodeURIComponent(job) }
}

function reading(log: VirtualLog, asked: readonly { job: string; after: string | undefined }[], pageSize: number): Reading {
  let more = false
  const events: WireEvent[] = []
  const jobs = asked.map(({ job, after }) => {
    if (!log.has(job)) return { job, error: { status: 404, code: 'unknown-job', message: 'no such job' } }
    const from = log.positionOf(job, after)
    const { frames, seq: end, done: hasEnded } = log.framesAfter(job, from)
    const seq = Math.min(end, from + pageSize)
    const done = hasEnded && seq === end
    more ||= seq < end
    for (const frame of frames) if (!isControl(frame) && frame.seq <= seq) events.push(frame)
    const { epoch, status } = log.snapshot(job)
    return { job, epoch, seq: from, from: log.cursorAt(job, from), cursor: log.cursorAt(job, seq), status, done }
  })
  return { protocol: 1, heartbeatMs: 15_000, mux: 128, more, jobs, events }
}

export function virtualFetch(log: VirtualLog, delayMs = 10): VirtualFetch {
  const asked: Asking[] = []
  let started = 0

  function answer({ resource, job, url, headers }: Asking): Response {
    if (resource === 'start') {
      started += 1
      log.append(`started-${started}`, 'queued', {})
      return Response.json(log.snapshot(`started-${started}`), { status: 202 })
    }
    if (resource === 'events') {
      const after = url.searchParams.getAll('after')
      const several = url.searchParams.getAll('job').map((each, index) => ({ job: each, after: after[index] }))
      if (job && !log.has(job)) return problem(404, 'unknown-job')()
      return Response.json(reading(log, job ? [{ job, after: headers.get('last-event-id') ?? after[0] }] : several, virtual.pageSize))
    }
    if (!log.has(job)) return problem(404, 'unknown-job')()
    if (resource === 'cancel') log.append(job, 'cancelling', {})
    return Response.json(log.snapshot(job), { status: resource === 'cancel' ? 202 : 200 })
  }

  const virtual: VirtualFetch = {
    asked,
    get open() {
      return asked.filter(({ isOpen }) => isOpen).length
    },
    faults: {},
    pageSize: 1000,
    fetch(input, { headers, signal, method = 'GET', body } = {}) {
      const url = new URL(String(input))
      const asking: Asking = {
        ...resourceOf(url, method),
        url,
        headers: new Headers(headers),
        body: body as string | undefined,
        at: performance.now(),
        isOpen: true
      } // as: the client sends text
      asked.push(asking)
      const fault = virtual.faults[asking.resource]
      return new Promise<Response>((resolve, reject) => {
        const over = (settle: () => void): void => {
          asking.isOpen = false
          clearTimeout(timer)
          settle()
        }
        const timer =
          fault === 'hang'
            ? undefined
            : networkTimer(() => over(() => (fault === 'break' ? reject(new TypeError('fetch failed')) : resolve(fault ? fault() : answer(asking)))), delayMs)
        if (signal?.aborted) over(() => reject(signal.reason))
        signal?.addEventListener('abort', () => over(() => reject(signal.reason)), { once: true })
      })
    }
  }
  return virtual
}
