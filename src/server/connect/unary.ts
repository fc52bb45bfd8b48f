/** The calls with one answer. Each is put to the server as the HTTP request that it stands for, so that all of its rules hold. */

import type { HandlerContext } from '@connectrpc/connect'
import type { CancelRequest, SnapshotRequest, StartRequest } from '../../connect/jobtail/v1/jobs_pb.ts'
import type { JobSnapshot } from '../../protocol/frames.ts'
import { handleRequest, type ServerParts } from '../handler.ts'
import { badRequest, HttpError, SECURITY_HEADERS } from '../http-error.ts'
import type { Source } from '../permission.ts'
import { checkJob } from '../routes.ts'
import { toConnectError } from './errors.ts'
import { toSnapshot } from './to-response.ts'

const HEADERS = { ...SECURITY_HEADERS, 'Cache-Control': 'private, no-store' }

interface Answer {
  snapshot: ReturnType<typeof toSnapshot>
}

interface Sent {
  method: 'GET' | 'POST'
  /** Below the server's `basePath`. */
  path: string
  body?: string | undefined
  headers?: Record<string, string>
}

export const readSnapshot = ({ job }: SnapshotRequest, ...about: About): Promise<Answer> =>
  send(() => ({ method: 'GET', path: `/${encodeURIComponent(checkJob(job))}` }), ...about)

export const cancelJob = ({ job, reason }: CancelRequest, ...about: About): Promise<Answer> =>
  send(() => ({ method: 'POST', path: `/${encodeURIComponent(checkJob(job))}/cancel`, body: reason === '' ? '' : JSON.stringify({ reason }) }), ...about)

export const startJob = ({ inputJson, idempotencyKey }: StartRequest, ...about: About): Promise<Answer> =>
  send(() => ({ method: 'POST', path: '', body: inputJson, headers: idempotencyKey === '' ? {} : { 'idempotency-key': idempotencyKey } }), ...about)

type About = [context: HandlerContext, source: Source, parts: ServerParts]

async function send(make: () => Sent, context: HandlerContext, source: Source, parts: ServerParts): Promise<Answer> {
  for (const [name, value] of Object.entries(HEADERS)) context.responseHeader.set(name, value)
  try {
    const { method, path, body = '', headers } = make()
    const reply = await handleRequest(
      { request: requestOf(context, method, headers), target: parts.settings.basePath + path, source, signal: context.signal, body: () => body },
      parts
    )
    const value = JSON.parse(String(reply.body))
    if (reply.status >= 400) throw new HttpError(value.status, value.code, value.detail, { retryAfterMs: value.retryAfterMs })
    return { snapshot: toSnapshot(value as JobSnapshot) } // as: it is what the server has just made
  } catch (error) {
    throw error instanceof HttpError ? toConnectError(error) : error
  }
}

/** The call's request, as `authorize` gets it. It has a `Host` in HTTP/2 too, since pages of the server's own host are told by that. */
export function requestOf({ url, requestHeader }: HandlerContext, method: Sent['method'], extra: Record<string, string> = {}): Request {
  const headers = new Headers(requestHeader)
  if (!headers.has('host')) headers.set('host', new URL(url).host)
  try {
    for (const [name, value] of Object.entries(extra)) headers.set(name, value)
  } catch {
    throw badRequest('idempotency_key: expected 1 to 255 printable ASCII characters')
  }
  return new Request(url, { method, headers })
}
