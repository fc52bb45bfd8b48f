/** Follows a job by every reading at once, through the network as it is, and says what the network does to them. */

import { child, delay } from '../../async/signals.ts'
import { messageOf } from '../../errors.ts'
import { isTerminal, TAIL } from '../../protocol/rules.ts'
import { place } from '../../protocol/urls.ts'
import { type Fields, isFields, parse } from '../check/http.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { type Diagnosis, diagnose } from './findings.ts'
import { isServers } from './judge.ts'
import type { Observation, Watch } from './observation.ts'
import { firstRead, membersIn, watchLongPoll, watchNdjson, watchShortPolls, watchSse } from './readings.ts'
import type { Place } from './request.ts'
import { watchSocket } from './socket.ts'

export interface DoctorOptions {
  place: Place
  job: string
  /** How long to watch, in ms. Default: two heartbeats and a second, at most a minute. */
  watchMs: number | undefined
  signal: AbortSignal
  /** Called once it is known how long it will take. */
  onStart?: (watchMs: number) => void
}

export interface DoctorReport extends Diagnosis {
  job: string
  status: string
  heartbeatMs: number
  watchedMs: number
}

/** How long the first answer may take. */
const FIRST_MS = 10_000
const MAX_WATCH_MS = 60_000
/** How long a handshake without an origin may take. */
const ORIGIN_MS = 2000
const DEFAULT_HEARTBEAT_MS = 15_000

/** @throws {Exit} where the server can't be reached, or refuses the job */
export async function doctor({ place: at, job, watchMs: asked, signal, onStart }: DoctorOptions): Promise<DoctorReport> {
  const first = await firstAnswer(at, job, signal)
  const [member] = membersIn(first)
  const heartbeatMs = typeof first.heartbeatMs === 'number' ? first.heartbeatMs : DEFAULT_HEARTBEAT_MS
  const watchMs = asked ?? Math.min(2 * heartbeatMs + 1000, MAX_WATCH_MS)
  onStart?.(watchMs)
  const watch = await watchAll(at, job, String(member?.cursor ?? TAIL), { heartbeatMs, watchMs, isEnded: member?.done === true }, signal)
  return { job, status: String(member?.status ?? 'unknown'), heartbeatMs, watchedMs: watchMs, ...diagnose(watch) }
}

async function firstAnswer(at: Place, job: string, signal: AbortSignal): Promise<Fields> {
  const limit = AbortSignal.any([signal, AbortSignal.timeout(FIRST_MS)])
  const { observation, answer } = firstRead(at, job, limit)
  const found = await answer
  signal.throwIfAborted()
  const { head, end, text } = observation
  if (head?.status === 200 && found && Array.isArray(found.jobs)) return found
  const said = parse(text)
  const what = isFields(said) && typeof said.code === 'string' ? ` (${said.code})` : ''
  const { location, 'content-type': type = '' } = head?.headers ?? {}
  const came = head ? `${head.status} ${location ? `to ${location}` : type}${what}` : (end?.what ?? `no answer within ${FIRST_MS / 1000} s`)
  throw new Exit(EXIT.unavailable, `${place(at.base)}: expected a JSON reading of job ${job}, as PROTOCOL.md §3 has it, got ${came}`)
}

interface Plan {
  heartbeatMs: number
  watchMs: number
  isEnded: boolean
}

async function watchAll(at: Place, job: string, after: string, { heartbeatMs, watchMs, isEnded }: Plan, signal: AbortSignal): Promise<Watch> {
  const over = child(signal)
  const known = new Map<number, number>()
  // A job that has ended is read as a whole: from its end there would be nothing.
  const asked = isEnded ? { job } : { job, after }
  const readings: Promise<Observation>[] = [
    watchSocket(at, asked, over.signal),
    watchSse(at, asked, over.signal),
    watchNdjson(at, asked, over.signal),
    watchLongPoll(at, asked, Math.min(heartbeatMs, watchMs / 2), over.signal),
    watchShortPolls(at, asked, known, over.signal)
  ]
  const timer = delay(watchMs, over.signal).catch(messageOf) // an interrupted watch is noticed below
  await Promise.race([timer, Promise.all(readings)])
  const endedAt = performance.now()
  over.abort(new Error('the watch is over'))
  over.release()
  const observations = await Promise.all(readings)
  signal.throwIfAborted()
  const isOver = isEnded || observations.some(({ frames }) => frames.some(({ frame }) => frame.control === undefined && isTerminal(String(frame.type))))
  return {
    isRunning: !isOver,
    heartbeatMs,
    endedAt,
    observations,
    known: isEnded ? new Map() : known,
    originRefused: await isOriginRefused(at, asked, observations, signal)
  }
}

/** Whether a handshake that says its page's origin is refused, and one without an origin is not. */
async function isOriginRefused(at: Place, asked: { job: string }, [socket]: readonly Observation[], signal: AbortSignal): Promise<boolean> {
  if (socket?.head?.status !== 403 || !isServers(socket.head)) return false
  const seen = new AbortController()
  const limit = AbortSignal.any([signal, seen.signal, AbortSignal.timeout(ORIGIN_MS)])
  return (await watchSocket(at, asked, limit, { sendsOrigin: false, onOpen: () => seen.abort() })).opened === true
}
