/** One job, followed by every reading at once while something is appended to it. */

import { delay } from '../../../async/signals.ts'
import { LeftOut, need } from '../clause.ts'
import type { Exchange, Fields } from '../http.ts'
import { cancel } from '../jobs.ts'
import type { Socket } from '../socket.ts'
import { answered } from '../stream.ts'
import { controlsIn, type Transcript } from '../transcript.ts'
import { endOf, perWorld, type World } from '../world.ts'

export interface Live {
  job: string
  /** Where the job stood before. */
  after: string
  /** What was appended while the readers were open, as a short poll has it. */
  appended: readonly Fields[]
  readers: { sse: Promise<Transcript>; websocket: Promise<Transcript> }
  /** A socket that had unsubscribed before. */
  unsubscribed: Promise<Socket>
  /** A long poll from `after`, asked before anything was appended. */
  held: Promise<Exchange>
  /** Of the cancel that appended it, and of another one; none where something else was waited for. */
  cancels: readonly Exchange[]
}

/** So long something is waited for that a job appends by itself. */
const APPEND_MS = 10_000
const POLL_MS = 100
export const HELD_S = 10

export const liveOf: (world: World) => Promise<Live> = perWorld(live)

async function live(world: World): Promise<Live> {
  const { cancellable, running, why } = world.jobs
  const job = need(cancellable ?? running, why ?? 'no running job is known')
  await world.stillRunning(job)
  if (cancellable !== undefined) await expectUntouched(world, job)
  const after = await endOf(world, job)
  const asks = [{ job, after }]
  const sse = subscribed(world.stream(asks).then(answered))
  const websocket = subscribed(openedSocket(world, asks))
  const unsubscribed = unsubscribe(world, asks)
  // What fails is told to the clause that looks at it.
  await Promise.allSettled([sse, websocket, unsubscribed])
  const held = world.askJson(asks, { params: { wait: String(HELD_S) }, limitMs: HELD_S * 1000 + world.reach.limitMs })
  held.catch(() => {}) // the same
  const cancels: Exchange[] = []
  if (cancellable !== undefined) cancels.push(await cancel(world.reach, job), await cancel(world.reach, job))
  const isCancelled = cancels.some(({ status }) => status < 300)
  const appended = await whatComes(world, job, after, isCancelled)
  return { job, after, appended, readers: { sse, websocket }, unsubscribed, held, cancels }
}

/** A cancel that was asked for before appends nothing now. */
async function expectUntouched(world: World, job: string): Promise<void> {
  const { events } = await world.read([{ job }])
  if (events.some(({ type }) => type === 'cancelling')) throw new LeftOut(`job ${job} is being cancelled already: name another one with --cancellable`)
}

async function subscribed(opening: Promise<Transcript>): Promise<Transcript> {
  const transcript = await opening
  await transcript.until(() => controlsIn(transcript, 'subscribed').length > 0, 1000)
  return transcript
}

async function openedSocket(world: World, asks: readonly { job: string; after: string }[]): Promise<Socket> {
  const socket = await world.socket(asks)
  if (!socket.opened) throw new LeftOut('no WebSocket came')
  return socket
}

async function unsubscribe(world: World, asks: readonly { job: string; after: string }[]): Promise<Socket> {
  const socket = await openedSocket(world, asks)
  await socket.until(() => controlsIn(socket, 'subscribed').length > 0)
  socket.send({ op: 'unsubscribe', job: asks[0]?.job })
  socket.send({ op: 'ping' })
  if (!(await socket.until(() => controlsIn(socket, 'pong').length > 0))) throw new LeftOut('no pong came')
  return socket
}

async function whatComes(world: World, job: string, after: string, isCancelled: boolean): Promise<readonly Fields[]> {
  const began = performance.now()
  for (;;) {
    const { events } = await world.read([{ job, after }])
    if (events.length > 0) return events
    const waitedMs = performance.now() - began
    if (isCancelled && waitedMs > world.reach.limitMs) return []
    if (waitedMs > APPEND_MS) throw new LeftOut('nothing was appended to the running job: name one with --cancellable')
    await delay(POLL_MS, world.reach.signal)
  }
}
