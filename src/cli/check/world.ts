/** What the clauses look at: the server, the jobs that there are, and what several clauses look at together. */

import { TAIL } from '../../protocol/rules.ts'
import { type Asked, eventsUrl, resourceUrl } from '../../protocol/urls.ts'
import { attempt, LeftOut, need } from './clause.ts'
import { ask, type Exchange, type Fields, type Question, type Reach } from './http.ts'
import { type Jobs, stillRunning } from './jobs.ts'
import { findLog, type Log, pagesFrom } from './log.ts'
import { type Reading, readingIn } from './readings.ts'
import { openSocket, type Socket, type SocketQuestion } from './socket.ts'
import { answered, openStream, type Stream } from './stream.ts'
import { controlsIn, type Transcript } from './transcript.ts'

type How = Pick<Question, 'headers' | 'limitMs' | 'anonymous'> & { params?: Record<string, string> }

export interface World {
  reach: Reach
  jobs: Jobs
  /** Another origin whose pages may use the server, if one was named. */
  origin: string | undefined
  /** The server is meant for pages of every origin. */
  anyOrigin: boolean
  /** Readings that the server must offer: they were asked for by name. */
  required: ReadonlySet<string>
  /** A job that the server can't know. */
  unknown: string
  ask(question: Question): Promise<Exchange>
  /** A JSON reading as it comes. */
  askJson(asks: readonly Asked[], how?: How): Promise<Exchange>
  /** The same, taken apart; left out where none came. */
  read(asks: readonly Asked[], how?: How): Promise<Reading>
  stream(asks: readonly Asked[], how?: How): Promise<Stream>
  socket(asks: readonly Asked[], how?: Omit<SocketQuestion, 'url'> & Pick<How, 'params'>): Promise<Socket>
  /** All of the finished job, by each reading. */
  wholeJson(): Promise<Reading>
  pages(): Promise<Reading[]>
  wholeStream(): Promise<Stream>
  wholeSocket(): Promise<Socket>
  log(): Promise<Log>
  /** How many jobs a connection carries. */
  mux(): Promise<number>
  heartbeatMs(): Promise<number>
  /** A job, by default the running one, as long as it is running. */
  stillRunning(job?: string): Promise<string>
}

export interface WorldOptions {
  reach: Reach
  jobs: Jobs
  origin?: string | undefined
  anyOrigin?: boolean | undefined
  required?: ReadonlySet<string> | undefined
}

/** Made at the first call, the same for all later ones. */
function once<T>(make: () => Promise<T>): () => Promise<T> {
  let made: Promise<T> | undefined
  return () => (made ??= make())
}

/** What several clauses look at: made at a world's first call, the same for its later ones. */
export function perWorld<T>(make: (world: World) => Promise<T>): (world: World) => Promise<T> {
  const made = new WeakMap<World, Promise<T>>()
  return (world) => {
    const found = made.get(world) ?? make(world)
    made.set(world, found)
    return found
  }
}

export function createWorld({ reach, jobs, origin, anyOrigin = false, required = new Set() }: WorldOptions): World {
  const finished = (): string => need(jobs.finished, jobs.why ?? 'no finished job is known')

  function urlOf(asks: readonly Asked[], params: Record<string, string> = {}): URL {
    const url = eventsUrl(reach.base, asks)
    for (const [name, value] of Object.entries(params)) url.searchParams.append(name, value)
    return url
  }

  const world: World = {
    reach,
    jobs,
    origin,
    anyOrigin,
    required,
    unknown: `jobtail-check-${Math.random().toString(36).slice(2)}`,
    ask: (question) => ask(reach, question),
    askJson: (asks, { params, headers, ...how } = {}) => ask(reach, { ...how, url: urlOf(asks, params), headers: { accept: 'application/json', ...headers } }),
    async read(asks, how) {
      return need(readingIn(await world.askJson(asks, how)), 'no JSON reading came')
    },
    stream: (asks, { params, ...how } = {}) => openStream(reach, { ...how, url: urlOf(asks, params) }),
    socket: (asks, { params, ...how } = {}) => openSocket(reach, { ...how, url: urlOf(asks, params) }),
    wholeJson: once(async () => world.read([{ job: finished() }])),
    pages: once(async () => pagesFrom(world, await world.wholeJson(), finished())),
    wholeStream: once(async () => {
      const stream = answered(await world.stream([{ job: finished() }]))
      await stream.until(() => controlsIn(stream, 'done').length > 0)
      return stream
    }),
    wholeSocket: once(async () => {
      const socket = await world.socket([{ job: finished() }])
      if (!socket.opened) throw new LeftOut('no WebSocket came')
      await socket.until(() => controlsIn(socket, 'done').length > 0)
      return socket
    }),
    log: once(async () => findLog(world, finished())),
    mux: once(async () => {
      const { mux } = await hello(world)
      return typeof mux === 'number' ? mux : 1
    }),
    heartbeatMs: once(async () => {
      const { heartbeatMs } = await hello(world)
      return need(typeof heartbeatMs === 'number' && heartbeatMs, 'no heartbeatMs is known')
    }),
    stillRunning: (job = jobs.running) => stillRunning(reach, job, jobs.why)
  }
  return world
}

/** What a server says of itself, by whichever reading it has. */
async function hello(world: World): Promise<Fields> {
  for (const look of [
    async () => (await world.wholeJson()).answer,
    async () => helloIn(await world.wholeStream()),
    async () => helloIn(await world.wholeSocket())
  ]) {
    const found = await attempt(look)
    if (found) return found
  }
  throw new LeftOut('no reading said hello')
}

const helloIn = (transcript: Transcript): Fields | undefined => controlsIn(transcript, 'hello')[0]

/** Where the job's log ends now. */
export async function endOf(world: World, job: string): Promise<string> {
  const { members } = await world.read([{ job, after: TAIL }])
  const cursor = members[0]?.cursor
  return need(typeof cursor === 'string' && cursor, 'the end of the running job is not known')
}

export const snapshotOf = (world: World, job: string): Promise<Exchange> =>
  world.ask({ url: resourceUrl(world.reach.base, job), headers: { accept: 'application/json' } })
