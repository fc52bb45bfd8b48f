/** Every command and every option, once: what is parsed, what `--help` says and what a shell completes. */

import { GROUPS } from '../check/clause.ts'

export const COMMANDS = ['follow', 'start', 'cancel', 'get', 'check', 'completion'] as const
export type CommandName = (typeof COMMANDS)[number]

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export const PROGRESS = ['auto', 'bar', 'plain', 'none'] as const
export const REPORTERS = ['text', 'json', 'junit', 'github'] as const

export const HEADS: Readonly<Record<CommandName, { takes: string; does: string }>> = {
  follow: { takes: '<url of a job>', does: 'follows the job until it ends; "follow" may be left out' },
  start: { takes: '<base URL>', does: 'starts a job with POST, and prints its URL' },
  cancel: { takes: '<url of a job>', does: 'asks for the job to be cancelled' },
  get: { takes: '<url of a job>', does: 'prints what is known of the job now' },
  check: { takes: '<base URL>', does: 'puts the clauses of PROTOCOL.md to a server' },
  completion: { takes: `<${SHELLS.join('|')}>`, does: 'prints a script that completes commands and options' }
}

export interface Option {
  type: 'string' | 'boolean'
  short?: string
  multiple?: true
  /** What its value is called. */
  value?: string
  /** All that its value can be. */
  choices?: readonly string[]
  /** Its value is a file's name. */
  isFile?: true
  /** Default: all. */
  of?: readonly CommandName[]
  says: string
}

const JOBS = ['follow', 'start', 'cancel', 'get'] as const
const REMOTE = [...JOBS, 'check'] as const
const STREAMS = ['follow', 'start'] as const

type Text =
  | 'data'
  | 'idempotency-key'
  | 'after'
  | 'timeout'
  | 'progress'
  | 'job'
  | 'running'
  | 'cancellable'
  | 'input'
  | 'origin'
  | 'reporter'
  | 'token'
  | 'token-file'
type Flag = 'follow' | 'retry' | 'result' | 'json' | 'verbose' | 'any-origin' | 'yes' | 'help' | 'version'
type List = 'skip' | 'only' | 'header'
export type OptionName = Text | Flag | List

/** What was given. */
export type Values = { [N in Text]?: string } & { [N in Flag]?: boolean } & { [N in List]?: string[] }

export const OPTIONS: Readonly<Record<OptionName, Option>> = {
  data: { type: 'string', short: 'd', value: 'JSON', of: ['start'], says: "the job's input: JSON, @file, or - for stdin (default: {})" },
  follow: { type: 'boolean', short: 'f', of: ['start'], says: 'follow the job until it ends' },
  'idempotency-key': {
    type: 'string',
    value: 'key',
    of: ['start'],
    says: 'started once under this key, however often it is asked for (default: a random one)'
  },
  after: { type: 'string', value: 'event id', of: ['follow'], says: 'go on after this event; "tail": only what comes next' },
  timeout: {
    type: 'string',
    value: 'time',
    of: REMOTE,
    says: 'give up after 90, 90s, 5m or 2h, with exit code 124; check: how long an answer may take (default: 5s)'
  },
  retry: { type: 'boolean', of: JOBS, says: 'go on trying where nothing answers, until --timeout (default: fail at once where nothing ever answered)' },
  progress: {
    type: 'string',
    value: 'how',
    choices: PROGRESS,
    of: STREAMS,
    says: 'bar; plain: a line a second at most; none (default: auto, a bar on a terminal, else plain)'
  },
  result: { type: 'boolean', of: ['follow', 'start', 'get'], says: "print the result's JSON on stdout and nothing else; events go to stderr" },
  json: { type: 'boolean', of: REMOTE, says: 'JSON in place of text' },
  verbose: { type: 'boolean', of: STREAMS, says: 'say on stderr what the connection does, and when' },
  job: {
    type: 'string',
    value: 'id',
    of: ['check'],
    says: 'a job that has ended, with two events or more; over 1,000, and how a long log comes is looked at as well'
  },
  running: { type: 'string', value: 'id', of: ['check'], says: 'a job that goes on for half a minute' },
  cancellable: { type: 'string', value: 'id', of: ['check'], says: 'another one like that, which will be cancelled' },
  input: { type: 'string', value: 'JSON', of: ['check'], says: 'what jobs are started with (default: {}); with named jobs, only those not named are started' },
  origin: { type: 'string', value: 'origin', of: ['check'], says: 'another origin whose pages may use the server' },
  'any-origin': { type: 'boolean', of: ['check'], says: 'pages of every origin may' },
  skip: { type: 'string', multiple: true, value: 'clause', of: ['check'], says: 'a clause that is not put, such as sse-204; may be repeated' },
  reporter: {
    type: 'string',
    value: 'format',
    choices: REPORTERS,
    of: ['check'],
    says: 'text, json, junit (XML), or github (text and annotations) (default: text)'
  },
  yes: { type: 'boolean', short: 'y', of: ['check'], says: 'do not ask before jobs are started or cancelled' },
  only: {
    type: 'string',
    multiple: true,
    value: 'transport',
    choices: GROUPS,
    of: ['follow', 'start', 'check'],
    says: 'websocket, sse, long-poll, short-poll (check: also resources); may be repeated'
  },
  token: {
    type: 'string',
    value: 'token',
    of: REMOTE,
    says: 'a bearer token, - for stdin; better: $JOBTAIL_TOKEN or --token-file, which no list of processes shows'
  },
  'token-file': { type: 'string', value: 'file', isFile: true, of: REMOTE, says: 'a file with the bearer token, - for stdin' },
  header: { type: 'string', short: 'H', multiple: true, value: "'name: value'", of: REMOTE, says: 'a further header; may be repeated' },
  help: { type: 'boolean', short: 'h', says: 'this text' },
  version: { type: 'boolean', short: 'V', says: 'the version' }
}

// as: the keys of a constant object
export const optionsOf = (command: CommandName): [OptionName, Option][] =>
  (Object.entries(OPTIONS) as [OptionName, Option][])
    .filter(([, { of }]) => !of || of.includes(command))
    .filter(([name]) => command !== 'completion' || name === 'help')
