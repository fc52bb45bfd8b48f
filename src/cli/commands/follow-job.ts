/** `jobtail <url of a job>`: follows it to its end. */

import { type Client, createClient, longPoll, shortPoll, sse, webSocket } from '../../index.ts'
import { isTerminal } from '../../protocol/rules.ts'
import type { Diagnostic, Subscription, Transport } from '../../types.ts'
import type { FollowOptions } from '../arguments/command-line.ts'
import { EXIT, Exit } from '../exit-codes.ts'
import { createReachable, type Reachable } from '../job-client.ts'
import { failed, refuseBase, type Target } from '../job-requests.ts'
import { type Limited, limited } from '../limits.ts'
import type { Outside } from '../outside.ts'
import { type Route, routeTo } from '../proxy.ts'
import { diagnosticLines } from '../terminal/diagnostic-lines.ts'
import { createEventPrinter, type EventPrinter } from '../terminal/event-printer.ts'
import { createNotices, type Notices } from '../terminal/notices.ts'

/** A server that has answered once, and can't be reached any more, is given up after so many rounds in a row: about half a minute. */
const ATTEMPTS = 8

/** Resolves with the exit code: how the job ended. */
export async function followJob(job: string, target: Target, options: FollowOptions, outside: Outside): Promise<number> {
  const { stdout, stderr, env } = outside
  const printer = createEventPrinter(options.show === 'result' ? stderr : stdout, options, env)
  const notices = createNotices(stderr, printer)
  const route = await routeTo(target.base, env)
  try {
    return await limited(outside.signal, options.timeoutMs, `job ${job} has not ended`, (limits) => {
      return follow({ job, target, options, outside, printer, notices, route, limits })
    })
  } catch (error) {
    printer.end()
    if (outside.signal.reason instanceof Exit) throw new Exit(outside.signal.reason.code, 'detached; the job goes on')
    await refuseBase(job, target, error, outside)
    throw error
  }
}

interface Following {
  job: string
  target: Target
  options: FollowOptions
  outside: Outside
  printer: EventPrinter
  notices: Notices
  route: Route
  limits: Limited
}

async function follow(following: Following): Promise<number> {
  const { job, target, options, outside, printer, limits } = following
  const reachable = createReachable({ base: target.base, route: following.route, onAnswer: (answer) => tellUnknown(answer, following.notices) })
  const client = clientFor(following, reachable)
  try {
    const subscription = client.subscribe(job, { after: options.after, signal: limits.signal })
    tellTrouble(subscription, reachable, following.notices)
    for await (const event of subscription) {
      if (options.show === 'json') outside.stdout.write(`${JSON.stringify(event)}\n`)
      else if (options.show === 'events' || event.type !== 'succeeded') printer.event(event)
    }
    printer.end()
    const { status, result } = subscription.state
    if (!isTerminal(status)) throw new Exit(EXIT.unavailable, `job ${job}: how it ended is not known`)
    if (options.show === 'result' && status === 'succeeded') outside.stdout.write(`${JSON.stringify(result ?? null)}\n`)
    return EXIT[status]
  } catch (error) {
    limits.signal.throwIfAborted()
    throw failed(error, target.token, reachable.reason() && ` (${reachable.reason()})`)
  } finally {
    client.close()
  }
}

function clientFor({ target, options, outside, limits, notices }: Following, reachable: Reachable): Client {
  const explain = options.verbose ? diagnosticLines(notices) : undefined
  return createClient({
    url: target.base,
    token: target.token,
    headers: target.headers,
    transports: [webSocket(), sse(), longPoll(), shortPoll()].filter(({ name }: Transport) => !options.only || options.only.some((each) => each === name)),
    memory: false,
    retry: { attempts: options.retries ? Number.POSITIVE_INFINITY : ATTEMPTS },
    onDiagnostic(diagnostic: Diagnostic) {
      explain?.(diagnostic)
      // Each way has been tried once.
      const isOver = diagnostic.type === 'waiting' && diagnostic.reason === 'unreachable'
      if (isOver && !options.retries && !reachable.hasAnswered() && !outside.signal.aborted) limits.stop(reachable.unreachable())
    },
    fetch: reachable.fetch,
    WebSocket: reachable.WebSocket
  })
}

function tellUnknown({ status, headers }: Response, notices: Notices): void {
  if (status === 404 && headers.get('content-type')?.startsWith('application/problem+json')) notices.once('waiting for the job to appear…')
}

/** What keeps it from being read, once each. */
function tellTrouble(subscription: Subscription, reachable: Reachable, notices: Notices): void {
  subscription.onChange(() => {
    const { phase, problem } = subscription.state.connection
    if (phase !== 'waiting' && phase !== 'offline') return
    const what = problem?.reason === 'network' || !problem ? reachable.reason() : problem.message
    if (what) notices.once(`${what}; trying again…`)
  })
}
