/** What a page sets for all of its elements: words, options of their clients, and backends by name. */

import { type Backend, type ClientOptions, JobtailError } from '../index.ts'
import { ENGLISH, inherited, type Words } from './words.ts'

/** What a page sets for all of its elements. Each call of `configure` adds to what is set; a member that is set again replaces the one before. */
export interface ElementConfiguration {
  /** Words in place of the English ones. Attributes `text-…` go before them. */
  words?: Partial<Words> | undefined
  /** Options of the elements' clients, such as `token` or `headers`. An element's attributes `url` and `backend` go before them. */
  client?: ClientOptions | undefined
  /** Backends by the name that the attribute `backend` has. */
  backends?: Readonly<Record<string, Backend>> | undefined
}

/** What `jobtail-backends.min.js` adds to the page: each function of `jobtail/backends` by its name. */
type Script = Readonly<Record<string, (() => Backend) | undefined>>

const words: Words = { ...ENGLISH }
/** Options of the elements' clients. */
export const options: ClientOptions = {}
const backends: Record<string, Backend> = Object.create(null)
const listeners = new Set<() => void>()

/**
 * Sets words, client options and backends for all elements, also for those that are in the page already.
 * @throws JobtailError `bad-request` for an unknown name. An invalid option of the client is an error of each element
 */
export function configure(configuration: ElementConfiguration): void {
  const known = { words, client: options, backends }
  expectNames(known, configuration)
  expectNames(words, configuration.words)
  for (const name in known) Object.assign(known[name as keyof typeof known], configuration[name as keyof typeof known]) // as: its own names
  for (const listener of listeners) listener()
}

function expectNames(known: object, given: object = {}): void {
  for (const name in given)
    if (!(name in known)) throw new JobtailError('bad-request', `configure: expected one of ${Object.keys(known).join(', ')}, got ${name}`)
}

/** Registers a listener for changes of the configuration, and for the end of the page's loading; returns a function that removes it. */
export function onConfigure(listener: () => void): () => void {
  listeners.add(listener)
  return () => void listeners.delete(listener)
}

// A script with backends may come after the elements.
globalThis.addEventListener?.('load', () => configure({}))

/** The word that the element uses: that of an attribute, else the page's. `value` stands in place of `{}`. */
export const wordOf = (host: Element, name: keyof Words, value = ''): string => (inherited(host, `text-${name}`) ?? words[name]).replace('{}', () => value)

/** The backend with this name: one that was configured, else that of `jobtail-backends.min.js`, in whatever order the scripts come. */
export function backendNamed(name: string): Backend | undefined {
  const { Jobtail } = globalThis as { Jobtail?: { backends?: Script } } // as: the script's global
  const backend = backends[name] ?? Jobtail?.backends?.[name.replace(/-./g, (part) => part[1]?.toUpperCase() ?? '')]?.()
  if (backend) backends[name] = backend // the same object each time: clients are shared by it
  return backend
}
