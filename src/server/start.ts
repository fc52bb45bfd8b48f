import { isLogError } from './log/types.ts'
import { digestOf } from './platform.ts'
import { badRequest, closing } from './problem.ts'
import type { Runner } from './run.ts'
import type { Settings } from './types.ts'

interface Starting {
  body: string
  idempotencyKey: string | null
  /** Who asks: the scope of the key. */
  subject: string
}

const digest = async (...parts: string[]): Promise<string> => (await digestOf(JSON.stringify(parts))).slice(0, 22)

/**
 * Creates the job and begins its work; resolves with its id. With a key, the id follows from the key and who asks, and
 * creating is appending the first event, so that on a shared log too only one of several equal requests starts anything.
 */
export async function startJob({ body, idempotencyKey: key, subject }: Starting, { log, start, onError }: Settings, runner: Runner): Promise<string> {
  if (!start) throw badRequest('this server starts no jobs: it was created without `start`', 405)
  const input = parse(body)
  if (key === null) return begin(crypto.randomUUID(), {})
  if (!/^[\x20-\x7e]{1,255}$/.test(key)) throw badRequest('Idempotency-Key: expected 1 to 255 printable ASCII characters')
  const id = await digest(subject, key)
  const request = await digest(subject, key, body)
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
  return id

  async function begin(id: string, queued: object): Promise<string> {
    await log.append(id, 'queued', queued, { expectSeq: 0 })
    run(id)
    return id
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
