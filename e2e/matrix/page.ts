/**
 * Follows a job in the page, and tells the server what came and when: nothing here depends on a driver, which may have to wait for a page in trouble.
 * `?job=` which, `?transports=` by which, `?report=` where to; with `?fetch` a bare fetch of the job comes first.
 */

import { createClient, type Diagnostic, longPoll, shortPoll, sse, webSocket } from 'jobtail'

export interface Received {
  id: string
  seq: number
  type: string
  data: unknown
  /** In ms since 1970. */
  at: number
}

/** What is new since the report before. */
export interface Report {
  fetchMs: number | undefined
  startedAt: number
  events: Received[]
  diagnostics: Diagnostic[]
  /** It is the last: how the loop ended. */
  over: string | undefined
}

const REPORT_EACH_MS = 200

const wishes = new URLSearchParams(location.search)
const wish = (name: string): string => wishes.get(name) ?? ''
const now = (): number => performance.timeOrigin + performance.now()

async function bareFetch(url: string): Promise<number> {
  const before = now()
  await (await fetch(url, { cache: 'no-store' })).text()
  return now() - before
}

const fetchMs = wishes.has('fetch') ? await bareFetch(`/jobs/${wish('job')}/events`) : undefined
let events: Received[] = []
let diagnostics: Diagnostic[] = []
let over: string | undefined

/** One report after the other, so that they arrive in order. */
async function tell(): Promise<void> {
  for (;;) {
    const isLast = over !== undefined
    const report: Report = { fetchMs, startedAt, events, diagnostics, over }
    events = []
    diagnostics = []
    // Simple enough for another origin (Fetch standard, "CORS-safelisted"): its connections are no business of the job's.
    await fetch(wish('report'), { method: 'POST', mode: 'no-cors', body: JSON.stringify(report) })
    if (isLast) return
    await new Promise((resolve) => setTimeout(resolve, REPORT_EACH_MS))
  }
}

const transports = [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }) => wish('transports').split(',').includes(name))
const client = createClient({ transports, onDiagnostic: (diagnostic) => diagnostics.push(diagnostic) })
const startedAt = now()
const subscription = client.subscribe(wish('job'))
void tell()
try {
  for await (const { id, seq, type, data } of subscription) events.push({ id, seq, type, data, at: now() })
  over = 'ended'
} catch (error) {
  over = String(error)
}
