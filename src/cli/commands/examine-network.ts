/** `jobtail doctor <url of a job>`. */

import { place, resourceUrl } from '../../protocol/urls.ts'
import type { Command } from '../arguments/command.ts'
import { inputOf, tokenOf } from '../arguments/secrets-and-input.ts'
import type { CommandContext } from '../command-context.ts'
import { doctor } from '../doctor/index.ts'
import { inWords } from '../doctor/judge.ts'
import { textOf } from '../doctor/report.ts'
import { EXIT } from '../exit-codes.ts'
import { request, type Target } from '../job-requests.ts'
import { routeTo } from '../proxy.ts'
import { stripControls } from '../terminal/strip-controls.ts'

type DoctorCommand = Command & { run: 'doctor' }

/** How long the cancel of a started job may take. */
const CANCEL_MS = 5000

/** Resolves with the exit code: 1 where there are findings. */
export async function examineNetwork(command: DoctorCommand, context: CommandContext): Promise<number> {
  const { credentials, watchMs, json, base } = command
  const { stdout, stderr, signal, env } = context
  const target = { base, headers: credentials.headers, token: await tokenOf(credentials.token, context) }
  const route = await routeTo(base, env)
  const job = command.job ?? (await startJob(command, target, context))
  try {
    const onStart = (ms: number): void => stderr.write(`jobtail: following job ${stripControls(job)} by every reading for up to ${inWords(ms)}…\n`)
    const report = await doctor({ place: { ...target, route }, job, watchMs, signal, onStart })
    const url = place(resourceUrl(base, job))
    const proxy = route.proxy?.host
    stdout.write(json ? `${JSON.stringify({ url, proxy: proxy ?? null, ...report })}\n` : textOf(url, proxy, report))
    return report.findings.length > 0 ? EXIT.failed : EXIT.succeeded
  } finally {
    if (command.job === undefined) await cancelStarted(job, target, context)
  }
}

async function startJob({ input }: DoctorCommand, target: Target, context: CommandContext): Promise<string> {
  const body = await inputOf(input, context)
  const key = `jobtail-doctor-${crypto.randomUUID()}`
  const { id } = await request(target, { timeoutMs: undefined, retries: false }, context, (operations, signal) => operations.start(body, key, signal))
  return id
}

/** Also after Ctrl-C, so without the context's signal. */
async function cancelStarted(job: string, target: Target, context: CommandContext): Promise<void> {
  const own = { ...context, signal: new AbortController().signal }
  await request(target, { timeoutMs: CANCEL_MS, retries: false }, own, (operations, signal) => operations.cancel(job, signal)).catch((error) =>
    context.stderr.write(`jobtail: job ${stripControls(job)} was started and could not be cancelled: ${stripControls(String(error.message))}\n`)
  )
}
