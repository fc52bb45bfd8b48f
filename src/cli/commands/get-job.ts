/** `jobtail get <url of a job>`: prints its snapshot. */

import type { JobSnapshot } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import type { Command } from '../arguments/command.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import type { CommandContext } from '../command-context.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { rejectBaseUrl, request } from '../job-requests.ts'
import { hasColour, paintStatus } from '../terminal/colour.ts'
import { progressInWords } from '../terminal/progress.ts'
import { stripControls } from '../terminal/strip-controls.ts'

/** Resolves with the exit code: 0, or with `--result` the one for how the job ended. */
export async function getJob({ place: { base, job }, credentials, limits, show }: Command & { run: 'get' }, context: CommandContext): Promise<number> {
  const target = { base, headers: credentials.headers, token: await tokenOf(credentials.token, context) }
  let snapshot: JobSnapshot
  try {
    snapshot = await request(target, limits, context, (operations, signal) => operations.snapshot(job, signal))
  } catch (error) {
    await rejectBaseUrl(job, target, error, context)
    throw error
  }
  if (show === 'result') return printResult(snapshot, context)
  const { stdout, env } = context
  stdout.write(show === 'json' ? `${JSON.stringify(snapshot)}\n` : textOf(snapshot, hasColour(stdout, env)))
  return EXIT.succeeded
}

function printResult({ id, status, result, error }: JobSnapshot, { stdout }: CommandContext): number {
  if (!isTerminal(status)) throw new Exit(EXIT.notYet, `job ${id} has not ended yet: it is ${status}`)
  if (status !== 'succeeded')
    throw new Exit(EXIT[status], `job ${id} ${status === 'failed' ? 'failed' : 'was cancelled'}${error === undefined ? '' : `: ${JSON.stringify(error)}`}`)
  stdout.write(`${JSON.stringify(result ?? null)}\n`)
  return EXIT.succeeded
}

function textOf({ id, status, progress, result, error }: JobSnapshot, isColoured: boolean): string {
  const parts = [progress && !isTerminal(status) && progressInWords(progress), result != null && JSON.stringify(result), error != null && JSON.stringify(error)]
  return `${stripControls(id)} ${paintStatus(status, status, isColoured)}${parts
    .filter(Boolean)
    .map((part) => ` ${stripControls(String(part))}`)
    .join('')}\n`
}
