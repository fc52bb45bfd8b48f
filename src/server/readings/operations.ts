import type { Operation } from '../../protocol/frames.ts'
import { isCursor, isJobId } from '../../protocol/rules.ts'
import { permit } from '../authorize.ts'
import type { Slot } from '../connections.ts'
import type { Follow } from '../follow.ts'
import type { Ask } from '../job-reader.ts'
import { badRequest, busy, internal, Refusal } from '../problem.ts'
import type { Settings } from '../types.ts'

/** Refusals that a client may leave unread. */
const MAX_BACKLOG = 1000

/** What a client of a socket asks for, done in order for each job. */
export interface Operations {
  /** How many are not done yet. */
  pending(): number
  /** Subscribes what the URL names. */
  open(asks: readonly Ask[]): void
  /** Does what a message says; `undefined` for one that is not text. */
  take(message: string | undefined): void
}

interface OperationsOptions {
  follow: Follow
  request: () => Request
  slot: Slot
  settings: Settings
  /** Called after each. */
  onDone: () => void
  /** Called where a client leaves too many refusals unread. */
  onFlood: () => void
}

export function createOperations({ follow, request, slot, settings, onDone, onFlood }: OperationsOptions): Operations {
  let pending = 0
  /** What is under way, by job: one job's permission is not waited for by another's. */
  const last = new Map<string | undefined, Promise<void>>()

  async function subscribe(ask: Ask): Promise<void> {
    if (ask.after !== undefined && !isCursor(ask.after)) throw badRequest('after: expected a cursor of 1 to 128 of [A-Za-z0-9._:~-]')
    const { expiresAt } = await permit(settings, request(), 'read', ask.job)
    if (!follow.has(ask.job) && follow.size() >= settings.mux) throw busy(429, `a connection carries at most ${settings.mux} jobs`, 1000)
    slot.expireAt(expiresAt)
    follow.subscribe(ask)
  }

  async function perform(operation: Operation): Promise<void> {
    switch (operation.op) {
      case 'subscribe':
        return subscribe({ job: operation.job, after: operation.after || undefined, ref: operation.ref })
      case 'unsubscribe':
        return follow.unsubscribe(operation.job)
      case 'ping':
        return follow.say({ control: 'pong' })
    }
  }

  function queue(operation: Operation): void {
    pending += 1
    const job = 'job' in operation ? operation.job : undefined
    const done = (last.get(job) ?? Promise.resolve()).then(async () => {
      try {
        await perform(operation)
      } catch (error) {
        if (!(error instanceof Refusal)) settings.onError(error)
        follow.fail(error instanceof Refusal ? error : internal(), job)
      }
      if (follow.backlog() > MAX_BACKLOG) onFlood()
      pending -= 1
      if (last.get(job) === done) last.delete(job)
      onDone()
    })
    last.set(job, done)
  }

  return {
    pending: () => pending,
    open(asks) {
      for (const { job, after } of asks) queue({ op: 'subscribe', job, ...(after === undefined ? {} : { after }) })
    },
    take(message) {
      try {
        for (const operation of parseOperations(message)) queue(operation)
      } catch (error) {
        follow.fail(error instanceof Refusal ? error : internal())
      }
    }
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
  const { op, job, after, ref } = (value ?? {}) as Record<string, unknown> // as: any JSON but null has properties to look for; each is checked below
  if (typeof op !== 'string') throw badRequest('op: expected a string')
  if (op === 'ping') return { op }
  if (op !== 'subscribe' && op !== 'unsubscribe') return undefined
  if (!isJobId(job)) throw badRequest(`job: expected an id of 1 to 256 UTF-8 bytes to ${op}`)
  if (op === 'unsubscribe') return { op, job }
  if (after != null && typeof after !== 'string') throw badRequest('after: expected a string')
  if (ref != null && !isRef(ref)) throw badRequest('ref: expected an integer from 0')
  return { op, job, ...(after == null ? {} : { after }), ...(ref == null ? {} : { ref }) }
}

const isRef = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0
