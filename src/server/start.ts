import { createHash, randomUUID } from 'node:crypto'
import { isLogError } from './log/types.ts'
import { badRequest, closing } from './problem.ts'
import type { Runner } from './run.ts'
import type { Settings } from './types.ts'

interface Starting {
  body: string
  idempotencyKey: string | null
  /** Whose key it is: equal keys of different scopes are different ones. */
  scope: string
}

export interface Started {
  id: string
  /** It was there before. */
  isRepeat: boolean
}

const digest = (...parts: string[]): string => createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, 22)

/**
 * Creates the job and begins its work. With a key, the id follows from the key and its scope, and
 * creating is appending the first event, so that on a shared log too only one of several equal requests starts anything.
 */
export async function startJob({ body, idempotencyKey: key, scope }: Starting, { log, start, onError }: Settings, runner: Runner): Promise<Started> {
  if (!start) throw badRequest('this server starts no jobs: it was created without `start`', 405)
  const input = parse(body)
  if (key === null) return begin(randomUUID(), {})
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw badRequest('Idempotency-Key: expected 1 to 255 printable ASCII characters')
  const id = digest(scope, key)
  const request = digest(scope, key, body)
  try {
    return await begin(id, { request })
  } catch (error) {
    if (!isLogError(error, 'conflict') && !isLogError(error, 'ended')) throw error
  }
  const first = (await log.read(id, undefined, 1))?.events[0]
  // Where retention has dropped the first event there is nothing to compare with: then it counts as a repeat.
  if (first?.seq === 1 && JSON.stringify(first.data) !== JSON.stringify({ request })) throw badRequest('Idempotency-Key: it was used with another body', 422)
  // Whoever created it may have gone, or not have heard that it did; where not, only one of those who run it begins.
  if ((await log.snapshot(id))?.seq === 1) run(id)
  return { id, isRepeat: true }

  async function begin(id: string, queued: object): Promise<Started> {
    await log.append(id, 'queued', queued, { expectSeq: 0 })
    run(id)
    return { id, isRepeat: false }
  }

  function run(id: string): void {
    // Whoever asks again, with the same key, has it begun by another node.
    if (runner.closing) throw closing()
    // How the job ends stands in its log; what is left are failures of the log itself.
    runner
      .run(id, (job) => start?.(job, input))
      .catch((error) => {
        if (error instanceof Error && error.name === 'LogError' && !isLogError(error, 'conflict')) onError(error)
      })
  }
}

function parse(body: string): unknown {
  if (body === '') return undefined
  try {
    return JSON.parse(body)
  } catch {
    throw badRequest('body: expected JSON')
  }
}
