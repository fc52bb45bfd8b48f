/** The backends that `--backend` names, and the options of each that `--backend-option` sets. */

import * as backends from '../../backends.ts'
import type { Backend } from '../../types.ts'
import { UsageError } from '../exit-codes.ts'

export type BackendName = keyof typeof backends

/** What an option's value must be: milliseconds, a function, which only a module has, one of a list, or a value that passes a check. */
type Kind = 'ms' | 'function' | readonly string[] | { expected: string; isValid(value: unknown): boolean }
type OptionsOf<N extends BackendName> = NonNullable<Parameters<(typeof backends)[N]>[0]>

const isEnd = (value: unknown): boolean => value !== '' && (typeof value === 'string' || typeof Object(value).event === 'string')
const END: Kind = { expected: 'text, or {"event":"name"}, or a list of these', isValid: (value) => [value].flat().every(isEnd) }
const CURSOR: Kind = { expected: 'header, or {"parameter":"name"}', isValid: (value) => value === 'header' || typeof Object(value).parameter === 'string' }
const STATUSES: Kind = { expected: 'a list of statuses, such as [500]', isValid: (value) => Array.isArray(value) && value.every(Number.isInteger) }
const FIELD: Kind = { expected: "a field's name", isValid: (value) => typeof value === 'string' && value !== '' }

const STREAM = { request: 'function', read: 'function', status: 'function', heartbeatMs: 'ms' } as const
const ENDED = { ...STREAM, end: END } as const
const FREE = { ...ENDED, promises: ['log', 'replay', 'lossy'], cursor: CURSOR } as const
const PRESET = { request: 'function', timeoutMs: 'ms', takes: STATUSES, pollMs: 'ms', maxPollMs: 'ms', staleAfterMs: 'ms' } as const
const { status: _, ...UNWATCHED } = STREAM

const OPTIONS: { readonly [N in BackendName]: Readonly<Partial<Record<keyof OptionsOf<N>, Kind>>> } = {
  plainSse: FREE,
  ndjson: { ...FREE, idField: FIELD },
  statusPoll: { ...PRESET, read: 'function' },
  microsoftLro: { ...PRESET, resource: 'function' },
  googleLro: { ...PRESET, progress: 'function' },
  azureDurable: { ...PRESET, progress: 'function' },
  laravelBatch: PRESET,
  celeryProgress: PRESET,
  mcpTask: PRESET,
  jobtailSnapshot: PRESET,
  aiSdk: STREAM,
  workflow: STREAM,
  langGraph: { ...UNWATCHED, progress: 'function' },
  openaiResponses: UNWATCHED,
  durableStreams: { ...UNWATCHED, end: END, closed: 'function' },
  fal: { ...PRESET, response: 'function' },
  replicate: { ...PRESET, progress: 'function' },
  a2a: { timeoutMs: 'ms', takes: STATUSES, pollMs: 'ms', maxPollMs: 'ms', staleAfterMs: 'ms', binding: ['http', 'json-rpc'] },
  mercure: { request: 'function', read: 'function', status: 'function', heartbeatMs: 'ms', end: END, version: ['0', '1'], topic: 'function' },
  nchan: { ...ENDED, interval: 'function', intervalMs: 'ms', seqField: FIELD }
}

const MAKERS: Readonly<Record<BackendName, (options: never) => Backend>> = backends

export const BACKENDS: readonly BackendName[] = Object.keys(OPTIONS).sort() as BackendName[] // as: the table has these names only

/** One option: its value, or the module whose default export is its value. */
export type BackendOption = { value: unknown } | { module: string }

export interface BackendChoice {
  name: BackendName
  options: Readonly<Record<string, BackendOption>>
}

/** Checks the options, given as `name=value`. A value is JSON, or else text; `@` and a file's name stand for the default export of that module. */
export function backendChoiceFrom(name: BackendName, given: readonly string[]): BackendChoice {
  const known: Readonly<Record<string, Kind>> = OPTIONS[name]
  const options: Record<string, BackendOption> = {}
  for (const each of given) {
    const [, key = '', text] = /^([^=]*)=(.*)$/s.exec(each) ?? [each, each]
    if (text === undefined) throw new UsageError(`--backend-option: expected name=value, got ${key}`)
    if (!Object.hasOwn(known, key)) throw new UsageError(`--backend-option ${key}: ${name} has ${Object.keys(known).sort().join(', ')}`)
    options[key] = optionFrom(key, known[key] ?? 'function', text)
  }
  return { name, options }
}

function optionFrom(name: string, kind: Kind, text: string): BackendOption {
  const wrong = (expected: string): UsageError => new UsageError(`--backend-option ${name}: expected ${expected}, got ${text || 'nothing'}`)
  if (kind === 'ms') {
    if (!(Number(text) > 0)) throw wrong('a number of milliseconds')
    return { value: Number(text) }
  }
  if (kind !== 'function' && !('isValid' in kind)) {
    if (!kind.includes(text)) throw wrong(`one of ${kind.join(', ')}`)
    return { value: jsonOrText(text) }
  }
  if (text.startsWith('@')) return { module: text.slice(1) }
  if (kind === 'function') throw wrong('@file, a module whose default export is the value')
  const value = jsonOrText(text)
  if (!kind.isValid(value)) throw wrong(kind.expected)
  return { value }
}

function jsonOrText(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}

/** Makes the backend. `load` imports a module. Throws a `UsageError` for a module that can't be loaded, or exports nothing. */
export async function makeBackend({ name, options }: BackendChoice, load: (path: string) => Promise<{ default?: unknown }>): Promise<Backend> {
  const made: Record<string, unknown> = {}
  for (const [key, option] of Object.entries(options)) made[key] = 'value' in option ? option.value : await exportOf(key, option.module, load)
  return MAKERS[name](made as never) // as: the table has checked the names
}

async function exportOf(name: string, path: string, load: (path: string) => Promise<{ default?: unknown }>): Promise<unknown> {
  const fail = (what: string): never => {
    throw new UsageError(`--backend-option ${name}: expected a module with a default export, got ${path}: ${what}`)
  }
  const loaded = await load(path).catch((error) => fail(error instanceof Error ? error.message : String(error)))
  return loaded.default ?? fail('it has none')
}
