/** The finished job's log, put together from what the readings deliver of it. */

import { attempt, LeftOut, need } from './clause.ts'
import type { Fields } from './http.ts'
import type { Reading } from './readings.ts'
import { eventsIn } from './transcript.ts'
import type { World } from './world.ts'

/** From all that the readings deliver: what one of them leaves out shows. */
export interface Log {
  job: string
  events: readonly Fields[]
  last: Fields
  /** An event in the middle, and what comes after it. */
  middle: Fields
  rest: readonly Fields[]
}

/** An answer has no more. */
export const MAX_EVENTS = 1000

/** Where it is one that is not read at one go. */
export async function longLog(world: World): Promise<Log> {
  const log = await world.log()
  if (log.events.length <= MAX_EVENTS) throw new LeftOut('the finished job has no more than 1,000 events')
  return log
}

/** From each reading that there is, in words what was asked and the finished job's events. */
export async function everyReading(world: World): Promise<{ asked: string; events: readonly Fields[] }[]> {
  const job = need(world.jobs.finished, world.jobs.why ?? 'no finished job is known')
  const found = await Promise.all([
    attempt(async () => ({ asked: (await world.wholeJson()).exchange.asked, events: (await world.pages()).flatMap(({ events }) => events) })),
    ...[world.wholeStream, world.wholeSocket].map((whole) =>
      attempt(async () => {
        const transcript = await whole()
        return { asked: transcript.asked, events: eventsIn(transcript, job) }
      })
    )
  ])
  return found.filter((each) => each !== undefined)
}

export async function findLog(world: World, job: string): Promise<Log> {
  const events = inOrder((await everyReading(world)).flatMap(({ events }) => events))
  const [middle, last] = [events[Math.floor((events.length - 1) / 2)], events.at(-1)]
  if (!middle || !last || middle === last) throw new LeftOut(`${events.length} events of the finished job came: two at least are needed`)
  return { job, events, last, middle, rest: events.slice(events.indexOf(middle) + 1) }
}

/** By `seq`, each once. */
const inOrder = (events: readonly Fields[]): Fields[] =>
  [...new Map(events.map((event) => [event.seq, event])).values()].sort((a, b) => Number(a.seq) - Number(b.seq))

const MAX_PAGES = 100

/** A page of a job's log, and all after it, for as long as there is more. */
export async function pagesFrom(world: World, first: Reading, job: string): Promise<Reading[]> {
  const pages = [first]
  while (pages.length < MAX_PAGES) {
    const page = pages.at(-1)
    const after = page?.events.at(-1)?.id
    if (page?.answer.more !== true || typeof after !== 'string') break
    pages.push(await world.read([{ job, after }]))
  }
  return pages
}
