/** §1: the events, in every reading. */

import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../../../errors.ts'
import { parseFrame } from '../../../protocol/parse.ts'
import { isTerminal } from '../../../protocol/rules.ts'
import type { Clause } from '../clause.ts'
import { type CheckContext, snapshotOf } from '../context.ts'
import { attempt, brief, expect, Finding, need } from '../finding.ts'
import { type Fields, isFields } from '../http.ts'
import { everyReading } from '../log.ts'
import { controlsIn, idsOf } from '../transcript.ts'

/** Makes a clause that every event of every reading has to meet. */
const each = (id: string, says: string, expected: string, isMet: (event: Fields, job: string) => boolean): Clause => ({
  id,
  group: 'log',
  section: '§1',
  says,
  async check(context) {
    const { job } = await context.log()
    for (const { asked, events } of await everyReading(context)) for (const event of events) expect(isMet(event, job), asked, expected, event)
  }
})

const RFC_3339_UTC = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]00:00)$/i

export const eventClauses: readonly Clause[] = [
  {
    id: 'event-fields',
    group: 'log',
    section: '§1',
    says: 'An event has an id, a seq, a job, a type and a time, each well-formed',
    async check(context) {
      await context.log()
      for (const { asked, events } of await everyReading(context)) for (const event of events) checkFields(event, asked)
    }
  },
  each('event-job', 'An event names the job that was asked for', 'the id of the job', ({ job }, asked) => job === asked),
  each(
    'event-time',
    'time is RFC 3339 in UTC',
    'a time such as 2026-11-21T01:02:03.456Z',
    ({ time }) => typeof time !== 'string' || (RFC_3339_UTC.test(time) && !Number.isNaN(Date.parse(time)))
  ),
  each('event-data', 'data is never left out', '"data", null for none', (event) => 'data' in event),
  {
    id: 'event-ids',
    group: 'log',
    section: '§1',
    says: 'An id is unique in the log',
    async check(context) {
      await context.log()
      for (const { asked, events } of await everyReading(context)) {
        const bySeq = new Map(events.map((event) => [event.seq, event.id]))
        expect(new Set(bySeq.values()).size === bySeq.size, asked, 'another id for each event', idsOf(events))
      }
    }
  },
  {
    id: 'event-same',
    group: 'log',
    section: '§1',
    says: 'A log is the same in all of its readings',
    async check(context) {
      const { events: log } = await context.log()
      const bySeq = new Map(log.map((event) => [event.seq, event]))
      for (const { asked, events } of await everyReading(context))
        for (const event of events) {
          const other = bySeq.get(event.seq)
          expect(isDeepStrictEqual({ ...event, job: '' }, { ...other, job: '' }), asked, `as in another reading ${brief(other)}`, event)
        }
    }
  },
  {
    id: 'event-end',
    group: 'log',
    section: '§1',
    says: 'A terminal event is the last, and there is one',
    async check(context) {
      const { events, last } = await context.log()
      const [first] = await everyReading(context)
      const ends = events.filter(({ type }) => isTerminal(String(type)))
      expect(
        ends.length === 1 && ends[0] === last,
        first?.asked ?? '',
        'one of succeeded, failed, cancelled, as the last event',
        events.map(({ type }) => type)
      )
    }
  },
  {
    id: 'epoch',
    group: 'log',
    section: '§1',
    says: 'A log has one epoch, wherever it is told',
    async check(context) {
      const epochs = await epochsOf(context)
      const [first] = need(epochs.length > 1 && epochs, 'fewer than two answers tell an epoch')
      for (const { asked, epoch } of epochs) expect(epoch === first?.epoch, asked, `the epoch ${first?.epoch}, as in another answer`, epoch)
    }
  }
]

function checkFields(event: Fields, asked: string): void {
  try {
    parseFrame(event)
  } catch (error) {
    throw new Finding(asked, 'an event as §1 has it', messageOf(error))
  }
}

async function epochsOf(context: CheckContext): Promise<{ asked: string; epoch: unknown }[]> {
  const { job } = await context.log()
  const places = await Promise.all([
    attempt(async () => {
      const { exchange, members } = await context.wholeJson()
      return { asked: exchange.asked, place: members[0] }
    }),
    attempt(async () => {
      const { asked, json } = await snapshotOf(context, job)
      return { asked, place: json }
    }),
    ...[context.wholeStream, context.wholeSocket].map((whole) =>
      attempt(async () => {
        const transcript = await whole()
        return { asked: transcript.asked, place: controlsIn(transcript, 'subscribed')[0] }
      })
    )
  ])
  return places.flatMap((found) =>
    found && isFields(found.place) && found.place.epoch !== undefined ? [{ asked: found.asked, epoch: found.place.epoch }] : []
  )
}
