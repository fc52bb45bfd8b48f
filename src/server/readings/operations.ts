import type { Operation } from '../../protocol/frames.ts'
import { isCursor, isJobId } from '../../protocol/rules.ts'
import { authorizeRequest, type Requester } from '../authorize.ts'
import type { ConnectionSlot } from '../connections.ts'
import { badRequest, busy, HttpError, internal } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { isWindow } from '../routes.ts'
import type { Settings } from '../server-options.ts'
import type { Subscriber } from '../subscriber.ts'

/** How many controls a client may leave unread, such as an `error` for each operation. */
const MAX_UNREAD_CONTROLS = 1000

/** What the socket does about its client's operations. */
export interface OperationsListener {
  /** Called after each operation. */
  done(): void
  /** Called where the client leaves more than `MAX_BACKLOG` controls unread. */
  flood(): void
}

interface OperationsOptions {
  subscriber: Subscriber
  requester: () => Requester
  slot: ConnectionSlot
  settings: Settings
  listener: OperationsListener
}

/** Performs the operations that a WebSocket client sends (PROTOCOL.md §5), in order for each job. */
export class Operations {
  private readonly options: OperationsOptions
  private pendingCount = 0
  /** A malformed message has ended all readings. The socket closes once the client has been told. */
  private hasFailed = false
  /** The last operation of each job, so that a job doesn't wait for `authorize` of another. */
  private readonly lastByJob = new Map<string | undefined, Promise<void>>()

  constructor(options: OperationsOptions) {
    this.options = options
  }

  /** How many operations aren't done yet. */
  pending(): number {
    return this.pendingCount
  }

  /** Subscribes the jobs that the URL names. */
  subscribeAll(requests: readonly SubscribeRequest[]): void {
    for (const { job, after } of requests) void this.enqueue({ op: 'subscribe', job, ...(after === undefined ? {} : { after }) })
  }

  /** Performs the operations of a message. `undefined`: a binary message, which is malformed. */
  handleMessage(message: string | undefined): void {
    try {
      for (const operation of parseOperations(message)) void this.enqueue(operation)
    } catch (error) {
      this.hasFailed = true
      this.options.subscriber.fail(error instanceof HttpError ? error : internal())
    }
  }

  private enqueue(operation: Operation): void {
    const job = 'job' in operation ? operation.job : undefined
    this.pendingCount += 1
    const done = this.performAfter(this.lastByJob.get(job), operation, job).finally(() => {
      if (this.lastByJob.get(job) === done) this.lastByJob.delete(job)
    })
    this.lastByJob.set(job, done)
  }

  private async performAfter(before: Promise<void> | undefined, operation: Operation, job: string | undefined): Promise<void> {
    const { subscriber, settings, listener } = this.options
    await before
    try {
      await this.perform(operation)
    } catch (error) {
      if (!(error instanceof HttpError)) settings.onError(error)
      subscriber.fail(error instanceof HttpError ? error : internal(), job)
    }
    if (subscriber.controls.size > MAX_UNREAD_CONTROLS) listener.flood()
    this.pendingCount -= 1
    listener.done()
  }

  private async perform(operation: Operation): Promise<void> {
    const { subscriber } = this.options
    switch (operation.op) {
      case 'subscribe':
        return this.subscribe({ job: operation.job, after: operation.after || undefined, ref: operation.ref })
      case 'unsubscribe':
        return subscriber.unsubscribe(operation.job)
      case 'window':
        return subscriber.setWindow(operation.bytes)
      case 'ping':
        return subscriber.send({ control: 'pong' })
    }
  }

  private async subscribe(ask: SubscribeRequest): Promise<void> {
    const { subscriber, requester, slot, settings } = this.options
    if (ask.after !== undefined && !isCursor(ask.after)) throw badRequest('after: expected a cursor of 1 to 128 characters of [A-Za-z0-9._:~-]')
    const { expiresAt } = await authorizeRequest(settings, requester(), 'read', ask.job)
    if (this.hasFailed) return
    if (!subscriber.has(ask.job) && subscriber.jobCount() >= settings.maxJobsPerConnection)
      throw busy(429, `a connection carries at most ${settings.maxJobsPerConnection} jobs`, 1000)
    slot.expireAt(expiresAt)
    subscriber.subscribe(ask)
  }
}

/** Parses a message. Ignores unknown operations (PROTOCOL.md §5). Throws an `HttpError` 400 for malformed ones. */
function parseOperations(message: string | undefined): Operation[] {
  let value: unknown
  try {
    value = JSON.parse(message ?? '')
  } catch {
    throw badRequest('message: expected a text message of JSON')
  }
  return (Array.isArray(value) ? value : [value]).map(parseOperation).filter((operation) => operation !== undefined)
}

function parseOperation(value: unknown): Operation | undefined {
  const { op, job, after, ref, bytes } = (value ?? {}) as Record<string, unknown> // as: any JSON value but null has properties to look for; each is checked below
  if (typeof op !== 'string') throw badRequest('op: expected a string')
  if (op === 'ping') return { op }
  if (op === 'window') {
    if (!isWindow(bytes)) throw badRequest('bytes: expected an integer from 1')
    return { op, bytes }
  }
  if (op !== 'subscribe' && op !== 'unsubscribe') return undefined
  if (!isJobId(job)) throw badRequest(`job: expected an id of 1 to 256 UTF-8 bytes to ${op}`)
  if (op === 'unsubscribe') return { op, job }
  if (after != null && typeof after !== 'string') throw badRequest('after: expected a string')
  if (ref != null && !isRef(ref)) throw badRequest('ref: expected an integer from 0')
  return { op, job, ...(after == null ? {} : { after }), ...(ref == null ? {} : { ref }) }
}

const isRef = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
