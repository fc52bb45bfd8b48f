/** §3: short poll, a JSON reading that answers at once. */

import { messageOf } from '../../../errors.ts'
import { parseAnswer } from '../../../protocol/parse.ts'
import { PROTOCOL, TAIL } from '../../../protocol/rules.ts'
import { type Clause, clauseOf } from '../clause.ts'
import type { CheckContext } from '../context.ts'
import { expect, Finding, LeftOut, need } from '../finding.ts'
import { type Exchange, isFields, isRefusal } from '../http.ts'
import { longLog, MAX_EVENTS } from '../log.ts'
import { FOREIGN_CURSOR, isNotOffered, MALFORMED_CURSOR, type Reading, readingIn, seqsOf } from '../readings.ts'
import { ndjsonClauses } from './ndjson.ts'
import { jsonWindow } from './window.ts'

const clause = clauseOf('short-poll')

/** Expects these events, compared by `seq`, or as many of them as one answer may have. */
function expectEvents({ exchange, events }: Reading, expected: readonly unknown[]): void {
  expectSeqs(exchange, seqsOf(events).slice(0, MAX_EVENTS), expected.slice(0, MAX_EVENTS))
}

function expectSeqs({ asked }: Exchange, came: readonly unknown[], expected: readonly unknown[]): void {
  expect(String(came) === String(expected), asked, `the events with seq ${expected}`, came.join() || 'none')
}

const refused =
  (status: number, code: string) =>
  (exchange: Exchange): void =>
    expect(isRefusal(exchange, status, code), exchange.asked, `${status} with the code ${code}`, exchange.came)
const badRequest = refused(400, 'bad-request')

export const shortPollClauses: readonly Clause[] = [
  clause('json-answers', '§3', 'GET {base}/{id}/events is answered with a JSON reading', async (context) => {
    const job = need(context.jobs.finished, context.jobs.why ?? '')
    const exchange = await context.askJson([{ job }])
    if (!context.required.has('short-poll') && isNotOffered(exchange)) throw new LeftOut('the server offers no JSON reading')
    const isJson = /^application\/json\b/i.test(exchange.headers.get('content-type') ?? '')
    expect(isJson && readingIn(exchange), exchange.asked, '200 application/json with "jobs" and "events"', exchange.came)
  }),
  clause('json-fields', '§3', 'The answer has protocol 1, heartbeatMs, and for each job epoch, seq, from, cursor, status and done', async (context) => {
    const { exchange, answer } = await context.wholeJson()
    try {
      parseAnswer(JSON.stringify({ ...answer, events: [] }))
    } catch (error) {
      throw new Finding(exchange.asked, 'an answer as §3 has it', messageOf(error))
    }
    expect(answer.protocol === PROTOCOL, exchange.asked, `"protocol":${PROTOCOL}`, answer.protocol)
  }),
  clause('json-events', '§1', "A job's events come in the order of seq, without holes or repetitions", async (context) => {
    const { events: log } = await context.log()
    const events = (await context.pages()).flatMap((page) => page.events)
    const { exchange } = await context.wholeJson()
    expectSeqs(exchange, seqsOf(events), seqsOf(log))
    expect(isDense(seqsOf(log)), exchange.asked, 'each seq one above that of the event before', seqsOf(log).join())
  }),
  clause('json-position', '§3', 'seq and from are the position before the events, cursor the one after them', async (context) => {
    const { job, middle } = await context.log()
    for (const reading of [await context.wholeJson(), await context.read([{ job, after: String(middle.id) }])]) {
      const [member] = reading.members
      const [first, last] = [reading.events[0], reading.events.at(-1)]
      if (!member || !first || !last) continue
      expect(member.seq === Number(first.seq) - 1, reading.exchange.asked, `"seq":${Number(first.seq) - 1}`, member)
      expect(member.cursor === last.id, reading.exchange.asked, `"cursor":"${last.id}"`, member)
      if (member.seq === middle.seq && member.from !== undefined) expect(member.from === middle.id, reading.exchange.asked, `"from":"${middle.id}"`, member)
    }
  }),
  clause('json-done', '§3', 'done is true where the terminal event is at or before cursor, and status says how the job ended', async (context) => {
    const { last } = await context.log()
    const page = need((await context.pages()).at(-1), 'no JSON reading came')
    const [member] = page.members
    expect(member?.done === true && member.status === last.type, page.exchange.asked, `"status":"${last.type}","done":true`, member)
  }),
  clause('json-after', '§2', '?after=ID reads every later event, and no other', async (context) => {
    const { middle, rest } = await context.log()
    expectEvents(await firstPage(context, { after: String(middle.id) }), seqsOf(rest))
    const whole = await context.wholeJson()
    expectEvents(await firstPage(context, { after: '' }), seqsOf(whole.events))
  }),
  clause('json-last-event-id', '§2', 'The header Last-Event-ID is a cursor too, and wins over ?after', async (context) => {
    const { events, middle, rest } = await context.log()
    const header = { 'last-event-id': String(middle.id) }
    expectEvents(await firstPage(context, {}, header), seqsOf(rest))
    const other = events.find((event) => event !== middle)
    expectEvents(await firstPage(context, { after: String(other?.id) }, header), seqsOf(rest))
  }),
  clause('json-tail', '§2', '?after=tail reads only what comes next', async (context) => {
    const { last } = await context.log()
    const reading = await firstPage(context, { after: TAIL })
    expectEvents(reading, [])
    expect(reading.members[0]?.cursor === last.id, reading.exchange.asked, `"cursor":"${last.id}"`, reading.members[0])
  }),
  clause('json-nothing-new', '§3', 'Nothing new is still 200 with no events', async (context) => {
    const { job, last } = await context.log()
    await context.wholeJson()
    const exchange = await context.askJson([{ job, after: String(last.id) }])
    expect(readingIn(exchange)?.events.length === 0, exchange.asked, '200 with "events":[]', exchange.came)
  }),
  clause('json-foreign', '§1, §6', 'A cursor that is not of this log is answered from the oldest event, and not repeated as from', async (context) => {
    const whole = await context.wholeJson()
    const reading = await firstPage(context, { after: FOREIGN_CURSOR })
    expectEvents(reading, seqsOf(whole.events))
    expect(reading.members[0]?.from !== FOREIGN_CURSOR, reading.exchange.asked, 'as "from" the position before the events', reading.members[0])
  }),
  clause('json-malformed', '§2', 'A malformed cursor is answered with 400', async (context) => {
    const { job } = await context.log()
    await context.wholeJson()
    badRequest(await context.askJson([{ job, after: MALFORMED_CURSOR }]))
  }),
  clause('json-unknown', '§7', 'A job that the server does not know is answered with 404 and the code unknown-job', async (context) => {
    await context.wholeJson()
    refused(404, 'unknown-job')(await context.askJson([{ job: context.unknown }]))
  }),
  clause('json-limits', '§3', 'Without ?window an answer has at most 1,000 events, and says where there is more', async (context) => {
    await longLog(context)
    const { exchange, events, answer } = await context.wholeJson()
    expect(
      events.length <= MAX_EVENTS && answer.more === true,
      exchange.asked,
      'at most 1,000 events, with "more":true',
      `${events.length} events, "more":${answer.more}`
    )
  }),
  jsonWindow,
  clause('json-several', '§2, §7', 'Several jobs are read at once, each from its own cursor; one that cannot be read has its own error', async (context) => {
    await expectMux(context)
    const { job, middle, rest } = await context.log()
    const exchange = await context.askJson([{ job: context.unknown }, { job, after: String(middle.id) }])
    const reading = readingIn(exchange)
    expect(reading, exchange.asked, '200 with a member of "jobs" for each', exchange.came)
    expectEvents(reading, seqsOf(rest))
    const [unknown, known] = [context.unknown, job].map((id) => reading.members.find((member) => member.job === id))
    expect(known && unknown, exchange.asked, 'a member of "jobs" for each', reading.members)
    const { error } = unknown
    expect(
      isFields(error) && error.status === 404 && error.code === 'unknown-job',
      exchange.asked,
      'of the unknown job an "error" with 404 and unknown-job',
      unknown
    )
  }),
  clause('json-several-refused', '§2', 'No job, a job twice, more than mux, or another number of cursors: 400', async (context) => {
    const mux = await expectMux(context)
    const { job } = await context.log()
    const many = Array.from({ length: mux + 1 }, (_, index) => ({ job: `${index}` }))
    badRequest(await context.askJson([]))
    badRequest(await context.askJson([{ job }, { job }]))
    badRequest(await context.askJson([{ job }, { job: context.unknown }], { params: { after: '' } }))
    if (mux <= 500) badRequest(await context.askJson(many))
  }),
  clause('json-etag', '§3', 'A matching If-None-Match gets 304 only where there are no events', async (context) => {
    const { job } = await context.log()
    const { exchange } = await context.wholeJson()
    const etag = need(exchange.headers.get('etag'), 'the server sends no ETag')
    const again = await context.askJson([{ job }], { headers: { 'if-none-match': etag } })
    expect(again.status === 200, again.asked, '200 with the events', again.came)
  }),
  ...ndjsonClauses
]

/** Reads the finished job with other parameters or headers than `wholeJson`. */
async function firstPage(context: CheckContext, params: Record<string, string>, headers: Record<string, string> = {}): Promise<Reading> {
  const { job } = await context.log()
  await context.wholeJson()
  const exchange = await context.askJson([{ job }], { params, headers })
  const reading = readingIn(exchange)
  expect(reading, exchange.asked, '200 with "jobs" and "events"', exchange.came)
  return reading
}

async function expectMux(context: CheckContext): Promise<number> {
  await context.wholeJson()
  const mux = await context.mux()
  if (mux < 2) throw new LeftOut('a connection of this server carries one job')
  return mux
}

const isDense = (seqs: readonly unknown[]): boolean => seqs.every((seq, index) => index === 0 || seq === Number(seqs[index - 1]) + 1)
