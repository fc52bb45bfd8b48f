import { isJobId } from '../protocol/rules.ts'
import type { Admission } from './execute.ts'
import { badRequest, busy, closing } from './http-error.ts'
import { show } from './log/entry.ts'
import { isLogError } from './log/types.ts'
import { digestOf } from './platform.ts'
import type { Runner } from './run.ts'
import type { Settings } from './server-options.ts'

interface StartRequest {
  body: string
  idempotencyKey: string | null
  /** Who asks. The key belongs to it: equal keys of different subjects are different keys. */
  subject: string | undefined
}

export interface Started {
  id: string
  /** An earlier request with the same `Idempotency-Key` has started the job. */
  isRepeat: boolean
}

const digest = async (...parts: string[]): Promise<string> => (await digestOf(JSON.stringify(parts))).slice(0, 22)

/**
 * Creates a job and runs `start` for it. With an `Idempotency-Key` the job's id is a hash of the key and its scope, and the job is created by its first event
 * with `expectSeq: 0`. So of several equal requests one starts the job, also where they reach different servers of a shared log. Throws an `HttpError`.
 */
export async function startJob(
  { body, idempotencyKey: key, subject }: StartRequest,
  { log, start, idOf, leaseMs, onLost, maxAttempts }: Settings,
  runner: Runner
): Promise<Started> {
  if (!start) throw badRequest('this server starts no jobs: createJobServer was called without `start`', 405)
  const input = parseInput(body)
  const scope = subject ?? ''
  if (key === null) return createJob(idFrom(crypto.randomUUID()), {})
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw badRequest('Idempotency-Key: expected 1 to 255 printable ASCII characters')
  const id = idFrom(await digest(scope, key))
  const request = await digest(scope, key, body)
  try {
    return await createJob(id, { request })
  } catch (error) {
    if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
  }
  const first = (await log.read(id, undefined, 1))?.events[0]
  // Where retention has dropped the first event, the bodies can't be compared: the request then counts as a repeat.
  if (first?.seq === 1 && Object(first.data).request !== request)
    throw badRequest('Idempotency-Key: expected the same body as in the first request with this key, got another one', 422)
  // The server that created the job may have died, or lost the answer of the log. Whoever gets the job's lease runs it.
  if ((await log.snapshot(id))?.status === 'queued') run(id, admit())
  return { id, isRepeat: true }

  /** The job's id, from `idOf` where there is one. Without the unique part in it, one job would be taken for a repeat of another. */
  function idFrom(unique: string): string {
    const id = idOf ? idOf({ id: unique, subject }) : unique
    if (isJobId(id) && id.includes(unique)) return id
    throw new TypeError(`idOf: expected a job id of at most 256 UTF-8 bytes with ${show(unique)} in it, got ${show(id)}`)
  }

  /** Creates the job and takes its lease in one append: if this process dies right after, the lease expires and ends the job. */
  async function createJob(id: string, data: object): Promise<Started> {
    const admission = admit()
    const { owner, slot } = admission
    const queued = slot.position === undefined ? data : { ...data, position: slot.position }
    try {
      const options = { expectSeq: 0, appendId: `${owner}/queued`, firstTry: true, lease: { owner, ms: leaseMs } }
      await log.append(id, 'queued', queued, onLost === 'rerun' ? { ...options, rerun: { input: body, maxAttempts } } : options)
    } catch (error) {
      if (isLogError(error, 'unavailable'))
        void runner.releaseLease(id, admission) // the event may have been stored: a repeat of the request then runs the job
      else slot.release()
      throw error
    }
    if (runner.closing) {
      await runner.releaseLease(id, admission) // a repeat with the same key runs the job on another server
      throw closing()
    }
    run(id, { ...admission, isClaimed: true })
    return { id, isRepeat: false }
  }

  function admit(): Admission {
    try {
      return runner.admit({ subject: subject || undefined })
    } catch (error) {
      if (isLogError(error, 'busy')) throw busy(503, 'too many jobs wait to run already', 5000)
      throw isLogError(error, 'closed') ? closing() : error
    }
  }

  function run(id: string, admission: Admission): void {
    // A rejection needs no handling: the log says how the job has ended, and `onError` has got the error.
    runner.run(id, (job) => start?.(job, input), admission).catch(() => {})
  }
}

/** Parses the body of a start; `undefined` for an empty one. Throws an `HttpError` 400. */
export function parseInput(body: string): unknown {
  if (body === '') return undefined
  try {
    return JSON.parse(body)
  } catch {
    throw badRequest('body: expected JSON')
  }
}
