/** Defines every command and option once. Parsing, `--help` and shell completion are made from it. */

import { GROUPS } from '../check/clause.ts'
import { BACKENDS } from './backends.ts'

export const COMMANDS = ['follow', 'start', 'cancel', 'get', 'check', 'doctor', 'completion'] as const
export type CommandName = (typeof COMMANDS)[number]

export const SHELLS = ['bash', 'zsh', 'fish'] as const
export const PROGRESS = ['auto', 'bar', 'plain', 'none'] as const
export const REPORTERS = ['text', 'json', 'junit', 'github'] as const

export const HEADS: Readonly<Record<CommandName, { operand: string; summary: string }>> = {
  follow: { operand: '<url of a job>', summary: 'follow the job until it ends (the word "follow" may be left out)' },
  start: { operand: '<base URL>', summary: 'start a job and print its URL' },
  cancel: { operand: '<url of a job>', summary: 'ask the server to cancel the job' },
  get: { operand: '<url of a job>', summary: "print the job's current state" },
  check: { operand: '<base URL>', summary: 'check a server against PROTOCOL.md' },
  doctor: { operand: '<url of a job>', summary: 'say what the network does to each way of reading' },
  completion: { operand: `<${SHELLS.join('|')}>`, summary: 'print a shell completion script' }
}

export interface Option {
  type: 'string' | 'boolean'
  short?: string
  multiple?: true
  /** The name of its value in `--help`. */
  value?: string
  /** The allowed values. Default: any. */
  choices?: readonly string[]
  /** The value is a file name: shells complete it. */
  isFile?: true
  /** The commands that take the option. Default: all. */
  commands?: readonly CommandName[]
  description: string
}

const JOBS = ['follow', 'start', 'cancel', 'get'] as const
const REMOTE = [...JOBS, 'check', 'doctor'] as const
const STREAMS = ['follow', 'start'] as const

type Text =
  | 'data'
  | 'idempotency-key'
  | 'after'
  | 'timeout'
  | 'watch'
  | 'progress'
  | 'job'
  | 'running'
  | 'cancellable'
  | 'input'
  | 'origin'
  | 'reporter'
  | 'backend'
  | 'id'
  | 'token'
  | 'token-file'
type Flag = 'start' | 'follow' | 'retry' | 'result' | 'json' | 'verbose' | 'any-origin' | 'yes' | 'help' | 'version'
type List = 'skip' | 'only' | 'header' | 'backend-option'
export type OptionName = Text | Flag | List

/** The values of the options that were given. */
export type Values = { [N in Text]?: string } & { [N in Flag]?: boolean } & { [N in List]?: string[] }

export const OPTIONS: Readonly<Record<OptionName, Option>> = {
  data: { type: 'string', short: 'd', value: 'JSON', commands: ['start', 'doctor'], description: "the job's input: JSON, @file, or - for stdin (default: {})" },
  follow: { type: 'boolean', short: 'f', commands: ['start'], description: 'follow the job until it ends' },
  'idempotency-key': {
    type: 'string',
    value: 'key',
    commands: ['start'],
    description: 'repeats with the same key start nothing more (default: a random key)'
  },
  after: { type: 'string', value: 'event id', commands: ['follow'], description: 'continue after this event; "tail": only new events' },
  timeout: {
    type: 'string',
    value: 'time',
    commands: [...JOBS, 'check'],
    description: 'give up after this time (90, 90s, 5m, 2h) with exit code 124; check: how long an answer may take (default: 5s)'
  },
  start: { type: 'boolean', commands: ['doctor'], description: 'start a job at {base}, which the URL then is, and cancel it at the end' },
  watch: {
    type: 'string',
    value: 'time',
    commands: ['doctor'],
    description: 'how long to follow the job (default: two heartbeats and a second, at most 60s)'
  },
  retry: {
    type: 'boolean',
    commands: JOBS,
    description: 'keep trying while no server answers, until --timeout (default: fail at once if no server has ever answered)'
  },
  progress: {
    type: 'string',
    value: 'how',
    choices: PROGRESS,
    commands: STREAMS,
    description: 'bar, plain (at most one line a second), none, or auto: bar on a terminal, else plain (default: auto)'
  },
  result: { type: 'boolean', commands: ['follow', 'start', 'get'], description: "print the result's JSON on stdout and nothing else; events go to stderr" },
  json: { type: 'boolean', commands: REMOTE, description: 'print JSON instead of text' },
  verbose: { type: 'boolean', commands: STREAMS, description: 'print on stderr what the connection does, and when' },
  job: {
    type: 'string',
    value: 'id',
    commands: ['check'],
    description: 'an ended job with at least two events; with more than 1,000, clauses about long logs are checked too'
  },
  running: { type: 'string', value: 'id', commands: ['check'], description: 'a job that runs for another half a minute' },
  cancellable: { type: 'string', value: 'id', commands: ['check'], description: 'another such job, which will be cancelled' },
  input: {
    type: 'string',
    value: 'JSON',
    commands: ['check'],
    description: 'the input of the jobs to start (default: {}); only jobs that are not named are started'
  },
  origin: { type: 'string', value: 'origin', commands: ['check'], description: 'another origin whose pages may use the server' },
  'any-origin': { type: 'boolean', commands: ['check'], description: 'pages of every origin may use the server' },
  skip: { type: 'string', multiple: true, value: 'clause', commands: ['check'], description: 'a clause to leave out, such as sse-204; may be repeated' },
  reporter: {
    type: 'string',
    value: 'format',
    choices: REPORTERS,
    commands: ['check'],
    description: 'text, json, junit (XML), or github (text and annotations) (default: text)'
  },
  yes: { type: 'boolean', short: 'y', commands: ['check'], description: 'start and cancel jobs without asking first' },
  only: {
    type: 'string',
    multiple: true,
    value: 'transport',
    choices: GROUPS,
    commands: ['follow', 'start', 'check'],
    description: 'websocket, sse, ndjson, long-poll, short-poll (check: also resources); may be repeated'
  },
  backend: {
    type: 'string',
    value: 'name',
    choices: BACKENDS,
    commands: ['follow'],
    description: `what the server speaks, where that is not Jobtail's protocol: ${BACKENDS.join(', ')}`
  },
  'backend-option': {
    type: 'string',
    multiple: true,
    value: 'name=value',
    commands: ['follow'],
    description: "an option of the backend: JSON or text, or @file for a module's default export; may be repeated"
  },
  id: { type: 'string', value: 'id', commands: ['follow'], description: "the job's id for the backend; the URL is then the client's base URL" },
  token: {
    type: 'string',
    value: 'token',
    commands: REMOTE,
    description: 'the bearer token, - for stdin; prefer $JOBTAIL_TOKEN or --token-file, which do not show in the list of processes'
  },
  'token-file': { type: 'string', value: 'file', isFile: true, commands: REMOTE, description: 'a file with the bearer token, - for stdin' },
  header: {
    type: 'string',
    short: 'H',
    multiple: true,
    value: "'name: value'",
    commands: REMOTE,
    description: 'an additional request header; may be repeated'
  },
  help: { type: 'boolean', short: 'h', description: 'print this text' },
  version: { type: 'boolean', short: 'V', description: 'print the version' }
}

/** The options of a command, in the order of the table. */
// as: `Object.entries` forgets the names of the keys
export const optionsOf = (command: CommandName): [OptionName, Option][] =>
  (Object.entries(OPTIONS) as [OptionName, Option][])
    .filter(([, { commands }]) => !commands || commands.includes(command))
    .filter(([name]) => command !== 'completion' || name === 'help')
