/**
 * Follows jobs in the page and reports the events and their times: first by the client, then by a bare EventSource and a bare WebSocket at once.
 * `?report=` the URL for reports, `?limit=` the time limit in ms.
 */

import { createClient, type Diagnostic, JobtailError } from 'jobtail'
import type { Received, Report } from '../../e2e/matrix/page.ts'

export type Who = 'client' | 'EventSource' | 'WebSocket'

/** `over` is `undefined` in the first report. `started`, in the client's last one, is the outcome of starting a job. */
export type Told = Report & { who: Who; started: string | undefined }

const wishes = new URLSearchParams(location.search)
const limitMs = Number(wishes.get('limit'))
const now = (): number => performance.timeOrigin + performance.now()

async function tell(told: Partial<Told> & Pick<Told, 'who' | 'startedAt'>): Promise<void> {
  const all: Told = { fetchMs: undefined, events: [], diagnostics: [], over: undefined, started: undefined, ...told }
  // To another origin, without a preflight (Fetch standard, "CORS-safelisted"): reports don't pass the proxy.
  await fetch(wishes.get('report') ?? '', { method: 'POST', mode: 'no-cors', body: JSON.stringify(all) })
}

async function followByClient(): Promise<void> {
  const events: Received[] = []
  const diagnostics: Diagnostic[] = []
  const who = 'client'
  const client = createClient({ onDiagnostic: (diagnostic) => diagnostics.push(diagnostic) })
  const startedAt = now()
  const subscription = client.subscribe(who, { signal: AbortSignal.timeout(limitMs) })
  void tell({ who, startedAt })
  let over = 'ended'
  try {
    for await (const { id, seq, type, data } of subscription) events.push({ id, seq, type, data, at: now() })
  } catch (error) {
    over = String(error)
  }
  let started = 'yes'
  try {
    const job = await client.start({}, { signal: AbortSignal.timeout(5000) })
    await job.result
  } catch (error) {
    started = error instanceof JobtailError ? `no (${error.code})` : `no (${error})`
  }
  client.close()
  await tell({ who, startedAt, events, diagnostics, over, started })
}

/** Follows a job by what `open` opens. `open` passes each text to `take`, calls `end` if the connection ends early, and returns how to close. */
async function followBare(who: Who, open: (url: string, take: (text: string) => void, end: (over: string) => void) => () => void): Promise<void> {
  const events: Received[] = []
  const startedAt = now()
  const { promise, resolve } = Promise.withResolvers<string>()
  function take(text: string): void {
    const frames = [JSON.parse(text)].flat()
    for (const { id, seq, type, data } of frames) {
      if (type === undefined) continue // a control
      events.push({ id, seq, type, data, at: now() })
      if (type === 'succeeded') resolve('ended')
    }
  }
  const close = open('/jobs/bare/events', take, resolve)
  setTimeout(() => resolve('not ended'), limitMs)
  void tell({ who, startedAt })
  const over = await promise
  close()
  await tell({ who, startedAt, events, over })
}

await followByClient()
await Promise.all([
  followBare('EventSource', (url, take, end) => {
    const source = new EventSource(url)
    source.onmessage = ({ data }) => take(data)
    // In any other state it reconnects by itself.
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) end('gave up')
    }
    return () => source.close()
  }),
  followBare('WebSocket', (url, take, end) => {
    const socket = new WebSocket(url, 'jobtail.v1')
    let wasOpen = false
    socket.onopen = () => {
      wasOpen = true
    }
    socket.onmessage = ({ data }) => take(data)
    socket.onclose = ({ code }) => end(wasOpen ? `closed (${code})` : 'refused')
    return () => socket.close()
  })
])
