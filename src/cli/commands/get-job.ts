/** `jobtail get <url of a job>`: its snapshot. */

import type { JobSnapshot } from '../../protocol/frames.ts'
import { isTerminal } from '../../protocol/rules.ts'
import type { Command } from '../arguments/command-line.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { refuseBase, request } from '../job-requests.ts'
import type { Outside } from '../outside.ts'
import { hasColour, paintStatus } from '../terminal/colour.ts'
import { plain } from '../terminal/plain.ts'
import { progressInWords } from '../terminal/progress.ts'

/** Resolves with the exit code: with `--result` how the job ended, else 0. */
export async function getJob({ place: { base, job }, reach, limits, show }: Command & { run: 'get' }, outside: Outside): Promise<number> {
  const target = { base, headers: reach.headers, token: await tokenOf(reach.token, outside) }
  let snapshot: JobSnapshot
  try {
    snapshot = await request(target, limits, outside, (operations, signal) => operations.snapshot(job, signal))
  } catch (error) {
    await refuseBase(job, target, error, outside)
    throw error
  }
  if (show === 'result') return printResult(snapshot, outside)
  const { stdout, env } = outside
  stdout.write(show === 'json' ? `${JSON.stringify(snapshot)}\n` : textOf(snapshot, hasColour(stdout, env)))
  return EXIT.succeeded
}

function printResult({ id, status, result, error }: JobSnapshot, { stdout }: Outside): number {
  if (!isTerminal(status)) throw new Exit(EXIT.notYet, `job ${id} has not ended yet: it is ${status}`)
  if (status !== 'succeeded')
    throw new Exit(EXIT[status], `job ${id} ${status === 'failed' ? 'failed' : 'was cancelled'}${error === undefined ? '' : `: ${JSON.stringify(error)}`}`)
  stdout.write(`${JSON.stringify(result ?? null)}\n`)
  return EXIT.succeeded
}

function textOf({ id, status, progress, result, error }: JobSnapshot, isColoured: boolean): string {
  const parts = [progress && !isTerminal(status) && progressInWords(progress), result != null && JSON.stringify(result), error != null && JSON.stringify(error)]
  return `${plain(id)} ${paintStatus(status, status, isColoured)}${parts
    .filter(Boolean)
    .map((part) => ` ${plain(String(part))}`)
    .join('')}\n`
}
