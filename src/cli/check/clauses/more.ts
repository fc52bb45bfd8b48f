/** §6: a long log, of which whoever asks for `more` may be sent a part. */

import { type Clause, clauseOf, expect, need } from '../clause.ts'
import type { Fields } from '../http.ts'
import { longLog, pagesFrom } from '../log.ts'
import { readingIn, seqsOf } from '../readings.ts'
import { controlsIn, eventsIn, type Transcript } from '../transcript.ts'
import { perWorld, type World } from '../world.ts'
import type { Streaming } from './streaming.ts'

interface Part {
  transcript: Transcript
  job: string
  /** The whole log. */
  log: readonly Fields[]
  /** What came of it: up to `more`, or all. */
  events: readonly Fields[]
  saysMore: boolean
  /** What came of the job after `more`. */
  beyond: readonly Fields[]
}

/** A reading that goes on after `more` goes on at once. */
const QUIET_MS = 500

export function moreClauses({ group, prefix, whole, open }: Streaming): readonly Clause[] {
  const clause = clauseOf(group)

  const partOf = perWorld(async (world: World): Promise<Part> => {
    need((await whole(world)).frames().length, 'nothing came')
    const { job, events: log } = await longLog(world)
    const transcript = await open(world, [{ job }], { more: '1' })
    const endsAt = (): number => transcript.frames().findIndex(({ control, job: of }) => control === 'more' && of === job)
    const beyond = (): Fields[] => (endsAt() === -1 ? [] : transcript.frames().slice(endsAt() + 1)).filter(({ job: of }) => of === job)
    await transcript.until(() => endsAt() !== -1 || controlsIn(transcript, 'done', job).length > 0)
    await transcript.until(() => beyond().length > 0, QUIET_MS)
    transcript.close()
    const events = eventsIn(transcript, job)
    const after = beyond()
    return { transcript, job, log, events: events.filter((event) => !after.includes(event)), saysMore: endsAt() !== -1, beyond: after }
  })

  return [
    clause(`${prefix}-more`, '§6', 'Asked with ?more=1, a long log comes whole, or up to a more, after which nothing of the job comes', async (world) => {
      const { transcript, log, events, saysMore, beyond } = await partOf(world)
      const came = `${events.length} of ${log.length} events, and ${saysMore ? '"more"' : (transcript.over() ?? 'it goes on')}`
      const isBeginning = String(seqsOf(events)) === String(seqsOf(log.slice(0, events.length)))
      expect(isBeginning && (saysMore || events.length === log.length), transcript.asked, 'the whole log, or its beginning and "more"', came)
      expect(events.length > 0, transcript.asked, 'an event at least before "more"', came)
      expect(beyond.length === 0, transcript.asked, 'nothing of the job after "more"', beyond)
    }),
    clause(`${prefix}-more-rest`, '§6', 'What a more keeps back is read by JSON from the last event before it, nothing lost or repeated', async (world) => {
      const { transcript, job, log, events, saysMore } = await partOf(world)
      const after = need(saysMore && events.at(-1), 'no "more" came after an event')
      const rest = log.filter(({ seq }) => Number(seq) > Number(after.seq))
      expect(rest.length > 0, transcript.asked, 'no "more" at the end of the log', transcript.over() ?? '"more"')
      const exchange = await world.askJson([{ job, after: String(after.id) }])
      const asked = `${transcript.asked}, then ${exchange.asked}`
      const expected = `${rest.length} events from seq ${rest[0]?.seq} on`
      const first = readingIn(exchange)
      expect(first, asked, expected, exchange.came)
      const came = (await pagesFrom(world, first, job)).flatMap((page) => page.events)
      expect(String(seqsOf(came)) === String(seqsOf(rest)), asked, expected, `${came.length} from seq ${came[0]?.seq ?? 'none'} on`)
    }),
    clause(`${prefix}-more-unasked`, '§6', 'Without ?more=1 there is never a more', async (world) => {
      const transcript = await whole(world)
      const mores = need(transcript.frames().length > 0 && controlsIn(transcript, 'more'), 'nothing came')
      await longLog(world)
      expect(mores.length === 0, transcript.asked, 'no "more"', mores)
    })
  ]
}
