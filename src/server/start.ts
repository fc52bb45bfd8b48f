import { isJobId } from '../protocol/rules.ts'
import { badRequest, busy, closing } from './http-error.ts'
import { show } from './log/entry.ts'
import { isLogError } from './log/types.ts'
import { digestOf } from './platform.ts'
import type { Admission, Runner } from './run.ts'
import type { Settings } from './types.ts'

interface Starting {
  body: string
  idempotencyKey: string | null
  /** Who asks: equal keys of different subjects are different ones. */
  subject: string | undefined
}

export interface Started {
  id: string
  /** It was there before. */
  isRepeat: boolean
}

const digest = async (...parts: string[]): Promise<string> => (await digestOf(JSON.stringify(parts))).slice(0, 22)

/**
 * Creates the job and begins its work. With a key, the id follows from the key and its scope, and
 * creating is appending the first event, so that on a shared log too only one of several equal requests starts anything.
 */
export async function startJob(
  { body, idempotencyKey: key, subject }: Starting,
  { log, start, idOf, leaseMs, onLost, maxAttempts }: Settings,
  runner: Runner
): Promise<Started> {
  if (!start) throw badRequest('this server starts no jobs: it was created without `start`', 405)
  const input = parse(body)
  const scope = subject ?? ''
  if (key === null) return begin(named(crypto.randomUUID()), {})
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw badRequest('Idempotency-Key: expected 1 to 255 printable ASCII characters')
  const id = named(await digest(scope, key))
  const request = await digest(scope, key, body)
  try {
    return await begin(id, { request })
  } catch (error) {
    if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
  }
  const first = (await log.read(id, undefined, 1))?.events[0]
  // Where retention has dropped the first event there is nothing to compare with: then it counts as a repeat.
  if (first?.seq === 1 && Object(first.data).request !== request) throw badRequest('Idempotency-Key: it was used with another body', 422)
  // Whoever created it may not have heard that it did; where nobody has its lease, one of those who run it begins.
  if ((await log.snapshot(id))?.status === 'queued') run(id, admit())
  return { id, isRepeat: true }

  /** The id with the owner in it, where the application wants it there. Without the unique part one job would be taken for a repeat of another. */
  function named(unique: string): string {
    const id = idOf ? idOf({ id: unique, subject }) : unique
    if (isJobId(id) && id.includes(unique)) return id
    throw new TypeError(`idOf: expected a job id with ${show(unique)} in it, got ${show(id)}`)
  }

  /** The job's lease is taken with its first event: whatever becomes of this process, it is run or it ends. */
  async function begin(id: string, data: object): Promise<Started> {
    const admission = admit()
    const { owner, slot } = admission
    const queued = slot.position === undefined ? data : { ...data, position: slot.position }
    try {
      const options = { expectSeq: 0, appendId: `${owner}/queued`, firstTry: true, lease: { owner, ms: leaseMs } }
      await log.append(id, 'queued', queued, onLost === 'rerun' ? { ...options, rerun: { input: body, maxAttempts } } : options)
    } catch (error) {
      if (isLogError(error, 'unavailable'))
        void runner.giveUp(id, admission) // it may be there: whoever asks again begins it
      else slot.leave()
      throw error
    }
    if (runner.closing) {
      await runner.giveUp(id, admission) // whoever asks again, with the same key, has it begun by another node
      throw closing()
    }
    run(id, { ...admission, isTaken: true })
    return { id, isRepeat: false }
  }

  function admit(): Admission {
    try {
      return runner.admit(scope || undefined)
    } catch (error) {
      if (isLogError(error, 'busy')) throw busy(503, 'too many jobs wait already', 5000)
      throw isLogError(error, 'closed') ? closing() : error
    }
  }

  function run(id: string, admission: Admission): void {
    // How the job ends stands in its log, and `onError` is told why.
    runner.run(id, (job) => start?.(job, input), admission).catch(() => {})
  }
}

/** The input of a start. */
export function parse(body: string): unknown {
  if (body === '') return undefined
  try {
    return JSON.parse(body)
  } catch {
    throw badRequest('body: expected JSON')
  }
}
