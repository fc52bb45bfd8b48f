/** Runs of LangGraph's Agent Server, each on a thread. */

import { matches } from '../protocol/rules.ts'
import type { Backend } from '../types.ts'
import type { DocumentEvents, ReadContext } from './document.ts'
import { pathOf, requestOf } from './foreign.ts'
import { defaultMeaning, type JobEventTuple, type Message } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

/** Options of `langGraph`: those of `plainSse`, except what the server defines. */
export interface LangGraphOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'end' | 'status'> {
  /**
   * Returns the progress in what a graph writes in the stream mode `custom`; `undefined`: it is no progress.
   * @defaultValue none: it is an event of type `custom`
   */
  progress?: ((custom: unknown) => unknown) | undefined
}

interface Interrupt {
  value?: unknown
}

const ID = /^[^/]+\/[^/]+$/
const WAITING = 'waiting'

/** The URL of a run: of `thread/run`, `{url}/threads/{thread}/runs/{run}`. */
function urlOf(job: string, base: URL, path: readonly string[] = [], parameters?: Record<string, string>): URL {
  const [thread = '', run = ''] = job.split('/').map(encodeURIComponent)
  return pathOf(base, ['threads', thread, 'runs', run, ...path], parameters)
}

const waiting = (interrupts: Interrupt[]): JobEventTuple => [
  WAITING,
  { for: 'input', prompt: interrupts.length > 1 ? interrupts.map(({ value }) => value) : interrupts[0]?.value }
]

const stream = sse(({ cursor, take, lose }) => {
  let before = Number(cursor ?? -1)
  return (message) => {
    // The ids are consecutive numbers on the JavaScript server, and opaque on others.
    const isNext = !/^\d+$/.test(message.id ?? '') || Number(message.id) === before + 1
    if (before >= 0 && !isNext) lose()
    before = -1
    take(message)
    const { __interrupt__: interrupts } = Object(message.data)
    // It has no id, so that the cursor counts it: a reader that resumes does not receive it again.
    if (Array.isArray(interrupts)) take({ type: WAITING, id: undefined, text: '', data: interrupts })
  }
})

function eventOf(message: Message, progress: LangGraphOptions['progress']): JobEventTuple | undefined {
  const { type, data } = message
  // The run's document tells whether it has ended.
  if (type === 'error') return undefined
  if (type === WAITING) return waiting(data as Interrupt[]) // as: `stream` has taken it as a list
  if (type === 'metadata') return ['started', data]
  const known = type === 'custom' ? progress?.(data) : undefined
  if (known !== undefined) return ['progress', known]
  const [name, rest] = defaultMeaning(message)
  return [name === 'messages' ? 'output' : name, rest]
}

/** The end of a run, or `waiting`. A run that waits for a person has the status `success` too: only its thread tells the difference. */
async function endOf(document: unknown, { job, base, get }: ReadContext): Promise<DocumentEvents> {
  const { status } = Object(document)
  if (status === 'interrupted') return [['cancelled', {}]]
  if (status === 'error' || status === 'timeout') return [['failed', { code: status, message: 'the run has failed' }]]
  if (status !== 'success') return []
  const { status: threadStatus, values, interrupts } = Object(await get(pathOf(base, ['threads', encodeURIComponent(job.replace(/\/.*/, ''))])))
  return [threadStatus === 'interrupted' ? waiting((Object.values(Object(interrupts)) as Interrupt[][]).flat()) : ['succeeded', values]]
}

/**
 * Follows runs of a LangGraph server. The job id is `{thread_id}/{run_id}`. Promises `log`, for runs that were started with
 * `stream_resumable`.
 */
export function langGraph({ progress, read = (message) => eventOf(message, progress), request, ...options }: LangGraphOptions = {}): Backend {
  const backend = streamBackend(
    {
      cancel: (job, { base }) => ({ url: urlOf(job, base, ['cancel'], { action: 'interrupt' }), body: {} }),
      idOf(document) {
        const { thread_id: thread, run_id: run } = Object(document)
        return run && `${thread}/${run}`
      },
      ...options,
      // Where the first reader has no cursor, the server gives each event of the run to one reader only.
      async request(job, asked) {
        const { cursor = '-1', base } = asked
        const given = requestOf(request ? await request(job, asked) : urlOf(job, base, ['stream'], { cancel_on_disconnect: '0' }), base)
        return { ...given, headers: { 'last-event-id': cursor, ...given.headers } }
      },
      read,
      end: [],
      readsDocumentFirst: true,
      takesTail: false,
      status: {
        request: (job, { base }) => urlOf(job, base),
        read: endOf
      },
      settle(end, last) {
        const { error, message } = Object(last?.type === 'error' && last.data)
        return end[0] === 'failed' && typeof message === 'string' ? ['failed', { code: `${error}`, message }] : end
      }
    },
    [stream]
  )
  return {
    ...backend,
    expected: (what, value) => (what === 'job id' ? (matches(value, ID) ? undefined : '"{thread_id}/{run_id}"') : backend.expected?.(what, value))
  }
}
