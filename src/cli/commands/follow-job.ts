/** `jobtail <url of a job>`: follows it to its end. */

import { ndjson } from '../../core.ts'
import { type Client, createClient, longPoll, shortPoll, sse, webSocket } from '../../index.ts'
import { isTerminal } from '../../protocol/rules.ts'
import type { Backend, Diagnostic, Subscription, Transport } from '../../types.ts'
import { makeBackend } from '../arguments/backends.ts'
import type { FollowOptions } from '../arguments/command.ts'
import type { CommandContext } from '../command-context.ts'
import { EXIT, Exit, UsageError } from '../exit-codes.ts'
import { type TrackedConnection, trackConnection } from '../job-client.ts'
import { rejectBaseUrl, type Target, toExit } from '../job-requests.ts'
import { type Limited, withLimits } from '../limits.ts'
import { type Route, routeTo } from '../proxy.ts'
import { diagnosticLines } from '../terminal/diagnostic-lines.ts'
import { createEventPrinter, type EventPrinter } from '../terminal/event-printer.ts'
import { createNotices, type Notices } from '../terminal/notices.ts'

/** How many races in a row may fail before a server that has answered once is given up. The pauses between them add up to 32 s at most. */
const ATTEMPTS = 8

/** Resolves with the exit code: how the job ended. */
export async function followJob(job: string, target: Target, options: FollowOptions, context: CommandContext): Promise<number> {
  const { stdout, stderr, env } = context
  const printer = createEventPrinter(options.show === 'result' ? stderr : stdout, options, env)
  const notices = createNotices(stderr, printer)
  const backend = await backendFor(job, options, context)
  const route = await routeTo(target.base, env)
  try {
    return await withLimits(context.signal, options.timeoutMs, `job ${job} has not ended`, (limits) => {
      return follow({ job, target, options, backend, context, printer, notices, route, limits })
    })
  } catch (error) {
    printer.end()
    if (context.signal.reason instanceof Exit) throw new Exit(context.signal.reason.code, 'detached; the job goes on')
    if (!options.backend) await rejectBaseUrl(job, target, error, context)
    throw error
  }
}

interface FollowContext {
  job: string
  target: Target
  options: FollowOptions
  backend: Backend | undefined
  context: CommandContext
  printer: EventPrinter
  notices: Notices
  route: Route
  limits: Limited
}

async function follow(following: FollowContext): Promise<number> {
  const { job, target, options, context, printer, limits } = following
  const reachable = trackConnection({ base: target.base, route: following.route, onAnswer: (answer) => noticeUnknownJob(answer, following.notices) })
  const client = clientFor(following, reachable)
  try {
    const subscription = client.subscribe(job, { after: options.after, signal: limits.signal })
    noticeProblems(subscription, reachable, following.notices)
    for await (const event of subscription) {
      if (options.show === 'json') context.stdout.write(`${JSON.stringify(event)}\n`)
      else if (options.show === 'events' || event.type !== 'succeeded') printer.event(event)
    }
    printer.end()
    const { status, result } = subscription.state
    if (!isTerminal(status)) throw new Exit(EXIT.unavailable, `job ${job}: the server did not say how it ended`)
    if (options.show === 'result' && status === 'succeeded') context.stdout.write(`${JSON.stringify(result ?? null)}\n`)
    return EXIT[status]
  } catch (error) {
    limits.signal.throwIfAborted()
    throw toExit(error, target.token, reachable.reason() && ` (${reachable.reason()})`)
  } finally {
    client.close()
  }
}

function clientFor({ target, options, backend, context, limits, notices }: FollowContext, reachable: TrackedConnection): Client {
  const explain = options.verbose ? diagnosticLines(notices) : undefined
  return createClient({
    url: target.base,
    token: target.token,
    headers: target.headers,
    ...(backend ? { backend } : { transports: transportsOf(options.only) }),
    memory: false,
    retry: { attempts: options.retries ? Number.POSITIVE_INFINITY : ATTEMPTS },
    onDiagnostic(diagnostic: Diagnostic) {
      explain?.(diagnostic)
      // `unreachable`: every transport has been tried once.
      const isOver = diagnostic.type === 'waiting' && diagnostic.reason === 'unreachable'
      if (isOver && !options.retries && !reachable.hasAnswered() && !context.signal.aborted) limits.stop(reachable.unreachable())
    },
    fetch: reachable.fetch,
    WebSocket: reachable.WebSocket
  })
}

/** The backend of `--backend`. Throws a `UsageError` where it takes no such job or cursor. */
async function backendFor(job: string, { backend: choice, after }: FollowOptions, { load }: CommandContext): Promise<Backend | undefined> {
  const backend = choice && (await makeBackend(choice, load))
  const wrong = [
    ['--id', job, backend?.expected?.('job id', job)],
    ['--after', after, after === undefined ? undefined : backend?.expected?.('after', after)]
  ].find(([, , expected]) => expected !== undefined)
  if (wrong) throw new UsageError(`${wrong[0]}: expected ${wrong[2]}, got ${wrong[1]}`)
  return backend
}

/** The default transports; with `--only`, those that it names. */
const transportsOf = (only: FollowOptions['only']): Transport[] =>
  [webSocket(), sse(), ndjson(), longPoll(), shortPoll()].filter(({ name }) => (only ? only.some((each) => each === name) : name !== 'ndjson'))

function noticeUnknownJob({ status, headers }: Response, notices: Notices): void {
  if (status === 404 && headers.get('content-type')?.startsWith('application/problem+json')) notices.once('waiting for the job to appear…')
}

/** Prints each connection problem once. */
function noticeProblems(subscription: Subscription, reachable: TrackedConnection, notices: Notices): void {
  subscription.onChange(() => {
    const { phase, problem } = subscription.state.connection
    if (phase !== 'waiting' && phase !== 'offline') return
    const what = problem?.reason === 'network' || !problem ? reachable.reason() : problem.message
    if (what) notices.once(`${what}; trying again…`)
  })
}
