/** Merges the finished job's log from all readings. */

import type { CheckContext, Log } from './context.ts'
import { attempt, LeftOut, need } from './finding.ts'
import type { Fields } from './http.ts'
import type { Reading } from './readings.ts'
import { eventsIn } from './transcript.ts'

/** The most events that one JSON answer may have without a window (PROTOCOL.md §3). */
export const MAX_EVENTS = 1000

/** The log, where it is longer than one answer. Throws `LeftOut` for a shorter one. */
export async function longLog(context: CheckContext): Promise<Log> {
  const log = await context.log()
  if (log.events.length <= MAX_EVENTS) throw new LeftOut('the finished job has no more than 1,000 events')
  return log
}

/** The finished job's events by each reading that the server offers, with the request in words. */
export async function everyReading(context: CheckContext): Promise<{ asked: string; events: readonly Fields[] }[]> {
  const job = need(context.jobs.finished, context.jobs.why ?? 'no finished job is known')
  const found = await Promise.all([
    attempt(async () => ({ asked: (await context.wholeJson()).exchange.asked, events: (await context.pages()).flatMap(({ events }) => events) })),
    ...[context.wholeStream, context.wholeSocket].map((whole) =>
      attempt(async () => {
        const transcript = await whole()
        return { asked: transcript.asked, events: eventsIn(transcript, job) }
      })
    )
  ])
  return found.filter((each) => each !== undefined)
}

export async function findLog(context: CheckContext, job: string): Promise<Log> {
  const events = inOrder((await everyReading(context)).flatMap(({ events }) => events))
  const [middle, last] = [events[Math.floor((events.length - 1) / 2)], events.at(-1)]
  if (!middle || !last || middle === last) throw new LeftOut(`the finished job has ${events.length} events; name one with at least two`)
  return { job, events, last, middle, rest: events.slice(events.indexOf(middle) + 1) }
}

/** Sorts events by `seq`, and removes duplicates. */
const inOrder = (events: readonly Fields[]): Fields[] =>
  [...new Map(events.map((event) => [event.seq, event])).values()].sort((a, b) => Number(a.seq) - Number(b.seq))

const MAX_PAGES = 100

/** A page of a job's log and all pages after it, at most 100. */
export async function pagesFrom(context: CheckContext, first: Reading, job: string): Promise<Reading[]> {
  const pages = [first]
  while (pages.length < MAX_PAGES) {
    const page = pages.at(-1)
    const after = page?.events.at(-1)?.id
    if (page?.answer.more !== true || typeof after !== 'string') break
    pages.push(await context.read([{ job, after }]))
  }
  return pages
}
