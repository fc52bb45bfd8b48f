/** `jobtail cancel <url of a job>`. */

import type { Command } from '../arguments/command.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import type { CommandContext } from '../command-context.ts'
import { EXIT } from '../exit-codes.ts'
import { rejectBaseUrl, request } from '../job-requests.ts'
import { stripControls } from '../terminal/strip-controls.ts'

/** Resolves once the server has accepted the cancel. The job may still run for a while, or may have ended before. */
export async function cancelJob({ place: { base, job }, credentials, limits, json }: Command & { run: 'cancel' }, context: CommandContext): Promise<number> {
  const target = { base, headers: credentials.headers, token: await tokenOf(credentials.token, context) }
  try {
    await request(target, limits, context, (operations, signal) => operations.cancel(job, signal))
  } catch (error) {
    await rejectBaseUrl(job, target, error, context)
    throw error
  }
  context.stdout.write(json ? `${JSON.stringify({ id: job, accepted: true })}\n` : `job ${stripControls(job)}: the server has accepted the cancel\n`)
  return EXIT.succeeded
}
