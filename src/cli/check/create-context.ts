/** Makes what the clauses share. Each answer is requested at the first call only. */

import { type Asked, eventsUrl } from '../../protocol/urls.ts'
import type { CheckContext } from './context.ts'
import { attempt, LeftOut, need } from './finding.ts'
import { type CheckTarget, exchange, type Fields } from './http.ts'
import { type Jobs, stillRunning } from './jobs.ts'
import { findLog, pagesFrom } from './log.ts'
import { readingIn } from './readings.ts'
import { openSocket } from './socket.ts'
import { openStream, requireEventStream } from './stream.ts'
import { controlsIn, type Transcript } from './transcript.ts'

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
