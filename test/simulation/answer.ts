/** What a request to the simulated server asks for, and the answer to it. */

import type { Frame } from '../../src/protocol/frames.ts'
import { encodeFrame } from '../../src/server/encode.ts'
import type { Connection } from './connection.ts'
import type { Ask } from './follow.ts'

const PROBLEM = { 'content-type': 'application/problem+json' }

export function reply(connection: Connection, status: number, value: unknown, headers: Record<string, string> = { 'content-type': 'application/json' }): void {
  connection.head(status, headers)
  connection.data(JSON.stringify(value))
  connection.end()
}

export const LINES = 'application/x-ndjson'

export function replyLines(connection: Connection, frames: readonly Frame[]): void {
  connection.head(200, { 'content-type': LINES })
  connection.data(frames.map((frame) => `${encodeFrame(frame)}\n`).join(''))
  connection.end()
}

export function refuse(connection: Connection, status: number, code: string, retryAfterMs?: number): void {
  const retry: Record<string, string> = retryAfterMs ? { 'retry-after': `${Math.ceil(retryAfterMs / 1000)}` } : {}
  reply(connection, status, { type: 'about:blank', title: code, status, code, ...(retryAfterMs && { retryAfterMs }) }, { ...PROBLEM, ...retry })
}

export function asksOf({ request: { url, headers } }: Connection): Ask[] {
  const [, job] = /^\/jobs\/([^/]+)\/events$/.exec(url.pathname) ?? []
  const after = url.searchParams.getAll('after')
  const jobs = job ? [decodeURIComponent(job)] : url.searchParams.getAll('job')
  const single = jobs.length === 1 ? headers.get('last-event-id') : undefined
  return jobs.map((each, index) => ({ job: each, after: single ?? (after[index] || undefined) }))
}
