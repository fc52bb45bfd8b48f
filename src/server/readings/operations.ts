import type { Operation } from '../../protocol/frames.ts'
import { isCursor, isJobId } from '../../protocol/rules.ts'
import { type Asker as Asking, authorizeRequest } from '../authorize.ts'
import type { ConnectionSlot } from '../connections.ts'
import { badRequest, busy, HttpError, internal } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { isWindow } from '../routes.ts'
import type { Subscriber } from '../subscriber.ts'
import type { Settings } from '../types.ts'

/** Refusals that a client may leave unread. */
const MAX_BACKLOG = 1000

/** Whoever's client asks. */
export interface Asker {
  /** Called after each operation. */
  done(): void
  /** Called where a client leaves too many refusals unread. */
  flood(): void
}

interface OperationsOptions {
  subscriber: Subscriber
  whoAsks: () => Asking
  slot: ConnectionSlot
  settings: Settings
  asker: Asker
}

/** What a client of a socket asks for, done in order for each job. */
export class Operations {
  private readonly options: OperationsOptions
  private count = 0
  /** Something malformed has ended all: it is closed as soon as that is said. */
  private isRefused = false
  /** What is under way, by job: one job's permission is not waited for by another's. */
  private readonly last = new Map<string | undefined, Promise<void>>()

  constructor(options: OperationsOptions) {
    this.options = options
  }

  /** How many are not done yet. */
  pending(): number {
    return this.count
  }

  /** Subscribes what the URL names. */
  open(asks: readonly SubscribeRequest[]): void {
    for (const { job, after } of asks) void this.queue({ op: 'subscribe', job, ...(after === undefined ? {} : { after }) })
  }

  /** Does what a message says; `undefined` for one that is not text. */
  take(message: string | undefined): void {
    try {
      for (const operation of parseOperations(message)) void this.queue(operation)
    } catch (error) {
      this.isRefused = true
      this.options.subscriber.fail(error instanceof HttpError ? error : internal())
    }
  }

  private queue(operation: Operation): void {
    const job = 'job' in operation ? operation.job : undefined
    this.count += 1
    const done = this.performAfter(this.last.get(job), operation, job).finally(() => {
      if (this.last.get(job) === done) this.last.delete(job)
    })
    this.last.set(job, done)
  }

  private async performAfter(before: Promise<void> | undefined, operation: Operation, job: string | undefined): Promise<void> {
    const { subscriber, settings, asker } = this.options
    await before
    try {
      await this.perform(operation)
    } catch (error) {
      if (!(error instanceof HttpError)) settings.onError(error)
      subscriber.fail(error instanceof HttpError ? error : internal(), job)
    }
    if (subscriber.backlog() > MAX_BACKLOG) asker.flood()
    this.count -= 1
    asker.done()
  }

  private async perform(operation: Operation): Promise<void> {
    const { subscriber } = this.options
    switch (operation.op) {
      case 'subscribe':
        return this.subscribe({ job: operation.job, after: operation.after || undefined, ref: operation.ref })
      case 'unsubscribe':
        return subscriber.unsubscribe(operation.job)
      case 'window':
        return subscriber.grant(operation.bytes)
      case 'ping':
        return subscriber.say({ control: 'pong' })
    }
  }

  private async subscribe(ask: SubscribeRequest): Promise<void> {
    const { subscriber, whoAsks, slot, settings } = this.options
    if (ask.after !== undefined && !isCursor(ask.after)) throw badRequest('after: expected a cursor of 1 to 128 of [A-Za-z0-9._:~-]')
    const { expiresAt } = await authorizeRequest(settings, whoAsks(), 'read', ask.job)
    if (this.isRefused) return
    if (!subscriber.has(ask.job) && subscriber.size() >= settings.maxJobsPerConnection)
      throw busy(429, `a connection carries at most ${settings.maxJobsPerConnection} jobs`, 1000)
    slot.expireAt(expiresAt)
    subscriber.subscribe(ask)
  }
}

/** The operations of one message; unknown ones are passed over. */
function parseOperations(message: string | undefined): Operation[] {
  let value: unknown
  try {
    value = JSON.parse(message ?? '')
  } catch {
    throw badRequest('expected a text message of JSON')
  }
  return (Array.isArray(value) ? value : [value]).map(parseOperation).filter((operation) => operation !== undefined)
}

function parseOperation(value: unknown): Operation | undefined {
  const { op, job, after, ref, bytes } = (value ?? {}) as Record<string, unknown> // as: any JSON but null has properties to look for; each is checked below
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
