/** What the clauses share: the server, the jobs, and the answers that several clauses need. */

import { TAIL } from '../../protocol/rules.ts'
import { type Asked, eventsUrl, resourceUrl } from '../../protocol/urls.ts'
import { attempt, LeftOut, need } from './clause.ts'
import { type CheckTarget, type Exchange, exchange, type Fields, type RequestOptions } from './http.ts'
import { type Jobs, stillRunning } from './jobs.ts'
import { findLog, type Log, pagesFrom } from './log.ts'
import { type Reading, readingIn } from './readings.ts'
import { openSocket, type Socket, type SocketOptions } from './socket.ts'
import { openStream, requireEventStream, type Stream } from './stream.ts'
import { controlsIn, type Transcript } from './transcript.ts'

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

export interface CheckContextOptions {
  target: CheckTarget
  jobs: Jobs
  origin?: string | undefined
  anyOrigin?: boolean | undefined
  required?: ReadonlySet<string> | undefined
}

/** Calls `make` at the first call, and returns its promise at every call. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

/** The same for functions of the context: `make` is called once for each. */
export function oncePerContext<T>(make: (context: CheckContext) => Promise<T>): (context: CheckContext) => Promise<T> {
  const made = new WeakMap<CheckContext, Promise<T>>()
  return (context) => {
    const found = made.get(context) ?? make(context)
    made.set(context, found)
    return found
  }
}

export function createCheckContext({ target, jobs, origin, anyOrigin = false, required = new Set() }: CheckContextOptions): CheckContext {
  const finished = (): string => need(jobs.finished, jobs.why ?? 'no finished job is known')

  function urlOf(asks: readonly Asked[], params: Record<string, string> = {}): URL {
    const url = eventsUrl(target.base, asks)
    for (const [name, value] of Object.entries(params)) url.searchParams.append(name, value)
    return url
  }

  const context: CheckContext = {
    target,
    jobs,
    origin,
    anyOrigin,
    required,
    unknown: `jobtail-check-${Math.random().toString(36).slice(2)}`,
    ask: (question) => exchange(target, question),
    askJson: (asks, { params, headers, ...how } = {}) =>
      exchange(target, { ...how, url: urlOf(asks, params), headers: { accept: 'application/json', ...headers } }),
    async read(asks, how) {
      return need(readingIn(await context.askJson(asks, how)), 'no JSON reading came')
    },
    stream: (asks, { params, ...how } = {}) => openStream(target, { ...how, url: urlOf(asks, params) }),
    lines: (asks, { params, ...how } = {}) =>
      openStream(target, { headers: { accept: 'application/x-ndjson' }, ...how, url: urlOf(asks, { ...params, live: '1' }) }),
    socket: (asks, { params, ...how } = {}) => openSocket(target, { ...how, url: urlOf(asks, params) }),
    wholeJson: once(async () => context.read([{ job: finished() }])),
    pages: once(async () => pagesFrom(context, await context.wholeJson(), finished())),
    wholeStream: once(async () => {
      const stream = requireEventStream(await context.stream([{ job: finished() }]))
      await stream.until(() => controlsIn(stream, 'done').length > 0)
      return stream
    }),
    wholeSocket: once(async () => {
      const socket = await context.socket([{ job: finished() }])
      if (!socket.opened) throw new LeftOut('no WebSocket came')
      await socket.until(() => controlsIn(socket, 'done').length > 0)
      return socket
    }),
    log: once(async () => findLog(context, finished())),
    mux: once(async () => {
      const { mux } = await hello(context)
      return typeof mux === 'number' ? mux : 1
    }),
    heartbeatMs: once(async () => {
      const { heartbeatMs } = await hello(context)
      return need(typeof heartbeatMs === 'number' && heartbeatMs, 'no heartbeatMs is known')
    }),
    stillRunning: (job = jobs.running) => stillRunning(target, job, jobs.why)
  }
  return context
}

/** The server's `hello`, by the first reading that has it. */
async function hello(context: CheckContext): Promise<Fields> {
  for (const look of [
    async () => (await context.wholeJson()).answer,
    async () => helloIn(await context.wholeStream()),
    async () => helloIn(await context.wholeSocket())
  ]) {
    const found = await attempt(look)
    if (found) return found
  }
  throw new LeftOut('no reading said hello')
}

const helloIn = (transcript: Transcript): Fields | undefined => controlsIn(transcript, 'hello')[0]

/** The cursor of the job's last event. */
export async function endOf(context: CheckContext, job: string): Promise<string> {
  const { members } = await context.read([{ job, after: TAIL }])
  const cursor = members[0]?.cursor
  return need(typeof cursor === 'string' && cursor, 'the end of the running job is not known')
}

export const snapshotOf = (context: CheckContext, job: string): Promise<Exchange> =>
  context.ask({ url: resourceUrl(context.target.base, job), headers: { accept: 'application/json' } })
