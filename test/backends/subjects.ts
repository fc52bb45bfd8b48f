/** Each backend as it is tested, in Node by the contract and in pages by e2e/backends. What it is tested against is in servers.ts. Runs in browsers. */

import {
  a2a,
  aiSdk,
  azureDurable,
  celeryProgress,
  durableStreams,
  fal,
  googleLro,
  jobtailSnapshot,
  langGraph,
  laravelBatch,
  mcpTask,
  mercure,
  microsoftLro,
  nchan,
  ndjson,
  openaiResponses,
  plainSse,
  replicate,
  statusPoll,
  workflow
} from '../../src/backends.ts'
import type { SeenEvent } from '../../src/testing/backend/types.ts'
import type { Backend } from '../../src/types.ts'

export interface Subject {
  backend: Backend
  /** Which step of the job an event belongs to. */
  stepOf(event: SeenEvent): number | undefined
  /** Whether it notices a silent connection. Default true. */
  noticesSilence?: boolean
}

/** The data's field, where the event has this type. */
const inField =
  (wanted: string, field: string) =>
  ({ type, data }: SeenEvent): number | undefined =>
    (type === wanted && Number(Object(data)[field])) || undefined
const inOutput = inField('output', 'step')
const inDelta = inField('output', 'delta')
const inMessage = inField('progress', 'message')
/** The step is a hundredth of the whole. */
const inRatio = ({ type, data }: SeenEvent): number | undefined => {
  const { ratio } = Object(data) as { ratio?: number } // as: the server's
  return type === 'progress' && ratio ? Math.round(ratio * 100) : undefined
}

const poll = { pollMs: 20, maxPollMs: 100 }
const inParameter = { parameter: 'last_event_id' }
const nameless = { end: { event: 'done' } } as const
const isOver = ({ data }: { data: unknown }): ['succeeded', null] | undefined => ((data as { over?: boolean }).over ? ['succeeded', null] : undefined) // as: the server's

const streams = {
  'plainSse, ids in the header': { backend: plainSse(), stepOf: inOutput },
  'plainSse, ids in a parameter': { backend: plainSse({ cursor: inParameter }), stepOf: inOutput },
  'plainSse, replayed': { backend: plainSse({ promises: 'replay', ...nameless }), stepOf: inOutput, noticesSilence: false },
  'plainSse, replayed, with heartbeats': { backend: plainSse({ promises: 'replay', ...nameless, heartbeatMs: 1000 }), stepOf: inOutput },
  'plainSse, neither ids nor replay': { backend: plainSse({ promises: 'lossy', ...nameless }), stepOf: inOutput, noticesSilence: false },
  'plainSse, neither ids nor replay, with heartbeats': { backend: plainSse({ promises: 'lossy', ...nameless, heartbeatMs: 1000 }), stepOf: inOutput },
  'plainSse, of Nchan': { backend: plainSse({ cursor: inParameter }), stepOf: inOutput },
  'ndjson, a field as the cursor': { backend: ndjson({ cursor: inParameter, end: isOver }), stepOf: inOutput },
  'ndjson, replayed': { backend: ndjson({ promises: 'replay', end: isOver }), stepOf: inOutput, noticesSilence: false },
  nchan: { backend: nchan(), stepOf: inOutput },
  durableStreams: { backend: durableStreams(), stepOf: inOutput },
  aiSdk: { backend: aiSdk(), stepOf: inDelta, noticesSilence: false },
  workflow: { backend: workflow(), stepOf: inDelta },
  langGraph: { backend: langGraph(), stepOf: inField('custom', 'step') },
  openaiResponses: { backend: openaiResponses(), stepOf: inDelta },
  'mercure 0': { backend: mercure({ version: 0, heartbeatMs: 1000 }), stepOf: inOutput },
  'mercure 1': { backend: mercure({ version: 1, heartbeatMs: 1000 }), stepOf: inOutput }
}

const documents = {
  statusPoll: {
    backend: statusPoll({
      ...poll,
      read(document) {
        const { step, done } = document as { step: number; done: boolean } // as: the server's
        return done ? [['succeeded', null]] : [['progress', { ratio: step / 100 }]]
      }
    }),
    stepOf: inRatio
  },
  microsoftLro: { backend: microsoftLro(poll), stepOf: inRatio },
  googleLro: { backend: googleLro(poll), stepOf: inRatio },
  azureDurable: { backend: azureDurable({ ...poll, progress: (custom) => custom }), stepOf: inRatio },
  laravelBatch: { backend: laravelBatch(poll), stepOf: inField('progress', 'current') },
  celeryProgress: { backend: celeryProgress(poll), stepOf: inField('progress', 'current') },
  mcpTask: { backend: mcpTask({ ...poll, request: (job, { base }) => `${base}/${job}` }), stepOf: inMessage },
  jobtailSnapshot: { backend: jobtailSnapshot(poll), stepOf: inRatio },
  fal: { backend: fal(poll), stepOf: inField('queued', 'position') },
  replicate: { backend: replicate({ ...poll, progress: (logs) => ({ current: Number(/(\d+)\n$/.exec(logs)?.[1]) }) }), stepOf: inField('progress', 'current') },
  'a2a, by http': { backend: a2a({ binding: 'http', ...poll }), stepOf: inMessage },
  'a2a, by json-rpc': { backend: a2a({ binding: 'json-rpc', ...poll }), stepOf: inMessage }
}

export type SubjectName = keyof typeof streams | keyof typeof documents

export const subjects: Readonly<Record<SubjectName, Subject>> = { ...streams, ...documents }
export const subjectNames: readonly SubjectName[] = Object.keys(subjects) as SubjectName[] // as: its keys
