/** Parses the command line into a `Command`. Pure: `secrets-and-input.ts` reads files and stdin. */

import { parseArgs } from 'node:util'
import { messageOf } from '../../errors.ts'
import { GROUPS, type Group } from '../check/clause.ts'
import { UsageError } from '../exit-codes.ts'
import { BACKENDS, type BackendChoice, backendChoiceFrom } from './backends.ts'
import type { Command, Credentials, FollowOptions, Limits, Source } from './command.ts'
import { COMMANDS, type CommandName, OPTIONS, optionsOf, PROGRESS, REPORTERS, SHELLS, type Values } from './options.ts'
import {
  choiceFrom,
  clausesFrom,
  cursorFrom,
  foreignAddressOf,
  headersFrom,
  idFrom,
  jobAddressOf,
  jsonFrom,
  keyFrom,
  msFrom,
  originFrom,
  urlFrom
} from './values.ts'

export function commandFrom(args: readonly string[]): Command {
  const { values, positionals } = parse(args)
  const { name, targets } = nameFrom(positionals)
  if (values.version) return { run: 'version' }
  if (values.help || positionals[0] === 'help' || args.length === 0) return { run: 'help', of: name, isAsked: args.length > 0 }
  const command = name ?? 'follow'
  const known = optionsOf(command).map(([option]) => option as string) // as: `includes` of a list of names takes no other string
  const unknown = Object.keys(values).find((option) => !known.includes(option))
  if (unknown !== undefined) throw new UsageError(`--${unknown} is no option of ${command}`)
  const [target, ...others] = targets
  const expected = command === 'completion' ? `one of ${SHELLS.join(', ')}` : 'one URL'
  if (target === undefined || others.length > 0)
    throw new UsageError(`${command}: expected ${expected}, got ${targets.length === 0 ? 'none' : `${targets.length} arguments`}`)
  return build(command, target, values)
}

function parse(args: readonly string[]): { values: Values; positionals: string[] } {
  try {
    return parseArgs({ args: [...args], allowPositionals: true, options: OPTIONS }) as ReturnType<typeof parse> // as: `parseArgs` derives the same types, but not from a Record
  } catch (error) {
    throw new UsageError(messageOf(error))
  }
}

/** The longest `--timeout` of check, which is for one answer, and the longest `--watch`. */
const MAX_ANSWER_MS = 3_600_000

/** Separates the command from its operands. Without a command the operand is a URL to follow. `jobtail help start` is `jobtail start --help`. */
function nameFrom(positionals: readonly string[]): { name: CommandName | undefined; targets: readonly string[] } {
  const [first, ...others] = positionals[0] === 'help' ? positionals.slice(1) : positionals
  if (first === undefined) return { name: undefined, targets: [] }
  const name = COMMANDS.find((each) => each === first)
  if (name) return { name, targets: others }
  if (/^[a-z-]+$/i.test(first)) throw new UsageError(`expected the URL of a job or one of ${COMMANDS.join(', ')}, got ${first}`)
  return { name: undefined, targets: [first, ...others] }
}

function build(command: CommandName, target: string, values: Values): Command {
  if (command === 'completion') return { run: command, shell: choiceFrom('completion', SHELLS, target) }
  const url = urlFrom(target)
  const credentials: Credentials = { token: tokenSource(values), headers: headersFrom(values.header ?? []) }
  const limits = { timeoutMs: msFrom('--timeout', values.timeout, command === 'check' ? MAX_ANSWER_MS : undefined), retries: values.retry ?? false }
  const json = values.json ?? false
  if (json && values.result) throw new UsageError('--json and --result: expected only one of them')
  const show = json ? 'json' : values.result ? 'result' : undefined
  switch (command) {
    case 'follow':
      return {
        run: command,
        place: values.backend === undefined ? jobAddressOf(url) : foreignAddressOf(url, values.id),
        credentials,
        options: followOptions(values, limits, show)
      }
    case 'start': {
      const { 'idempotency-key': key, follow = false } = values
      if (!follow) refuseWithoutFollow(values)
      return {
        run: command,
        base: url,
        credentials,
        input: inputSource(values),
        idempotencyKey: keyFrom(key),
        follows: follow,
        options: followOptions(values, limits, show)
      }
    }
    case 'cancel':
      return { run: command, place: jobAddressOf(url), credentials, limits, json }
    case 'get':
      return { run: command, place: jobAddressOf(url), credentials, limits, show: show ?? 'text' }
    case 'doctor':
      return { run: command, ...doctorTarget(url, values), credentials, watchMs: msFrom('--watch', values.watch, MAX_ANSWER_MS), json }
    case 'check':
      return { run: command, credentials, ...checkOptions(url, values, limits), yes: values.yes ?? false }
    default:
      return command satisfies never
  }
}

/** The job to examine. With `--start` the URL is `{base}`, and there is no job yet. */
function doctorTarget(url: URL, values: Values): Pick<Command & { run: 'doctor' }, 'base' | 'job' | 'input'> {
  if (values.start) return { base: url, job: undefined, input: inputSource(values) }
  if (values.data !== undefined) throw new UsageError('--data: expected together with --start')
  return { ...jobAddressOf(url), input: { from: 'default' } }
}

function refuseWithoutFollow(values: Values): void {
  const found = (['result', 'progress', 'verbose', 'only'] as const).find((name) => values[name] !== undefined)
  if (found !== undefined) throw new UsageError(`--${found}: expected together with --follow, got start without it`)
}

function followOptions(values: Values, limits: Limits, show: 'json' | 'result' | undefined): FollowOptions {
  const only = onlyFrom(values.only)
  if (only?.includes('resources')) throw new UsageError('--only resources: expected a transport; resources is only for check')
  const progress = choiceFrom('--progress', PROGRESS, values.progress ?? 'auto')
  const backend = backendFrom(values)
  const after = backend ? values.after : cursorFrom(values.after) // a backend has cursors of its own
  return { ...limits, only, after, progress, show: show ?? 'events', verbose: values.verbose ?? false, backend }
}

function backendFrom(values: Values): BackendChoice | undefined {
  if (values.backend !== undefined) {
    if (values.only) throw new UsageError('--only and --backend: expected only one of them; a backend has transports of its own')
    return backendChoiceFrom(choiceFrom('--backend', BACKENDS, values.backend), values['backend-option'] ?? [])
  }
  const found = (['backend-option', 'id'] as const).find((name) => values[name] !== undefined)
  if (found !== undefined) throw new UsageError(`--${found}: expected together with --backend`)
  return undefined
}

const onlyFrom = (names: readonly string[] | undefined): readonly Group[] | undefined => names?.map((name) => choiceFrom('--only', GROUPS, name))

function checkOptions(base: URL, values: Values, { timeoutMs }: Limits): Pick<Command & { run: 'check' }, 'options' | 'reporter'> {
  const { job, running, cancellable, input, origin, json, reporter } = values
  if (json && reporter !== undefined && reporter !== 'json') throw new UsageError(`--json and --reporter ${reporter}: expected only one of them`)
  if (input !== undefined) jsonFrom('--input', input)
  const jobs = { job: idFrom('--job', job), running: idFrom('--running', running), cancellable: idFrom('--cancellable', cancellable), input }
  return {
    reporter: choiceFrom('--reporter', REPORTERS, json ? 'json' : (reporter ?? 'text')),
    options: {
      base,
      ...jobs,
      only: onlyFrom(values.only),
      origin: originFrom(origin),
      anyOrigin: values['any-origin'],
      limitMs: timeoutMs,
      skip: clausesFrom(values.skip)
    }
  }
}

function tokenSource({ token, 'token-file': path }: Values): Source {
  if (token !== undefined && path !== undefined) throw new UsageError('--token and --token-file: expected only one of them')
  if (token === '-' || path === '-') return { from: 'stdin' }
  if (path !== undefined) return { from: 'file', path }
  return token === undefined ? { from: 'default' } : { from: 'argument', text: token }
}

function inputSource({ data, token, 'token-file': path }: Values): Source {
  if (data === undefined) return { from: 'default' }
  if (data === '-' && (token === '-' || path === '-')) throw new UsageError('--data - and --token -: expected only one of them to read stdin')
  if (data === '-') return { from: 'stdin' }
  return data.startsWith('@') ? { from: 'file', path: data.slice(1) } : { from: 'argument', text: data }
}
