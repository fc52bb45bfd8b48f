/** Follows a job by each reading beside the others, and records what comes. */

import { createParser } from 'eventsource-parser'
import { delay } from '../../async/signals.ts'
import { TAIL } from '../../protocol/rules.ts'
import { type Asked, eventsUrl } from '../../protocol/urls.ts'
import { type Fields, isFields, parse } from '../check/http.ts'
import type { Observation, ReadingName } from './observation.ts'
import { type Place, record } from './request.ts'

/** The pause between two single reads, which say what the server has. */
const POLL_MS = 500
const MAX_TEXT = 2000

export const observe = (reading: ReadingName): Observation => ({ reading, startedAt: performance.now(), frames: [], bytesAt: [], text: '' })

function urlOf(place: Place, asked: Asked, params: Record<string, string> = {}): URL {
  const url = eventsUrl(place.base, [asked])
  for (const [name, value] of Object.entries(params)) url.searchParams.append(name, value)
  return url
}

export async function watchSse(place: Place, asked: Asked, signal: AbortSignal): Promise<Observation> {
  const observation = observe('sse')
  const take = taking(observation)
  const parser = createParser({ onEvent: ({ data }) => take(parse(data)) })
  await record(observation, urlOf(place, asked), 'text/event-stream', place, signal, (text) => {
    if (isType(observation, 'text/event-stream')) parser.feed(text)
    else keep(observation, text)
  })
  return observation
}

export async function watchNdjson(place: Place, asked: Asked, signal: AbortSignal): Promise<Observation> {
  const observation = observe('ndjson')
  const take = taking(observation)
  let rest = ''
  await record(observation, urlOf(place, asked, { live: '1' }), 'application/x-ndjson', place, signal, (text) => {
    if (!isType(observation, 'application/x-ndjson')) return keep(observation, text)
    const lines = (rest + text).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) take(parse(line))
  })
  return observation
}

/** One long poll from the job's end, held for `waitMs`. */
export async function watchLongPoll(place: Place, asked: Asked, waitMs: number, signal: AbortSignal): Promise<Observation> {
  const observation: Observation = { ...observe('long-poll'), waitMs }
  await readJson(observation, urlOf(place, asked, { wait: String(Math.ceil(waitMs / 1000)) }), place, signal)
  return observation
}

/** Single reads, one after the other. `known` gets the time at which each event was first there. Resolves with the last whole one. */
export async function watchShortPolls(place: Place, asked: Asked, known: Map<number, number>, signal: AbortSignal): Promise<Observation> {
  let { after } = asked
  let last = observe('short-poll')
  while (!signal.aborted) {
    const observation = observe('short-poll')
    const answer = await readJson(observation, urlOf(place, { job: asked.job, ...(after && { after }) }), place, signal)
    if (!signal.aborted || observation.end) last = observation
    for (const { seq } of eventsIn(answer)) if (!known.has(Number(seq))) known.set(Number(seq), observation.startedAt)
    const [member] = membersIn(answer)
    if (typeof member?.cursor === 'string') after = member.cursor
    if (member?.done === true) break
    await delay(POLL_MS, signal).catch(() => {}) // the watch is over
  }
  return last
}

/** Reads a JSON answer. Its frames are its events; the answer itself is returned, where it is one. */
export async function readJson(observation: Observation, url: URL, place: Place, signal: AbortSignal): Promise<Fields | undefined> {
  let text = ''
  await record(observation, url, 'application/json', place, signal, (part) => {
    text += part
  })
  keep(observation, text)
  const answer = parse(text)
  if (!isFields(answer)) return undefined
  for (const event of eventsIn(answer)) observation.frames.push({ frame: event, at: performance.now() })
  return answer
}

export const firstRead = (place: Place, job: string, signal: AbortSignal): { observation: Observation; answer: Promise<Fields | undefined> } => {
  const observation = observe('short-poll')
  return { observation, answer: readJson(observation, urlOf(place, { job, after: TAIL }), place, signal) }
}

const listIn = (answer: Fields | undefined, name: string): Fields[] => (Array.isArray(answer?.[name]) ? answer[name].filter(isFields) : [])
const eventsIn = (answer: Fields | undefined): Fields[] => listIn(answer, 'events')
export const membersIn = (answer: Fields | undefined): Fields[] => listIn(answer, 'jobs')

const taking =
  ({ frames }: Observation) =>
  (value: unknown): void => {
    if (isFields(value)) frames.push({ frame: value, at: performance.now() })
  }

const isType = ({ head }: Observation, type: string): boolean => head?.status === 200 && (head.headers['content-type'] ?? '').toLowerCase().startsWith(type)

function keep(observation: Observation, text: string): void {
  observation.text = (observation.text + text).slice(0, MAX_TEXT)
}
