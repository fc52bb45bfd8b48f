/** `jobtail cancel <url of a job>`. */

import type { Command } from '../arguments/command-line.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import { EXIT } from '../exit-codes.ts'
import { refuseBase, request } from '../job-requests.ts'
import type { Outside } from '../outside.ts'
import { plain } from '../terminal/plain.ts'

/** Resolves once the server has accepted: the job may go on for a while, or have ended before. */
export async function cancelJob({ place: { base, job }, reach, limits, json }: Command & { run: 'cancel' }, outside: Outside): Promise<number> {
  const target = { base, headers: reach.headers, token: await tokenOf(reach.token, outside) }
  try {
    await request(target, limits, outside, (operations, signal) => operations.cancel(job, signal))
  } catch (error) {
    await refuseBase(job, target, error, outside)
    throw error
  }
  outside.stdout.write(json ? `${JSON.stringify({ id: job, accepted: true })}\n` : `job ${plain(job)}: the server has accepted the cancel\n`)
  return EXIT.succeeded
}
