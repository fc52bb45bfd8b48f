/** What the clauses share: the server, the jobs, and the answers that several clauses need. */

import { TAIL } from '../../protocol/rules.ts'
import { type Asked, resourceUrl } from '../../protocol/urls.ts'
import { need } from './finding.ts'
import type { CheckTarget, Exchange, Fields, RequestOptions } from './http.ts'
import type { Jobs } from './jobs.ts'
import type { Reading } from './readings.ts'
import type { Socket, SocketOptions } from './socket.ts'
import type { Stream } from './stream.ts'

/** The events that any reading has delivered, so that an event that one reading leaves out is noticed. */
export interface Log {
  job: string
  events: readonly Fields[]
  last: Fields
  /** An event in the middle, and what comes after it. */
  middle: Fields
  rest: readonly Fields[]
}

type How = Pick<RequestOptions, 'headers' | 'limitMs' | 'anonymous'> & { params?: Record<string, string> }

export interface CheckContext {
  target: CheckTarget
  jobs: Jobs
  /** Another origin whose pages may use the server, if one was named. */
  origin: string | undefined
  /** Pages of every origin may use the server. */
  anyOrigin: boolean
  /** Readings that the server must offer, since `--only` names them. */
  required: ReadonlySet<string>
  /** The id of a job that the server can't know. */
  unknown: string
  ask(question: RequestOptions): Promise<Exchange>
  /** Requests a JSON reading. */
  askJson(asks: readonly Asked[], how?: How): Promise<Exchange>
  /** Requests a JSON reading and parses it. Throws `LeftOut` where the answer is none. */
  read(asks: readonly Asked[], how?: How): Promise<Reading>
  stream(asks: readonly Asked[], how?: How): Promise<Stream>
  /** The same with lines of NDJSON. */
  lines(asks: readonly Asked[], how?: How): Promise<Stream>
  socket(asks: readonly Asked[], how?: Omit<SocketOptions, 'url'> & Pick<How, 'params'>): Promise<Socket>
  /** The whole log of the finished job, by each reading. Requested at the first call only. */
  wholeJson(): Promise<Reading>
  pages(): Promise<Reading[]>
  wholeStream(): Promise<Stream>
  wholeSocket(): Promise<Socket>
  log(): Promise<Log>
  /** How many jobs one connection may carry. */
  mux(): Promise<number>
  heartbeatMs(): Promise<number>
  /** The job's id, by default that of the running job. Throws `LeftOut` where it has ended. */
  stillRunning(job?: string): Promise<string>
}

/** Calls `make` once for each context, and returns its promise at every call. */
export function oncePerContext<T>(make: (context: CheckContext) => Promise<T>): (context: CheckContext) => Promise<T> {
  const made = new WeakMap<CheckContext, Promise<T>>()
  return (context) => {
    const found = made.get(context) ?? make(context)
    made.set(context, found)
    return found
  }
}

/** The cursor of the job's last event. */
export async function endOf(context: CheckContext, job: string): Promise<string> {
  const { members } = await context.read([{ job, after: TAIL }])
  const cursor = members[0]?.cursor
  return need(typeof cursor === 'string' && cursor, 'the end of the running job is not known')
}

export const snapshotOf = (context: CheckContext, job: string): Promise<Exchange> =>
  context.ask({ url: resourceUrl(context.target.base, job), headers: { accept: 'application/json' } })
