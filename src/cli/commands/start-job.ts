/** `jobtail start <base URL>`. */

import { isJobtailError } from '../../errors.ts'
import { resourceUrl } from '../../protocol/urls.ts'
import type { Command } from '../arguments/command.ts'
import { inputOf, tokenOf } from '../arguments/secrets-and-input.ts'
import type { CommandContext } from '../command-context.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { request } from '../job-requests.ts'
import { stripControls } from '../terminal/strip-controls.ts'
import { followJob } from './follow-job.ts'

/** Starts a job and prints its URL: on stdout, or with `--follow` on stderr. Resolves with the exit code. */
export async function startJob(
  { base, credentials, input, idempotencyKey, follows, options }: Command & { run: 'start' },
  context: CommandContext
): Promise<number> {
  const target = { base, headers: credentials.headers, token: await tokenOf(credentials.token, context) }
  const body = await inputOf(input, context)
  const key = idempotencyKey ?? `jobtail-${crypto.randomUUID()}`
  const began = performance.now()
  const started = await request(target, options, context, (operations, signal) => operations.start(body, key, signal)).catch((error) =>
    throwWithHint(error, key, context)
  )
  const url = stripControls(resourceUrl(base, started.id).href)
  if (!follows) {
    context.stdout.write(options.show === 'json' ? `${JSON.stringify({ ...started, url })}\n` : `${url}\n`)
    return EXIT.succeeded
  }
  context.stderr.write(`jobtail: started ${url}\n`)
  const leftMs = options.timeoutMs && Math.max(1, options.timeoutMs - (performance.now() - began))
  return followJob(started.id, target, { ...options, timeoutMs: leftMs }, context)
}

function throwWithHint(error: unknown, key: string, { signal }: CommandContext): never {
  const hint = `the job may have been started or not; repeat with --idempotency-key ${key} to get the same job`
  if (signal.reason instanceof Exit) throw new Exit(signal.reason.code, `interrupted: ${hint}`)
  if (error instanceof Exit && error.code === EXIT.timeout) throw new Exit(error.code, `${error.message}: ${hint}`)
  // A server without `start`, and a URL that is a job's rather than {base}, give the same answer.
  const cause = error instanceof Exit ? error.cause : undefined
  if (error instanceof Exit && isJobtailError(cause) && (cause.status === 404 || cause.status === 405))
    throw new Exit(error.code, `${error.message}; start expects {base}, the URL below which the jobs are, of a server that starts jobs`, { cause })
  throw error
}
