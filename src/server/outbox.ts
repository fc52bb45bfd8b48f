import { delay } from '../async/signals.ts'
import { isTerminal } from '../protocol/rules.ts'
import { RETRY_MS } from './lease-keeper.ts'
import { checkDataSize, checkEntry, JsonText, show } from './log/entry.ts'
import { endedError } from './log/log-errors.ts'
import { type EventLog, isLogError } from './log/types.ts'

export interface OutboxOptions {
  log: EventLog
  jobId: string
  lease: { owner: string; ms: number }
  maxEventBytes: number
  /** The job's signal: once aborted, calls don't wait for an unavailable log any more. */
  signal: AbortSignal
  /** The server's signal: once aborted, an unavailable log is tried one more time and not waited for. */
  closing: AbortSignal
  onError(error: unknown): void
}

/**
 * Appends the events of a running job: in the order of the calls, each once, also through outages of the log. Events that come faster than the log takes them
 * are appended in batches. Each batch has an `appendId`, under which it is repeated until the log answers.
 */
export interface Outbox {
  /**
   * Resolves once the log has the event. While the log is unavailable, calls with `progress` and `log` resolve at once: a later progress replaces the one
   * that waits, and the oldest lines are dropped beyond 8 MiB.
   */
  add(type: string, data: unknown): Promise<void>
  /** Appends the terminal event, after all others. */
  end(type: string, data: unknown): Promise<void>
}

interface Item {
  type: string
  data: JsonText
  bytes: number
  completion: PromiseWithResolvers<void>
}

/** The bounds of one append. */
const BATCH_EVENTS = 256
const BATCH_BYTES = 2 ** 19
/** Beyond this, the oldest lines are dropped, and only the latest progress is kept. */
const MAX_LINES_BYTES = 2 ** 23
/** Beyond this, `add` rejects: the work awaits none of its calls, and would fill the memory. */
const MAX_BYTES = 2 ** 25
/** The memory that an event takes beside its data, roughly. */
const ITEM_BYTES = 200

export function createOutbox({ log, jobId, lease, maxEventBytes, signal, closing, onError }: OutboxOptions): Outbox {
  const batchEvents = log.appendMany ? BATCH_EVENTS : 1
  let queue: Item[] = []
  let bytes = 0
  let droppedLines = 0
  let batchCount = 0
  let isUnavailable = false
  let isFlushing = false
  /** The log's error that ended the outbox. */
  let failure: unknown
  /** Set where an event was rejected beyond `MAX_BYTES`: the job can't succeed any more. */
  let overflow: unknown
  let endedWith: string | undefined

  function toItem(type: string, data: unknown): Item {
    const json = checkEntry(jobId, type, data)
    checkDataSize(jobId, type, json, maxEventBytes)
    const completion = Promise.withResolvers<void>()
    completion.promise.catch(() => {}) // the caller gets the rejection, if it awaits the call
    return { type, data: new JsonText(json), bytes: json.length + ITEM_BYTES, completion }
  }

  /** Removes an event from the queue, and resolves its call. */
  function drop(item: Item): void {
    queue.splice(queue.indexOf(item), 1)
    bytes -= item.bytes
    item.completion.resolve()
  }

  function makeRoom(type: string): void {
    const before = type === 'progress' && (isUnavailable || bytes > MAX_LINES_BYTES) ? queue.findLast((item) => item.type === 'progress') : undefined
    if (before) drop(before)
    while (type === 'log' && bytes > MAX_LINES_BYTES) {
      const oldest = queue.find((item) => item.type === 'log')
      if (!oldest) return
      drop(oldest)
      droppedLines += 1
    }
  }

  function enqueue(item: Item): Promise<void> {
    queue.push(item)
    bytes += item.bytes
    if (isUnavailable) settleCalls([item])
    if (!isFlushing) void flush()
    return item.completion.promise
  }

  /** While the log is unavailable: resolves calls with `progress` and `log`, and rejects the others once the job is aborted. The events stay queued. */
  function settleCalls(items: readonly Item[]): void {
    for (const { type, completion } of items) {
      if (type === 'progress' || type === 'log') completion.resolve()
      else if (signal.aborted && !isTerminal(type)) completion.reject(signal.reason)
    }
  }

  function takeBatch(): Item[] {
    if (droppedLines > 0) {
      queue.unshift(toItem('log', { level: 'warning', message: `${droppedLines} lines before this one were dropped: the log was unavailable` }))
      bytes += queue[0]?.bytes ?? 0
      droppedLines = 0
    }
    let count = 0
    let size = 0
    while (count < queue.length && count < batchEvents && (count === 0 || size < BATCH_BYTES)) {
      size += queue[count]?.bytes ?? 0
      count += 1
    }
    bytes -= size
    return queue.splice(0, count)
  }

  async function flush(): Promise<void> {
    isFlushing = true
    await Promise.resolve() // so that calls made in one go are one append
    while (queue.length > 0) {
      const batch = takeBatch()
      try {
        await append(batch)
        for (const { completion } of batch) completion.resolve()
      } catch (error) {
        failure = error
        for (const { completion } of [...batch, ...queue]) completion.reject(error)
        queue = []
        bytes = 0
      }
    }
    isFlushing = false
  }

  /** Appends a batch. While the log is unavailable, repeats it under the same `appendId`. */
  async function append(batch: readonly Item[]): Promise<void> {
    batchCount += 1
    const [first] = batch as [Item] // as: a batch has at least one event
    const onAbort = () => settleCalls([...batch, ...queue])
    for (let isLast = false, firstTry = true; ; firstTry = false) {
      try {
        const options = { appendId: `${lease.owner}/${batchCount}`, firstTry, lease }
        if (batch.length === 1) await log.append(jobId, first.type, first.data, options)
        else await log.appendMany?.(jobId, batch, options)
        isUnavailable = false
        return
      } catch (error) {
        if (!isLogError(error, 'unavailable') || isLast) throw error
        onError(error)
      }
      isUnavailable = true
      onAbort()
      signal.addEventListener('abort', onAbort)
      await delay(RETRY_MS, closing).catch(() => {
        isLast = true // the server closes: one more attempt
      })
      signal.removeEventListener('abort', onAbort)
    }
  }

  return {
    add: markHandled(async (type, data) => {
      if (failure) throw failure
      if (endedWith !== undefined) throw endedError(jobId, type, endedWith)
      const item = toItem(type, data)
      makeRoom(type)
      if (bytes > MAX_BYTES) {
        overflow = new RangeError(
          `"${type}" for job ${show(jobId)}: expected at most ${MAX_BYTES} bytes of events that wait for the log, got more; await each call before the next`
        )
        throw overflow
      }
      return enqueue(item)
    }),
    end: markHandled(async (type, data) => {
      if (failure) throw failure
      if (overflow && type === 'succeeded') throw overflow // the work may not have awaited the call: a job whose events are missing must not succeed
      const item = toItem(type, data)
      endedWith = type
      return enqueue(item)
    })
  }
}

/** Marks the rejection of a call as handled: work that doesn't await its calls must not end the process with an unhandled rejection. */
const markHandled =
  (call: (type: string, data: unknown) => Promise<void>): Outbox['add'] =>
  (type, data) => {
    const done = call(type, data)
    done.catch(() => {})
    return done
  }
