/** Runs of LangGraph's Agent Server, on a thread. */

import { matches } from '../protocol/rules.ts'
import type { Backend } from '../types.ts'
import type { Look, Said } from './document.ts'
import { wordedOf } from './foreign.ts'
import { type Meaning, type Message, meaningOf } from './message.ts'
import { sse } from './sse.ts'
import { streamBackend } from './stream.ts'
import type { StreamOptions } from './stream-options.ts'

export interface LangGraphOptions extends Omit<StreamOptions, 'promises' | 'cursor' | 'end' | 'status'> {
  /** The progress in what a graph writes in the mode `custom`; undefined: none. @defaultValue none: it comes as an event `custom` */
  progress?: ((custom: unknown) => unknown) | undefined
}

interface Interrupt {
  value?: unknown
}

const ID = /^[^/]+\/[^/]+$/
const WAITING = 'waiting'

/** `thread/run` is at `{url}/threads/{thread}/runs/{run}`. */
function urlOf(job: string, base: URL, rest = ''): URL {
  const [thread, run] = job.split('/').map(encodeURIComponent)
  return new URL(`${base.href.replace(/\/+$/, '')}/threads/${thread}/runs/${run}${rest}`)
}

const waiting = (interrupts: Interrupt[]): Meaning => [
  WAITING,
  { for: 'input', prompt: interrupts.length > 1 ? interrupts.map(({ value }) => value) : interrupts[0]?.value }
]

const stream = sse(({ cursor, take, lose }) => {
  let before = Number(cursor ?? -1)
  return (message) => {
    // They count on the JavaScript server; on others they are opaque.
    const isNext = !/^\d+$/.test(message.id ?? '') || Number(message.id) === before + 1
    if (before >= 0 && !isNext) lose()
    before = -1
    take(message)
    const { __interrupt__: interrupts } = Object(message.data)
    // Without an id, so that its cursor says that this has been told.
    if (Array.isArray(interrupts)) take({ type: WAITING, id: undefined, text: '', data: interrupts })
  }
})

function eventOf(message: Message, progress: LangGraphOptions['progress']): Meaning | undefined {
  const { type, data } = message
  // The document says whether that was the end.
  if (type === 'error') return undefined
  if (type === WAITING) return waiting(data as Interrupt[]) // as: taken above
  if (type === 'metadata') return ['started', data]
  const known = type === 'custom' ? progress?.(data) : undefined
  if (known !== undefined) return ['progress', known]
  const [name, rest] = meaningOf(message)
  return [name === 'messages' ? 'output' : name, rest]
}

/** A run that waits for a person has ended with success: only its thread knows. */
async function endOf(document: unknown, { response, get }: Look): Promise<Said> {
  const { status } = Object(document)
  if (status === 'interrupted') return [['cancelled', {}]]
  if (status === 'error' || status === 'timeout') return [['failed', { code: status, message: 'the run has failed' }]]
  if (status !== 'success') return []
  const { status: how, values, interrupts } = Object(await get(response.url.replace(/\/runs\/[^/]*$/, '')))
  return [how === 'interrupted' ? waiting((Object.values(interrupts ?? {}) as Interrupt[][]).flat()) : ['succeeded', values]]
}

/** Follows runs of a LangGraph server; the id is `{thread}/{run}`. Promises `log` for runs that were started with `stream_resumable`. */
export function langGraph({ progress, read = (message) => eventOf(message, progress), request, ...options }: LangGraphOptions = {}): Backend {
  const backend = streamBackend(
    {
      cancel: (job, { base }) => ({ url: urlOf(job, base, '/cancel?action=interrupt'), body: {} }),
      idOf(document) {
        const { thread_id: thread, run_id: run } = Object(document)
        return run && `${thread}/${run}`
      },
      ...options,
      // A first reader without a cursor makes the run's queue one that gives each event to one reader only.
      async request(job, asked) {
        const { cursor = '-1', base } = asked
        const worded = wordedOf(request ? await request(job, asked) : urlOf(job, base, '/stream?cancel_on_disconnect=0'), base)
        return { ...worded, headers: { 'last-event-id': cursor, ...worded.headers } }
      },
      read,
      end: [],
      asksFirst: true,
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
    expected(what, value) {
      if (what === 'job id') return matches(value, ID) ? undefined : '"{thread_id}/{run_id}"'
      return value === 'tail' ? 'the id of an event of this backend' : backend.expected?.(what, value)
    }
  }
}
