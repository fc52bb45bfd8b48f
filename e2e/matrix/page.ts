/**
 * Follows a job in the page and reports the events and their times to the server. No driver is involved: it might have to wait for the page.
 * `?job=` the job, `?transports=` the transports, `?report=` the URL for reports. With `?fetch` a bare fetch of the job comes first.
 */

import { createClient, type Diagnostic, longPoll, shortPoll, sse, webSocket } from 'jobtail'
import { ndjson } from 'jobtail/core'

export interface Received {
  id: string
  seq: number
  type: string
  data: unknown
  /** In ms since 1970. */
  at: number
}

/** What is new since the last report. */
export interface Report {
  fetchMs: number | undefined
  startedAt: number
  events: Received[]
  diagnostics: Diagnostic[]
  /** How the loop ended; only in the last report. */
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

/** Sends one report at a time, so that they arrive in order. */
async function tell(): Promise<void> {
  for (;;) {
    const isLast = over !== undefined
    const report: Report = { fetchMs, startedAt, events, diagnostics, over }
    events = []
    diagnostics = []
    // To another origin, without a preflight (Fetch standard, "CORS-safelisted"): reports take no connection from the job's origin.
    await fetch(wish('report'), { method: 'POST', mode: 'no-cors', body: JSON.stringify(report) })
    if (isLast) return
    await new Promise((resolve) => setTimeout(resolve, REPORT_EACH_MS))
  }
}

const transports = [webSocket(), sse(), ndjson(), longPoll(), shortPoll()].filter(({ name }) => wish('transports').split(',').includes(name))
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
