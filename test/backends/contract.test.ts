/** The conformance suite for each backend, with a server of its kind. */

import type { IncomingMessage } from 'node:http'
import {
  azureDurable,
  celeryProgress,
  googleLro,
  jobtailSnapshot,
  laravelBatch,
  mcpTask,
  microsoftLro,
  ndjson,
  plainSse,
  statusPoll
} from '../../src/backends.ts'
import { createClient } from '../../src/index.ts'
import type { BackendUnderTest, SeenEvent } from '../../src/testing/backend/types.ts'
import { describeBackend } from '../../src/testing/backend.ts'
import type { Backend } from '../../src/types.ts'
import { type StreamKind, serveDocument, serveStream } from './foreign-server.ts'

const under = (backend: Backend, serve: BackendUnderTest['serve'], stepOf: BackendUnderTest['stepOf']): BackendUnderTest => ({
  promises: backend.promises ?? 'log',
  client: ({ url, token }) => createClient({ backend, url, memory: false, retry: { baseMs: 10, maxMs: 50 }, ...(token && { token }) }),
  serve,
  stepOf
})

const inOutput = ({ type, data }: SeenEvent): number | undefined => (type === 'output' ? (data as { step: number }).step : undefined) // as: the server's
const inProgress = ({ type, data }: SeenEvent): number | undefined => {
  const { ratio } = Object(data) as { ratio?: number } // as: the server's
  return type === 'progress' && ratio ? Math.round(ratio * 10) : undefined
}

const idOf = (n: number): string => `urn:chunk/${n}?of=20 ü`
const numberIn = (cursor: unknown): number => Number(/chunk\/(\d+)/.exec(String(cursor))?.[1] ?? 0)
const fromHeader = ({ headers }: IncomingMessage): number => numberIn(headers['last-event-id'])
const fromQuery = ({ url }: IncomingMessage): number => numberIn(new URL(url ?? '', 'http://x').searchParams.get('last_event_id'))
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
const lines: StreamKind = {
  type: 'application/x-ndjson',
  write: (step, n) => lineOf(step === undefined ? { over: true } : { step, id: idOf(n) }),
  from: fromQuery
}

const streamOf = (kind: StreamKind) => () => serveStream(kind)

describeBackend('plainSse, ids in the header', under(plainSse(), streamOf(sse), inOutput))
describeBackend('plainSse, ids in a parameter', under(plainSse({ cursor: { parameter: 'last_event_id' } }), streamOf({ ...sse, from: fromQuery }), inOutput))
describeBackend('plainSse, replayed', {
  ...under(plainSse({ promises: 'replay', end: { event: 'done' } }), streamOf(nameless), inOutput),
  noticesSilence: false
})
describeBackend(
  'plainSse, replayed, with heartbeats',
  under(plainSse({ promises: 'replay', end: { event: 'done' }, heartbeatMs: 1000 }), streamOf(nameless), inOutput)
)
describeBackend(
  'plainSse, neither ids nor replay, with heartbeats',
  under(plainSse({ promises: 'lossy', end: { event: 'done' }, heartbeatMs: 1000 }), streamOf({ ...nameless, from: () => 'live' }), inOutput)
)
describeBackend('plainSse, neither ids nor replay', {
  ...under(plainSse({ promises: 'lossy', end: { event: 'done' } }), streamOf({ ...nameless, from: () => 'live' }), inOutput),
  noticesSilence: false
})
const isOver = ({ data }: { data: unknown }): ['succeeded', null] | undefined => ((data as { over?: boolean }).over ? ['succeeded', null] : undefined) // as: the server's
describeBackend('ndjson, a field as the cursor', under(ndjson({ cursor: { parameter: 'last_event_id' }, end: isOver }), streamOf(lines), inOutput))
describeBackend('ndjson, replayed', {
  ...under(
    ndjson({ promises: 'replay', end: isOver }),
    streamOf({ ...lines, write: (step) => lineOf(step === undefined ? { over: true } : { step }), from: () => 0 }),
    inOutput
  ),
  noticesSilence: false
})

const percent = (step: number | undefined): number => (step ?? 0) * 10
const poll = { pollMs: 5, maxPollMs: 20 }

describeBackend(
  'statusPoll',
  under(
    statusPoll({
      ...poll,
      read(document) {
        const { state, done } = document as { state: number; done: boolean } // as: the server's
        return done ? [['succeeded', null]] : [['progress', state]]
      }
    }),
    () => serveDocument((step, done) => ({ state: percent(step), done })),
    inProgress
  )
)
describeBackend(
  'microsoftLro',
  under(
    microsoftLro(poll),
    () => serveDocument((step, isOver) => (isOver ? { status: 'Succeeded' } : { status: 'Running', percentComplete: percent(step) })),
    inProgress
  )
)
describeBackend(
  'googleLro',
  under(
    googleLro(poll),
    () => serveDocument((step, done) => ({ metadata: { progressPercent: percent(step) }, ...(done && { done, response: {} }) })),
    inProgress
  )
)
describeBackend(
  'azureDurable',
  under(
    azureDurable({ ...poll, progress: (custom) => custom }),
    () =>
      serveDocument(
        (step, isOver) => ({ runtimeStatus: isOver ? 'Completed' : 'Running', customStatus: isOver ? null : { ratio: percent(step) / 100 }, output: null }),
        202
      ),
    inProgress
  )
)
describeBackend(
  'laravelBatch',
  under(
    laravelBatch(poll),
    () =>
      serveDocument((step = 0, isOver) => ({
        totalJobs: 10,
        processedJobs: isOver ? 10 : step,
        failedJobs: 0,
        options: [],
        cancelledAt: null,
        finishedAt: isOver ? 'now' : null
      })),
    (event) => (inProgress(event) === 10 ? undefined : inProgress(event))
  )
)
describeBackend(
  'celeryProgress',
  under(
    celeryProgress(poll),
    () =>
      serveDocument((step, isOver) =>
        isOver
          ? { state: 'SUCCESS', complete: true, result: 1 }
          : { state: step ? 'PROGRESS' : 'PENDING', progress: { current: step, total: 10, percent: percent(step) } }
      ),
    inProgress
  )
)
describeBackend(
  'mcpTask',
  under(
    mcpTask({ ...poll, request: (job, { base }) => `${base}/${job}` }),
    () =>
      serveDocument((step, isOver) => ({
        result: { status: isOver ? 'completed' : 'working', statusMessage: step ? `${step}` : undefined, pollIntervalMs: 5 }
      })),
    ({ type, data }) => (type === 'progress' ? Number((data as { message: string }).message) : undefined) // as: the server's
  )
)
describeBackend(
  'jobtailSnapshot',
  under(
    jobtailSnapshot(poll),
    () => serveDocument((step, isOver) => ({ status: isOver ? 'succeeded' : 'running', ...(!isOver && { progress: percent(step) }), result: null })),
    inProgress
  )
)
