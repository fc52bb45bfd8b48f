/** Everything that the panel knows: what the page's clients did, since it was mounted. Independent of the DOM, and bounded. */

import type { Client, ClientOptions, Diagnostic, Observation } from '../index.ts'
import { createHistory, type History, type Mark } from './history.ts'
import { createJobs, type Jobs } from './jobs.ts'
import { createRing, type Ring } from './ring.ts'

/** One client of the page. */
export interface ClientRecord {
  /** From 1, in the order in which they were first seen. */
  readonly number: number
  /** With its token and headers: never to be shown. */
  readonly options: ClientOptions
  readonly history: History
}

/** A diagnostic of a client, or a remark of the application. */
export type Entry = { readonly at: number } & ({ readonly client: number; readonly about: Diagnostic } | { readonly client: undefined; readonly about: string })

export interface Recording {
  readonly clients: readonly ClientRecord[]
  readonly jobs: Jobs
  readonly entries: Ring<Entry>
  /** What the application has marked. */
  readonly marks: readonly Mark[]
  /** When the last of all this was recorded, in ms since 1970. */
  readonly lastAt: number
  /** Takes what `observe` tells. */
  add(observation: Observation, client: Client, options: ClientOptions): void
  mark(at: number, label: string, sentence: string): void
  /** Nothing is told any more: what lasts ends here. */
  stop(at: number): void
}

/** How many diagnostics, clients and marks are kept of each: the latest. */
const KEPT_ENTRIES = 2000
const KEPT_CLIENTS = 20
const KEPT_MARKS = 100

export function createRecording(): Recording {
  let clients: ClientRecord[] = []
  let marks: Mark[] = []
  let seen = 0
  let lastAt = 0
  const known = new WeakMap<Client, ClientRecord>()
  const jobs = createJobs()
  const entries = createRing<Entry>(KEPT_ENTRIES)

  function recordOf(client: Client, options: ClientOptions): ClientRecord {
    let record = known.get(client)
    if (!record) {
      seen += 1
      record = { number: seen, options, history: createHistory() }
      known.set(client, record)
    }
    if (!clients.includes(record)) clients = [...clients, record].slice(-KEPT_CLIENTS)
    return record
  }

  function add(observation: Observation, client: Client, options: ClientOptions): void {
    const { number, history } = recordOf(client, options)
    lastAt = observation.at
    if (observation.type === 'job') {
      const { at, job, event } = observation
      jobs.change(number, job, event, at)
      if (event) history.tick(at)
      else if (!jobs.isFollowing(number)) history.rest(at)
      return
    }
    entries.push({ at: observation.at, client: number, about: observation })
    history.add(observation)
    if (observation.type === 'gap') jobs.gap(number, observation.job, observation.missed)
  }

  return {
    get clients() {
      return clients
    },
    jobs,
    entries,
    get marks() {
      return marks
    },
    get lastAt() {
      return lastAt
    },
    add,
    mark(at, label, sentence) {
      lastAt = at
      marks = [...marks, { at, label }].slice(-KEPT_MARKS)
      entries.push({ at, client: undefined, about: sentence })
    },
    stop(at) {
      for (const { history } of clients) history.rest(at, true)
    }
  }
}
