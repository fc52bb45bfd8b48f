import { delay } from '../async/signals.ts'
import { isControl } from '../protocol/frames.ts'
import { Follow } from './follow.ts'
import type { EventLog } from './log/types.ts'
import { isLogError, LogError } from './log/types.ts'
import type { JobContext, Settings } from './types.ts'

export interface Runner {
  /** It runs nothing any more. */
  readonly closing: boolean
  run<T>(jobId: string, work: (job: JobContext) => T | Promise<T>): Promise<T>
  /** Aborts what is running; resolves when all of it has ended. */
  close(): Promise<void>
}

/** Why a running job's signal was aborted, and how its log then ends. */
class Stopped extends Error {
  override readonly name = 'AbortError'
  readonly ending: { type: 'cancelled' | 'failed'; data: object }

  constructor(message: string, ending: { type: 'cancelled' | 'failed'; data: object }) {
    super(message)
    this.ending = ending
  }
}

type Append = (type: string, data: unknown) => Promise<void>

/** How long to wait where a log that is out of reach says nothing of it. */
const RETRY_MS = 1000

export function createRunner(settings: Settings): Runner {
  const { log, onError } = settings
  const running = new Map<AbortController, Promise<unknown>>()
  const closing = new AbortController()

  async function execute<T>(id: string, work: (job: JobContext) => T | Promise<T>, stop: AbortController): Promise<T> {
    await patiently(() => begin(id, log))
    const over = new AbortController()
    const append = inOrder((type, data) => log.append(id, type, data))
    void watchForCancel(id, settings, over.signal, (data) => stop.abort(new Stopped(`job ${JSON.stringify(id)} was cancelled`, { type: 'cancelled', data })))
    try {
      stop.signal.throwIfAborted()
      const result = await work(contextOf(id, stop.signal, append))
      stop.signal.throwIfAborted()
      await end(id, append, 'succeeded', result)
      return result
    } catch (error) {
      const reason: unknown = stop.signal.reason
      const ending = reason instanceof Stopped ? reason.ending : { type: 'failed', data: failure(error) }
      await end(id, append, ending.type, ending.data).catch((refused) => {
        // It may have been ended by others, or by itself.
        if (!isLogError(refused, 'ended')) onError(refused)
      })
      throw reason instanceof Stopped ? reason : error
    } finally {
      over.abort()
    }
  }

  /** The end is what readers wait for. */
  const end = (id: string, append: Append, type: string, data: unknown): Promise<void> =>
    patiently(async (isAgain) => {
      // It may have been only the answer that was lost.
      if (!isAgain || (await log.snapshot(id))?.status !== type) await append(type, data)
    })

  /** While the log is out of reach it is tried again, until the server closes. */
  async function patiently(attempt: (isAgain: boolean) => Promise<void>): Promise<void> {
    for (let isAgain = false; ; isAgain = true) {
      try {
        return await attempt(isAgain)
      } catch (error) {
        if (!isLogError(error, 'unavailable') || closing.signal.aborted) throw error
        onError(error)
        await delay(RETRY_MS, closing.signal).catch(() => {}) // closing: once more, then that's that
      }
    }
  }

  return {
    get closing() {
      return closing.signal.aborted
    },
    async run(id, work) {
      if (closing.signal.aborted) throw new LogError('closed', `the server is closed: job ${JSON.stringify(id)} was not run`)
      const stop = new AbortController()
      const done = execute(id, work, stop)
      running.set(stop, done)
      try {
        return await done
      } finally {
        running.delete(stop)
      }
    },
    async close() {
      closing.abort()
      const data = { code: 'shutdown', message: 'the server was closed', retryable: true }
      for (const stop of running.keys()) stop.abort(new Stopped(data.message, { type: 'failed', data }))
      await Promise.allSettled(running.values())
    }
  }
}

/** Appends `queued`, where nobody has yet, and `started`. Rejects with `conflict` where the job is past that. */
async function begin(id: string, log: EventLog): Promise<void> {
  for (;;) {
    const snapshot = await log.snapshot(id)
    if (snapshot && snapshot.status !== 'queued') throw new LogError('conflict', `job ${JSON.stringify(id)} is ${snapshot.status} already`)
    try {
      const seq = snapshot?.seq ?? (await log.append(id, 'queued', {}, { expectSeq: 0 })).seq
      await log.append(id, 'started', {}, { expectSeq: seq })
      return
    } catch (error) {
      // Another one has appended meanwhile: look again.
      if (!isLogError(error, 'conflict')) throw error
    }
  }
}

/** Follows the job's own log, since whoever cancels may have asked another process; until the signal, whatever the log goes through. */
async function watchForCancel(job: string, { log, heartbeatMs, onError }: Settings, signal: AbortSignal, cancel: (data: object) => void): Promise<void> {
  const follow = new Follow({ log, heartbeatMs, listen: true, onError })
  const budget = { events: 1000, bytes: Number.MAX_SAFE_INTEGER }
  let after: string | undefined
  signal.addEventListener('abort', () => follow.end())
  if (signal.aborted) follow.end()
  follow.subscribe({ job })
  while (!follow.isOver(true)) {
    for (const frame of await follow.ready(budget)) {
      if (!isControl(frame)) {
        after = frame.id
        if (frame.type === 'cancelling') cancel(Object(frame.data))
      } else if (frame.control === 'error') {
        await delay(frame.retryAfterMs ?? RETRY_MS, signal).catch(() => {}) // over: the loop ends
        follow.subscribe({ job, after })
      }
    }
    await new Promise<void>((resolve) => follow.onNews(resolve))
  }
}

/** Calls one after the other. A call that nobody awaits is no unhandled rejection. */
function inOrder(append: (type: string, data: unknown) => Promise<unknown>): Append {
  let last: Promise<unknown> = Promise.resolve()
  return (type, data) => {
    const done = last.then(() => append(type, data)).then(() => {})
    last = done.catch(() => {})
    return done
  }
}

function contextOf(id: string, signal: AbortSignal, append: Append): JobContext {
  return {
    id,
    signal,
    progress: (progress) => append('progress', progress),
    log: (message, level = 'info') => append('log', { level, message }),
    output: (chunk) => append('output', chunk),
    publish: append
  }
}

function failure(error: unknown): { code: string; message: string } {
  if (!(error instanceof Error)) return { code: 'error', message: String(error) }
  const code = 'code' in error && typeof error.code === 'string' ? error.code : 'error'
  return { code, message: error.message }
}
