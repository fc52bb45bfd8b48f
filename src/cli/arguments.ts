/** The command line. */

import { parseArgs } from 'node:util'
import { messageOf } from '../errors.ts'
import { BEARER_TOKEN, isCursor, isJobId } from '../protocol/rules.ts'
import { GROUPS } from './check/clause.ts'
import type { CheckOptions } from './check/index.ts'
import type { FollowOptions } from './follow.ts'

export const USAGE = `jobtail <url of a job>          follows the job until it ends
jobtail check <base URL>        puts the clauses of PROTOCOL.md to a server

Both:
  --token <token>               a bearer token
  --header '<name>: <value>'    a further header; may be repeated
  --only <transport>            websocket, sse, long-poll, short-poll (check: also resources); may be repeated
  --json                        JSON in place of text
  --help

jobtail <url of a job>
  --after <event id>            go on after this event; "tail": only what comes next
  --verbose                     say on stderr what the connection does
  Exit code: 0 succeeded, 1 failed or cancelled, 2 could not be followed, 130 detached by Ctrl-C (the job goes on)

jobtail check <base URL>
  It starts three jobs with POST, and cancels those that are still running in the end. Where nothing is to be started, name jobs:
  --job <id>                    one that has ended, with two events or more; with over 1,000, how a long log comes is looked at as well
  --running <id>                one that goes on for half a minute
  --cancellable <id>            another one like that, which will be cancelled
  --input <JSON>                what jobs are started with (default: {}); with named jobs, only those not named are started
  --origin <origin>             another origin whose pages may use the server
  --any-origin                  pages of every origin may
  --timeout <seconds>           how long an answer may take (default: 5)
  Exit code: 0 all that could be put is met, 1 findings, 2 could not be run`

export type Command =
  | { run: 'help' }
  | { run: 'follow'; options: FollowOptions; json: boolean; verbose: boolean }
  | { run: 'check'; options: CheckOptions; json: boolean }

/** What was asked for is not possible: the message says why. */
export class UsageError extends Error {}

export function parseCommand(args: readonly string[]): Command {
  const { values, positionals } = read(args)
  if (values.help || (args.length === 0 && positionals.length === 0)) return { run: 'help' }
  const isCheck = positionals[0] === 'check'
  const [target, ...others] = isCheck ? positionals.slice(1) : positionals
  if (target === undefined || others.length > 0) throw new UsageError('expected one URL')
  refuse(isCheck ? FOLLOW_ONLY : CHECK_ONLY, values)
  const url = urlFrom(target)
  const reach = { token: tokenFrom(values.token), headers: headersFrom(values.header ?? []) }
  const only = values.only?.map(groupFrom)
  const { json = false, verbose = false } = values
  if (isCheck) {
    const { job, running, cancellable, input, origin, timeout } = values
    const jobs = { job: idFrom('job', job), running: idFrom('running', running), cancellable: idFrom('cancellable', cancellable), input: jsonFrom(input) }
    return {
      run: 'check',
      json,
      options: { base: url, ...reach, ...jobs, only, origin: originFrom(origin), anyOrigin: values['any-origin'], limitMs: msFrom(timeout) }
    }
  }
  if (only?.includes('resources')) throw new UsageError('--only resources: only check knows that')
  if (values.after !== undefined && !isCursor(values.after)) throw new UsageError(`--after: expected an event's id or "tail", got ${values.after}`)
  return { run: 'follow', json, verbose, options: { ...placeOf(url), ...reach, only, after: values.after } }
}

const CHECK_ONLY = ['job', 'running', 'cancellable', 'input', 'origin', 'any-origin', 'timeout'] as const
const FOLLOW_ONLY = ['after', 'verbose'] as const

function read(args: readonly string[]) {
  const text = { type: 'string' } as const
  const list = { type: 'string', multiple: true } as const
  const flag = { type: 'boolean' } as const
  try {
    return parseArgs({
      args: [...args],
      allowPositionals: true,
      options: {
        token: text,
        header: list,
        only: list,
        json: flag,
        help: flag,
        after: text,
        verbose: flag,
        job: text,
        running: text,
        cancellable: text,
        input: text,
        origin: text,
        'any-origin': flag,
        timeout: text
      }
    })
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

function refuse(names: readonly string[], values: object): void {
  const found = names.find((name) => name in values)
  if (found !== undefined) throw new UsageError(`--${found} does not go with this command`)
}

function urlFrom(text: string): URL {
  const url = URL.canParse(text) && new URL(text)
  if (!url || !/^https?:$/.test(url.protocol)) throw new UsageError(`expected an http: or https: URL, got ${text}`)
  if (url.username || url.password) throw new UsageError("expected a URL without a user's name and password: --header 'authorization: Basic …' sends them")
  return url
}

/** Neither it nor a header is quoted: both may be secrets. */
function tokenFrom(token: string | undefined): string | undefined {
  if (token !== undefined && !BEARER_TOKEN.test(token)) throw new UsageError('--token: expected what a header can carry, without spaces')
  return token
}

function headersFrom(lines: readonly string[]): Record<string, string> {
  const headers = new Headers()
  for (const line of lines) {
    const colon = line.indexOf(':')
    try {
      headers.append(line.slice(0, colon), line.slice(colon + 1).trim())
    } catch {
      throw new UsageError(`--header: expected '<name>: <value>', in the characters that a header may have`)
    }
  }
  return Object.fromEntries(headers)
}

function groupFrom(name: string): (typeof GROUPS)[number] {
  const found = GROUPS.find((each) => each === name)
  if (!found) throw new UsageError(`--only: expected one of ${GROUPS.join(', ')}, got ${name}`)
  return found
}

function idFrom(option: string, id: string | undefined): string | undefined {
  if (id !== undefined && !isJobId(id)) throw new UsageError(`--${option}: expected a job's id, got ${id}`)
  return id
}

function originFrom(text: string | undefined): string | undefined {
  if (text !== undefined && !(URL.canParse(text) && new URL(text).origin === text))
    throw new UsageError(`--origin: expected an origin such as https://app.example.com, got ${text}`)
  return text
}

function jsonFrom(text: string | undefined): string | undefined {
  try {
    if (text !== undefined) JSON.parse(text)
    return text
  } catch {
    throw new UsageError(`--input: expected JSON, got ${text}`)
  }
}

const MAX_TIMEOUT_S = 3600

function msFrom(seconds: string | undefined): number | undefined {
  if (seconds !== undefined && !(Number(seconds) > 0 && Number(seconds) <= MAX_TIMEOUT_S))
    throw new UsageError(`--timeout: expected seconds, up to ${MAX_TIMEOUT_S}, got ${seconds}`)
  return seconds === undefined ? undefined : Number(seconds) * 1000
}

/** A job's URL, or that of its events, as `{base}` and the job's id. */
function placeOf(url: URL): { url: URL; job: string } {
  const segments = url.pathname
    .replace(/\/events$/, '')
    .replace(/\/+$/, '')
    .split('/')
  const base = new URL(url)
  base.hash = ''
  try {
    const job = decodeURIComponent(segments.pop() ?? '')
    base.pathname = segments.join('/')
    if (isJobId(job)) return { url: base, job }
  } catch {} // a malformed percent-encoding, which is no job's URL either
  throw new UsageError(`expected the URL of a job, {base}/{id}, got ${url}`)
}
