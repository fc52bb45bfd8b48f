/** §3: NDJSON, a reading of what the log has now, one frame a line. */

import { messageOf } from '../../../errors.ts'
import { parseFrame } from '../../../protocol/parse.ts'
import { PROTOCOL } from '../../../protocol/rules.ts'
import { type Clause, clauseOf } from '../clause.ts'
import { type CheckContext, oncePerContext } from '../context.ts'
import { expect, Finding, LeftOut } from '../finding.ts'
import { type Exchange, type Fields, isFields, isRefusal, parse } from '../http.ts'
import { isSameSeqs, readingIn, seqsOf } from '../readings.ts'
import { expectWindow, isBeginning, SMALL } from './window.ts'

const ACCEPT = { accept: 'application/x-ndjson, application/json;q=0.5' }
const TYPE = /^application\/x-ndjson\b/i

interface Lines {
  exchange: Exchange
  /** The frame of each line; `undefined` for a line that has none. */
  frames: readonly (Fields | undefined)[]
}

const clause = clauseOf('short-poll')

/** Requests NDJSON. Throws `LeftOut` where the server answers with something else. */
async function linesOf(context: CheckContext, asks: { job: string; after?: string }[], params: Record<string, string> = {}): Promise<Lines> {
  const exchange = await context.askJson(asks, { params, headers: ACCEPT })
  if (exchange.status !== 200 || !TYPE.test(exchange.headers.get('content-type') ?? '')) throw new LeftOut('the server offers no NDJSON')
  const frames = exchange.text.split('\n').slice(0, -1).map(parse)
  return { exchange, frames: frames.map((frame) => (isFields(frame) ? frame : undefined)) }
}

const wholeLines = oncePerContext(async (context: CheckContext): Promise<Lines> => {
  const { job } = await context.log()
  return linesOf(context, [{ job }])
})

const eventsOf = ({ frames }: Lines): Fields[] => frames.filter((frame) => frame !== undefined && frame.control === undefined) as Fields[] // as: the filter has removed undefined
const indexOf = ({ frames }: Lines, control: string): number => frames.findIndex((frame) => frame?.control === control)

export const ndjsonClauses: readonly Clause[] = [
  clause('ndjson-answers', '§3', 'With Accept: application/x-ndjson, the answer is JSON, or NDJSON with one frame a line', async (context) => {
    const { job } = await context.log()
    const exchange = await context.askJson([{ job }], { headers: ACCEPT })
    if (readingIn(exchange)) throw new LeftOut('the server offers no NDJSON')
    expect(
      exchange.status === 200 && TYPE.test(exchange.headers.get('content-type') ?? ''),
      exchange.asked,
      '200 application/x-ndjson, or the JSON answer',
      exchange.came
    )
    const { frames } = await wholeLines(context)
    for (const [index, line] of exchange.text.split('\n').entries()) {
      const frame = frames[index]
      if (index < frames.length && frame === undefined) throw new Finding(exchange.asked, 'a frame in each line', line)
      if (typeof frame?.control === 'string' && frame.control !== 'end') checkFrame(frame, exchange) // other clauses check events
    }
  }),
  clause('ndjson-order', '§3', 'hello comes first, then of the job subscribed, its events and done; end is the last line', async (context) => {
    const { job, events, last } = await context.log()
    const lines = await wholeLines(context)
    const { frames, exchange } = lines
    expect(
      frames[0]?.control === 'hello' && frames[0].protocol === PROTOCOL,
      exchange.asked,
      `"hello" with "protocol":${PROTOCOL} in the first line`,
      exchange.came
    )
    const came = eventsOf(lines)
    expect(isSameSeqs(came, events), exchange.asked, `the events with seq ${seqsOf(events)}`, came.length > 0 ? seqsOf(came).join() : exchange.came)
    const [subscribed, done] = [frames[indexOf(lines, 'subscribed')], frames[indexOf(lines, 'done')]]
    const isPlaced = indexOf(lines, 'subscribed') === 1 && subscribed?.job === job && subscribed.seq === Number(events[0]?.seq) - 1
    expect(isPlaced, exchange.asked, `"subscribed" with "seq":${Number(events[0]?.seq) - 1} in the second line`, exchange.came)
    const isDone = indexOf(lines, 'done') > frames.findLastIndex((frame) => frame?.id === last.id) && done?.cursor === last.id
    expect(isDone, exchange.asked, `"done" with "cursor":"${last.id}" after the events`, done ?? exchange.came)
  }),
  clause('ndjson-end', '§3', 'The last line is end, with more: false; a body without it was cut off', async (context) => {
    const { frames, exchange } = await wholeLines(context)
    const last = frames.at(-1)
    expect(last?.control === 'end' && last.more === false, exchange.asked, '{"control":"end","more":false} as the last line', last ?? exchange.came)
    const isWhole = exchange.text.endsWith('\n') && frames.filter((frame) => frame?.control === 'end').length === 1
    expect(isWhole, exchange.asked, 'one "end", and a line feed after it', exchange.came)
  }),
  clause('ndjson-after', '§2', '?after=ID reads every later event, and no other', async (context) => {
    const { job, middle, rest } = await context.log()
    await wholeLines(context)
    const lines = await linesOf(context, [{ job, after: String(middle.id) }])
    expect(isSameSeqs(eventsOf(lines), rest), lines.exchange.asked, `the events with seq ${seqsOf(rest)}`, lines.exchange.came)
  }),
  clause('ndjson-window', '§3, §6', 'With ?window=N there are about N bytes of events, one at least, and end says that there is more', async (context) => {
    const log = await context.log()
    await wholeLines(context)
    const lines = await linesOf(context, [{ job: log.job }], SMALL)
    const came = eventsOf(lines)
    expectWindow(came, log)
    const isMet = isBeginning(came, log) && lines.frames.at(-1)?.more === true
    expect(isMet, lines.exchange.asked, 'the first events, and {"control":"end","more":true}', lines.exchange.came)
  }),
  clause('ndjson-unknown', '§7', 'A job that the server does not know is answered with 404 and the code unknown-job', async (context) => {
    await wholeLines(context)
    const exchange = await context.askJson([{ job: context.unknown }], { headers: ACCEPT })
    expect(isRefusal(exchange, 404, 'unknown-job'), exchange.asked, '404 with the code unknown-job', exchange.came)
  })
]

function checkFrame(frame: Fields, { asked }: Exchange): void {
  try {
    parseFrame(frame)
  } catch (error) {
    throw new Finding(asked, 'frames as §§1 and 6 have them', messageOf(error))
  }
}
