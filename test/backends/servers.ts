/** What each subject is tested against: a real server, or one written by the documentation or the source. */

import type { IncomingMessage } from 'node:http'
import { redisPath } from '../server/redis-server.ts'
import * as peers from '../setup/peers.ts'
import { startA2a } from './a2a-server.ts'
import { startAiSdk } from './ai-sdk-server.ts'
import { startDurable } from './durable-streams-server.ts'
import { type RecordedJob, type StreamKind, serveDocument, serveStream } from './foreign-server.ts'
import { startLangGraph } from './lang-graph-server.ts'
import { startNchan } from './nchan-server.ts'
import { python, startCelery } from './python.ts'
import type { SubjectName } from './subjects.ts'

export interface Server {
  url: string
  job(): RecordedJob | Promise<RecordedJob>
  close(): void | Promise<void>
  /** Whether it keeps its streams open when a job has ended, and the backend has no other way to read: then buffering has to stop before anything arrives. */
  neverEnds?: boolean
}

export interface ServerOf {
  /** `real`: the server of that name; of `plainSse`, `ndjson` and `statusPoll`, a server of that form. `by hand`: written by the documentation or the source. */
  is: 'real' | 'by hand'
  /** False where this machine has no such server. */
  isHere: boolean
  start(): Promise<Server>
}

const real = (start: ServerOf['start'], isHere = true): ServerOf => ({ is: 'real', isHere, start })
const byHand = (start: ServerOf['start']): ServerOf => ({ is: 'by hand', isHere: true, start })

const idOf = (n: number): string => `urn:chunk/${n}?of=20 ü`
const numberIn = (cursor: unknown): number => Number(/chunk\/(\d+)/.exec(String(cursor))?.[1] ?? 0)
const parametersOf = ({ url = '' }: IncomingMessage): URLSearchParams => new URL(url, 'http://x').searchParams
const fromHeader = ({ headers }: IncomingMessage): number => numberIn(headers['last-event-id'])
const fromQuery = (req: IncomingMessage): number => numberIn(parametersOf(req).get('last_event_id'))
const lineOf = (value: unknown): string => `${JSON.stringify(value)}\n`

const sse: StreamKind = {
  type: 'text/event-stream',
  // The id comes after the data, as LangGraph sends it.
  write: (step, n) => (step === undefined ? 'data: [DONE]\n\n' : `data: ${JSON.stringify({ step })}\nid: ${idOf(n)}\n\n`),
  from: fromHeader
}
const nameless: StreamKind = {
  ...sse,
  write: (step) => (step === undefined ? 'event: done\ndata: {}\n\n' : `data: ${JSON.stringify({ step })}\n\n`),
  from: () => 0
}
const live: StreamKind = { ...nameless, from: () => 'live' }
const lines: StreamKind = {
  type: 'application/x-ndjson',
  write: (step, n) => lineOf(step === undefined ? { over: true } : { step, id: idOf(n) }),
  from: fromQuery
}
const chunks: StreamKind = {
  type: 'text/event-stream',
  write: (step) => `data: ${JSON.stringify(step === undefined ? { type: 'finish' } : { type: 'text-delta', delta: `${step}` })}\n\n`,
  from: (req) => Number(parametersOf(req).get('startIndex') ?? 0)
}
const openaiFrame = (type: string, n: number, more: object): string => `event: ${type}\ndata: ${JSON.stringify({ type, sequence_number: n - 1, ...more })}\n\n`
const responses: StreamKind = {
  type: 'text/event-stream',
  write: (step, n) =>
    step === undefined
      ? openaiFrame('response.completed', n, { response: { status: 'completed' } })
      : openaiFrame('response.output_text.delta', n, { delta: `${step}` }),
  from: (req) => Number(parametersOf(req).get('starting_after') ?? -1) + 1,
  document: (isOver) => ({ status: isOver ? 'completed' : 'in_progress' })
}
const hub = (topic: string, cursor: string): StreamKind => ({
  type: 'text/event-stream',
  write: (step, n) => (step === undefined ? 'event: succeeded\ndata: {}\n\n' : `id: urn:uuid:${n}\ndata: {"step":${step}}\n\n`),
  from(req) {
    const after = parametersOf(req).get(cursor)
    return after === null ? 'live' : Number(/\d+$/.exec(after)?.[0] ?? 0)
  },
  jobOf: (req) => parametersOf(req).get(topic) ?? ''
})

const streaming = (kind: StreamKind) => () => serveStream(kind)
const showing =
  (...[document, status]: Parameters<typeof serveDocument>) =>
  () =>
    serveDocument(document, status)

async function a2aBy(binding: 'url' | 'rpcUrl'): Promise<Server> {
  const { [binding]: url, job, close } = await startA2a()
  return { url, job, close }
}

export const servers: Readonly<Record<SubjectName, ServerOf>> = {
  'plainSse, ids in the header': real(streaming(sse)),
  'plainSse, ids in a parameter': real(streaming({ ...sse, from: fromQuery })),
  'plainSse, replayed': real(streaming(nameless)),
  'plainSse, replayed, with heartbeats': real(streaming(nameless)),
  'plainSse, neither ids nor replay': real(streaming(live)),
  'plainSse, neither ids nor replay, with heartbeats': real(streaming(live)),
  'plainSse, of Nchan': real(async () => ({ ...(await startNchan()), neverEnds: true }), peers.nchan.find() !== undefined),
  'ndjson, a field as the cursor': real(streaming(lines)),
  'ndjson, replayed': real(streaming({ ...lines, write: (step) => lineOf(step === undefined ? { over: true } : { step }), from: () => 0 })),
  nchan: real(startNchan, peers.nchan.find() !== undefined),
  durableStreams: real(startDurable),
  aiSdk: real(startAiSdk, redisPath !== undefined),
  workflow: byHand(streaming(chunks)),
  langGraph: real(startLangGraph, peers.langGraph.find() !== undefined),
  openaiResponses: byHand(streaming(responses)),
  'mercure 0': byHand(streaming(hub('topic', 'lastEventID'))),
  'mercure 1': byHand(streaming(hub('match', 'last_event_id'))),
  statusPoll: real(showing((step = 0, done) => ({ step, done }))),
  microsoftLro: byHand(showing((step, isOver) => (isOver ? { status: 'Succeeded' } : { status: 'Running', percentComplete: step }))),
  googleLro: byHand(showing((step, done) => ({ metadata: { progressPercent: step }, ...(done && { done, response: {} }) }))),
  azureDurable: byHand(
    showing((step = 0, isOver) => ({ runtimeStatus: isOver ? 'Completed' : 'Running', customStatus: isOver ? null : { ratio: step / 100 }, output: null }), 202)
  ),
  laravelBatch: byHand(
    showing((processedJobs = 0, isOver) => ({
      totalJobs: 100,
      processedJobs,
      failedJobs: 0,
      options: [],
      cancelledAt: null,
      finishedAt: isOver ? 'now' : null
    }))
  ),
  celeryProgress: real(async () => {
    const server = await startCelery()
    return { ...server, url: `${server.url}/celery-progress` }
  }, python !== undefined),
  mcpTask: byHand(showing((step, isOver) => ({ result: { status: isOver ? 'completed' : 'working', statusMessage: step && `${step}`, pollIntervalMs: 50 } }))),
  jobtailSnapshot: real(
    showing((step, isOver) => ({ status: isOver ? 'succeeded' : 'running', ...(!isOver && { progress: { ratio: (step ?? 0) / 100 } }), result: null }))
  ),
  fal: byHand(showing((step = 0, isOver) => (isOver ? { status: 'COMPLETED' } : { status: 'IN_QUEUE', queue_position: step }))),
  replicate: byHand(showing((step, isOver) => ({ status: isOver ? 'succeeded' : 'processing', logs: step && !isOver ? `${step}\n` : '', output: null }))),
  'a2a, by http': real(() => a2aBy('url')),
  'a2a, by json-rpc': real(() => a2aBy('rpcUrl'))
}
