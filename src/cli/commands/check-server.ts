/** `jobtail check <base URL>`. */

import { messageOf } from '../../errors.ts'
import { place } from '../../protocol/urls.ts'
import type { Command } from '../arguments/command.ts'
import { tokenOf } from '../arguments/secrets-and-input.ts'
import { Finding } from '../check/finding.ts'
import { check } from '../check/index.ts'
import { willStart } from '../check/jobs.ts'
import { createReporter } from '../check/reporters.ts'
import { verdictOf } from '../check/text-report.ts'
import type { CommandContext } from '../command-context.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { routeTo } from '../proxy.ts'
import { stripControls } from '../terminal/strip-controls.ts'

type CheckCommand = Command & { run: 'check' }

/** Resolves with the exit code. */
export async function checkServer({ credentials, options, reporter: format, yes }: CheckCommand, context: CommandContext): Promise<number> {
  const { signal } = context
  const token = await tokenOf(credentials.token, context)
  const route = await routeTo(options.base, context.env)
  const does = changesOf(options)
  if (does !== undefined) {
    context.stderr.write(`jobtail: ${stripControls(does)}\n`)
    if (!yes && context.confirm && !(await context.confirm('Go on? [y/N] '))) throw new Exit(EXIT.usage, 'the check was not run')
  }
  const reporter = createReporter(format, options.base.href, context)
  try {
    const report = await check({ ...options, token, headers: credentials.headers, route, signal, onResult: reporter.result })
    reporter.end(report)
    return { met: EXIT.succeeded, findings: EXIT.failed, 'not run': EXIT.usage }[verdictOf(report)]
  } catch (error) {
    reporter.failed(options.base.href, stripControls(messageOf(signal.aborted ? signal.reason : error)))
    throw error instanceof Finding ? new Exit(EXIT.unavailable, error.message, { cause: error }) : error
  }
}

/** What the check will change on the server, in words; `undefined` where it only reads. */
function changesOf({ base, ...jobs }: CheckCommand['options']): string | undefined {
  const { cancellable } = jobs
  const acts = [
    ...(willStart(jobs) ? [`starts jobs at ${place(base)}, and cancels them in the end`] : []),
    ...(cancellable === undefined ? [] : [`cancels job ${cancellable}`])
  ]
  return acts.length === 0 ? undefined : `this check ${acts.join('; ')}`
}
