/** `jobtail check <base URL>`. */

import { messageOf } from '../../errors.ts'
import { place } from '../../protocol/urls.ts'
import type { Command } from '../arguments/command-line.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import { Finding } from '../check/clause.ts'
import { check } from '../check/index.ts'
import { willStart } from '../check/jobs.ts'
import { createReporter } from '../check/reporters.ts'
import { verdictOf } from '../check/text-report.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import type { Outside } from '../outside.ts'
import { routeTo } from '../proxy.ts'
import { plain } from '../terminal/plain.ts'

type CheckCommand = Command & { run: 'check' }

/** Resolves with the exit code. */
export async function checkServer({ reach, options, reporter: format, yes }: CheckCommand, outside: Outside): Promise<number> {
  const { signal } = outside
  const token = await tokenOf(reach.token, outside)
  const route = await routeTo(options.base, outside.env)
  const does = announcementOf(options)
  if (does !== undefined) {
    outside.stderr.write(`jobtail: ${plain(does)}\n`)
    if (!yes && outside.confirm && !(await outside.confirm('Go on? [y/N] '))) throw new Exit(EXIT.usage, 'nothing was done')
  }
  const reporter = createReporter(format, options.base.href, outside)
  try {
    const report = await check({ ...options, token, headers: reach.headers, route, signal, onResult: reporter.result })
    reporter.end(report)
    return { met: EXIT.succeeded, findings: EXIT.failed, 'not run': EXIT.usage }[verdictOf(report)]
  } catch (error) {
    reporter.failed(options.base.href, plain(messageOf(signal.aborted ? signal.reason : error)))
    throw error instanceof Finding ? new Exit(EXIT.unavailable, error.message, { cause: error }) : error
  }
}

/** What the server has to bear; `undefined` where it is only read. */
function announcementOf({ base, ...jobs }: CheckCommand['options']): string | undefined {
  const { cancellable } = jobs
  const acts = [
    ...(willStart(jobs) ? [`starts jobs at ${place(base)}, and cancels them in the end`] : []),
    ...(cancellable === undefined ? [] : [`cancels job ${cancellable}`])
  ]
  return acts.length === 0 ? undefined : `this check ${acts.join('; ')}`
}
