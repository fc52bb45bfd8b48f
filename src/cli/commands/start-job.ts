/** `jobtail start <base URL>`. */

import { isJobtailError } from '../../errors.ts'
import { resourceUrl } from '../../protocol/urls.ts'
import type { Command } from '../arguments/command-line.ts'
import { inputOf, tokenOf } from '../arguments/secrets-and-input.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { request } from '../job-requests.ts'
import type { Outside } from '../outside.ts'
import { plain } from '../terminal/plain.ts'
import { followJob } from './follow-job.ts'

/** Prints the job's URL, which the other commands take; with `--follow` on stderr. Resolves with the exit code. */
export async function startJob({ base, reach, input, idempotencyKey, follows, options }: Command & { run: 'start' }, outside: Outside): Promise<number> {
  const target = { base, headers: reach.headers, token: await tokenOf(reach.token, outside) }
  const body = await inputOf(input, outside)
  const key = idempotencyKey ?? `jobtail-${crypto.randomUUID()}`
  const began = performance.now()
  const started = await request(target, options, outside, (operations, signal) => operations.start(body, key, signal)).catch((error) =>
    explain(error, key, outside)
  )
  const url = plain(resourceUrl(base, started.id).href)
  if (!follows) {
    outside.stdout.write(options.show === 'json' ? `${JSON.stringify({ ...started, url })}\n` : `${url}\n`)
    return EXIT.succeeded
  }
  outside.stderr.write(`jobtail: started ${url}\n`)
  const leftMs = options.timeoutMs && Math.max(1, options.timeoutMs - (performance.now() - began))
  return followJob(started.id, target, { ...options, timeoutMs: leftMs }, outside)
}

function explain(error: unknown, key: string, { signal }: Outside): never {
  const hint = `whether the job was started is not known; --idempotency-key ${key} asks for the same one`
  if (signal.reason instanceof Exit) throw new Exit(signal.reason.code, `interrupted: ${hint}`)
  if (error instanceof Exit && error.code === EXIT.timeout) throw new Exit(error.code, `${error.message}: ${hint}`)
  // A server that starts nothing here, and one that has a job here, answer alike.
  const cause = error instanceof Exit ? error.cause : undefined
  if (error instanceof Exit && isJobtailError(cause) && (cause.status === 404 || cause.status === 405))
    throw new Exit(error.code, `${error.message}; start takes {base}, below which the jobs are, of a server that starts jobs`, { cause })
  throw error
}
