import { delay } from '../async/signals.ts'
import { isTerminal } from '../protocol/rules.ts'
import { RETRY_MS } from './hold.ts'
import { checkEntry, JsonText, show } from './log/entry.ts'
import { type EventLog, isLogError, LogError } from './log/types.ts'
import { byteLength } from './platform.ts'

export interface OutboxOptions {
  log: EventLog
  jobId: string
  lease: { owner: string; ms: number }
  maxEventBytes: number
  /** The job's: a call that waits for a log that is out of reach ends with it. */
  signal: AbortSignal
  /** The server's: from now on a log that is out of reach is tried once more, and no longer waited for. */
  closing: AbortSignal
  onError(error: unknown): void
}

/** What a running job appends, in the order of the calls: several at once where they come faster than the log takes them, and once each, also through outages. */
export interface Outbox {
  /** Resolves once it is in the log. Progress, which the next one replaces, and lines don't wait for a log that is out of reach. */
  add(type: string, data: unknown): Promise<void>
  /** The last one, after all others. */
  end(type: string, data: unknown): Promise<void>
}

interface Item {
  type: string
  data: JsonText
  bytes: number
  settle: PromiseWithResolvers<void>
}

/** What one append takes. */
const BATCH_EVENTS = 256
const BATCH_BYTES = 2 ** 19
/** Beyond it lines are dropped, the oldest first, and progress is only the latest. */
const MAX_LINES_BYTES = 2 ** 23
/** Beyond it nothing more is taken: nobody waits for what he appends. */
const MAX_BYTES = 2 ** 25
/** What an event costs beside its data, about. */
const ITEM_BYTES = 200

export function createOutbox({ log, jobId, lease, maxEventBytes, signal, closing, onError }: OutboxOptions): Outbox {
  const batchEvents = log.appendMany ? BATCH_EVENTS : 1
  let queue: Item[] = []
  let bytes = 0
  let dropped = 0
  let batches = 0
  let isAway = false
  let isFlushing = false
  /** Why nothing more is taken, or the work can't succeed any more. */
  let refusal: unknown
  let overflow: unknown
  let endedWith: string | undefined

  function checked(type: string, data: unknown): Item {
    const json = checkEntry(jobId, type, data)
    checkSize(jobId, type, json, maxEventBytes)
    const settle = Promise.withResolvers<void>()
    settle.promise.catch(() => {}) // whoever awaits it sees it
    return { type, data: new JsonText(json), bytes: json.length + ITEM_BYTES, settle }
  }

  /** Takes it out of the queue: it is not wanted any more. */
  function drop(item: Item): void {
    queue.splice(queue.indexOf(item), 1)
    bytes -= item.bytes
    item.settle.resolve()
  }

  function makeRoom(type: string): void {
    const before = type === 'progress' && (isAway || bytes > MAX_LINES_BYTES) ? queue.findLast((item) => item.type === 'progress') : undefined
    if (before) drop(before)
    while (type === 'log' && bytes > MAX_LINES_BYTES) {
      const oldest = queue.find((item) => item.type === 'log')
      if (!oldest) return
      drop(oldest)
      dropped += 1
    }
  }

  function put(item: Item): Promise<void> {
    queue.push(item)
    bytes += item.bytes
    if (isAway) letGo([item])
    if (!isFlushing) void flush()
    return item.settle.promise
  }

  /** While the log is out of reach nobody waits for progress and lines, and no work that was aborted for anything. */
  function letGo(items: readonly Item[]): void {
    for (const { type, settle } of items) {
      if (type === 'progress' || type === 'log') settle.resolve()
      else if (signal.aborted && !isTerminal(type)) settle.reject(signal.reason)
    }
  }

  function take(): Item[] {
    if (dropped > 0) {
      queue.unshift(checked('log', { level: 'warning', message: `${dropped} lines before this one were dropped: the log was out of reach` }))
      bytes += queue[0]?.bytes ?? 0
      dropped = 0
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
    await Promise.resolve() // what is called in one turn is one append
    while (queue.length > 0) {
      const batch = take()
      try {
        await append(batch)
        for (const { settle } of batch) settle.resolve()
      } catch (error) {
        refusal = error
        for (const { settle } of [...batch, ...queue]) settle.reject(error)
        queue = []
        bytes = 0
      }
    }
    isFlushing = false
  }

  /** The same again under the same name, until the log takes it or refuses it. */
  async function append(batch: readonly Item[]): Promise<void> {
    batches += 1
    const [first] = batch as [Item] // as: there is one
    const release = () => letGo([...batch, ...queue])
    for (let isLast = false, firstTry = true; ; firstTry = false) {
      try {
        const options = { appendId: `${lease.owner}/${batches}`, firstTry, lease }
        if (batch.length === 1) await log.append(jobId, first.type, first.data, options)
        else await log.appendMany?.(jobId, batch, options)
        isAway = false
        return
      } catch (error) {
        if (!isLogError(error, 'unavailable') || isLast) throw error
        onError(error)
      }
      isAway = true
      release()
      signal.addEventListener('abort', release)
      await delay(RETRY_MS, closing).catch(() => {
        isLast = true // closing: once more, then that's that
      })
      signal.removeEventListener('abort', release)
    }
  }

  return {
    add: quietly(async (type, data) => {
      if (refusal) throw refusal
      if (endedWith !== undefined) throw new LogError('ended', `job ${JSON.stringify(jobId)} has ended with "${endedWith}": "${type}" cannot be appended`)
      const item = checked(type, data)
      makeRoom(type)
      if (bytes > MAX_BYTES) {
        overflow = new RangeError(
          `"${type}" for job ${show(jobId)}: expected at most ${MAX_BYTES} bytes that wait for the log, got more: await what is appended`
        )
        throw overflow
      }
      return put(item)
    }),
    end: quietly(async (type, data) => {
      if (refusal) throw refusal
      if (overflow && type === 'succeeded') throw overflow // nobody may have awaited it: a result whose events are missing is none
      const item = checked(type, data)
      endedWith = type
      return put(item)
    })
  }
}

/** A call that nobody awaits is no unhandled rejection. */
const quietly =
  (call: (type: string, data: unknown) => Promise<void>): Outbox['add'] =>
  (type, data) => {
    const done = call(type, data)
    done.catch(() => {})
    return done
  }

/** Throws a `RangeError` for data that is more than an event may have. */
export function checkSize(jobId: string, type: string, json: string, maxEventBytes: number): void {
  const bytes = json.length * 3 > maxEventBytes ? byteLength(json) : 0
  if (bytes > maxEventBytes)
    throw new RangeError(`data of "${type}" for job ${show(jobId)}: expected at most ${maxEventBytes} bytes of JSON (maxEventBytes), got ${bytes}`)
}
