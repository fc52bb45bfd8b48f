/** Follows one job by every reading at once while something is appended to it. */

import { delay } from '../../../async/signals.ts'
import { type CheckContext, endOf, oncePerContext } from '../context.ts'
import { LeftOut, need } from '../finding.ts'
import type { Exchange, Fields } from '../http.ts'
import { cancel } from '../jobs.ts'
import type { Socket } from '../socket.ts'
import { requireEventStream, requireLines } from '../stream.ts'
import { controlsIn, type Transcript } from '../transcript.ts'

export interface Live {
  job: string
  /** The job's cursor before the append. */
  after: string
  /** The events that were appended while the readers were open, by a short poll. */
  appended: readonly Fields[]
  readers: { sse: Promise<Transcript>; ndjson: Promise<Transcript>; websocket: Promise<Transcript> }
  /** A socket that has unsubscribed the job before the append. */
  unsubscribed: Promise<Socket>
  /** A long poll from `after`, sent before the append. */
  held: Promise<Exchange>
  /** The answers to two cancels, the first of which appended an event. Empty where the job had to append one by itself. */
  cancels: readonly Exchange[]
}

/** How long to wait for an event that the job appends by itself. */
const APPEND_MS = 10_000
const POLL_MS = 100
export const HELD_S = 10

export const liveOf: (context: CheckContext) => Promise<Live> = oncePerContext(live)

async function live(context: CheckContext): Promise<Live> {
  const { cancellable, running, why } = context.jobs
  const job = need(cancellable ?? running, why ?? 'no running job is known')
  await context.stillRunning(job)
  if (cancellable !== undefined) await expectUntouched(context, job)
  const after = await endOf(context, job)
  const asks = [{ job, after }]
  const sse = subscribed(context.stream(asks).then(requireEventStream))
  const ndjson = subscribed(context.lines(asks).then(requireLines))
  const websocket = subscribed(openedSocket(context, asks))
  const unsubscribed = unsubscribe(context, asks)
  // A failure is reported by the clause that awaits the same promise.
  await Promise.allSettled([sse, ndjson, websocket, unsubscribed])
  const held = context.askJson(asks, { params: { wait: String(HELD_S) }, limitMs: HELD_S * 1000 + context.target.limitMs })
  held.catch(() => {}) // reported by the clause that awaits it
  const cancels: Exchange[] = []
  if (cancellable !== undefined) cancels.push(await cancel(context.target, job), await cancel(context.target, job))
  const isCancelled = cancels.some(({ status }) => status < 300)
  const appended = await whatComes(context, job, after, isCancelled)
  return { job, after, appended, readers: { sse, ndjson, websocket }, unsubscribed, held, cancels }
}

/** Throws `LeftOut` for a job that is being cancelled already: another cancel would append nothing. */
async function expectUntouched(context: CheckContext, job: string): Promise<void> {
  const { events } = await context.read([{ job }])
  if (events.some(({ type }) => type === 'cancelling')) throw new LeftOut(`job ${job} is being cancelled already: name another one with --cancellable`)
}

async function subscribed(opening: Promise<Transcript>): Promise<Transcript> {
  const transcript = await opening
  await transcript.until(() => controlsIn(transcript, 'subscribed').length > 0, 1000)
  return transcript
}

async function openedSocket(context: CheckContext, asks: readonly { job: string; after: string }[]): Promise<Socket> {
  const socket = await context.socket(asks)
  if (!socket.opened) throw new LeftOut('no WebSocket came')
  return socket
}

async function unsubscribe(context: CheckContext, asks: readonly { job: string; after: string }[]): Promise<Socket> {
  const socket = await openedSocket(context, asks)
  await socket.until(() => controlsIn(socket, 'subscribed').length > 0)
  socket.send({ op: 'unsubscribe', job: asks[0]?.job })
  socket.send({ op: 'ping' })
  if (!(await socket.until(() => controlsIn(socket, 'pong').length > 0))) throw new LeftOut('no pong came')
  return socket
}

async function whatComes(context: CheckContext, job: string, after: string, isCancelled: boolean): Promise<readonly Fields[]> {
  const began = performance.now()
  for (;;) {
    const { events } = await context.read([{ job, after }])
    if (events.length > 0) return events
    const waitedMs = performance.now() - began
    if (isCancelled && waitedMs > context.target.limitMs) return []
    if (waitedMs > APPEND_MS) throw new LeftOut('nothing was appended to the running job: name one with --cancellable')
    await delay(POLL_MS, context.target.signal)
  }
}
