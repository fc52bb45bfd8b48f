/** §§2 and 7: snapshot, start, cancel, and the headers of every answer. */

import { messageOf } from '../../../errors.ts'
import { parseSnapshot } from '../../../protocol/parse.ts'
import { isTerminal } from '../../../protocol/rules.ts'
import { resourceUrl } from '../../../protocol/urls.ts'
import { type Clause, clauseOf } from '../clause.ts'
import { type CheckContext, snapshotOf } from '../context.ts'
import { attempt, expect, Finding, LeftOut, need } from '../finding.ts'
import { type Exchange, type Fields, isFields, isRefusal } from '../http.ts'
import { cancel, start, startedBy } from '../jobs.ts'
import { isNotOffered } from '../readings.ts'
import { liveOf } from './live.ts'

const clause = clauseOf('resources')

const VARY = ['accept', 'origin', 'authorization', 'cookie', 'last-event-id', 'prefer']

export const resourceClauses: readonly Clause[] = [
  clause('caches', '§2', 'Every answer has headers against caches: Cache-Control: private, no-store, and Vary', async (context) => {
    for (const { asked, headers } of await someAnswers(context)) {
      const control = headers.get('cache-control') ?? 'none'
      expect(/\bprivate\b/i.test(control) && /\bno-store\b/i.test(control), asked, 'Cache-Control: private, no-store', control)
      const vary = (headers.get('vary') ?? '').toLowerCase().split(/\s*,\s*/)
      const missing = vary.includes('*') ? [] : VARY.filter((name) => !vary.includes(name))
      expect(missing.length === 0, asked, `Vary: ${VARY.join(', ')}`, headers.get('vary') ?? 'none')
    }
  }),
  clause('problem', '§7', "An error has a body of application/problem+json, whose status is the answer's own", async (context) => {
    const refused = await Promise.all([snapshotOf(context, context.unknown), attempt(() => context.askJson([{ job: context.unknown }]))])
    const speaking = refused.filter((exchange) => exchange !== undefined && isFields(exchange.json) && 'code' in exchange.json)
    for (const exchange of need(speaking.length > 0 && speaking, 'no error came that speaks for a job') as Exchange[]) {
      const { status, title } = isFields(exchange.json) ? exchange.json : ({} as Fields) // as: an object without fields
      const isProblem = /^application\/problem\+json\b/i.test(exchange.headers.get('content-type') ?? '')
      expect(
        isProblem && status === exchange.status && typeof title === 'string',
        exchange.asked,
        `application/problem+json with "title" and "status":${exchange.status}`,
        exchange.came
      )
    }
  }),
  clause('snapshot', '§2', 'GET {base}/{id} is answered with the snapshot', async (context) => {
    const exchange = await snapshotOf(context, need(context.jobs.finished, context.jobs.why ?? ''))
    if (isNotOffered(exchange)) throw new LeftOut('the server offers no snapshot')
    expect(exchange.status === 200, exchange.asked, '200', exchange.came)
    try {
      parseSnapshot(exchange.text)
    } catch (error) {
      throw new Finding(exchange.asked, 'a snapshot as §2 has it', messageOf(error))
    }
  }),
  clause('snapshot-agrees', '§2', 'The snapshot agrees with the log: status, seq, cursor, and the result', async (context) => {
    const { job, last } = await context.log()
    const { asked, json } = await snapshotOf(context, job)
    const snapshot = need(isFields(json) && json, 'no snapshot came')
    expect(snapshot.id === job, asked, `"id":"${job}"`, snapshot)
    expect(snapshot.status === last.type, asked, `"status":"${last.type}"`, snapshot)
    expect(snapshot.seq === last.seq && snapshot.cursor === last.id, asked, `"seq":${last.seq},"cursor":"${last.id}"`, snapshot)
    if (last.type === 'succeeded' && last.data !== null)
      expect(JSON.stringify(snapshot.result) === JSON.stringify(last.data), asked, `"result":${JSON.stringify(last.data)}`, snapshot)
  }),
  clause('snapshot-unknown', '§7', 'A job that the server does not know: 404 with the code unknown-job', async (context) => {
    const known = await snapshotOf(context, need(context.jobs.finished, context.jobs.why ?? ''))
    need(known.status === 200, 'the server offers no snapshot')
    refused(await snapshotOf(context, context.unknown))
  }),
  clause('job-ids', '§1', 'An id is percent-encoded in a URL, and may contain "/", "?", "%" and spaces', async (context) => {
    const known = await snapshotOf(context, need(context.jobs.finished, context.jobs.why ?? ''))
    need(known.status === 200 && isRefusal(await snapshotOf(context, context.unknown), 404, 'unknown-job'), 'no snapshot is refused as unknown')
    for (const id of ['jobtail check', 'jobtail/check', 'jobtail?check=1', '100%', 'jøbtail']) refused(await snapshotOf(context, id))
  }),
  clause('start', '§2', 'POST {base} is answered with 202 and the snapshot, or with 405 where no job can be started', async (context) => {
    const { exchange } = starting(context)
    if (exchange.status === 405) return
    if ([400, 401, 403, 422].includes(exchange.status)) throw new LeftOut(`POST was refused with ${exchange.status}: give the input of a job with --input`)
    expect(exchange.status === 202, exchange.asked, '202, or 405', exchange.came)
    try {
      parseSnapshot(exchange.text)
    } catch (error) {
      throw new Finding(exchange.asked, 'the snapshot', messageOf(error))
    }
  }),
  clause('start-location', '§2', 'The answer has Location: {base}/{id}', async (context) => {
    const { exchange } = starting(context)
    const id = need(startedBy(exchange), 'no job was started')
    const location = exchange.headers.get('location')
    const expected = resourceUrl(context.target.base, id).pathname
    const pathname = URL.canParse(location ?? '', context.target.base) ? new URL(location ?? '', context.target.base).pathname : undefined
    expect(location !== null && pathname === expected, exchange.asked, `Location: ${expected}`, location ?? 'none')
  }),
  clause('start-again', '§2', 'A repeat with the same Idempotency-Key starts nothing, and is answered as the first request was', async (context) => {
    const { exchange, key, input } = starting(context)
    const id = need(startedBy(exchange), 'no job was started')
    const again = await startOnce(context, key, input)
    expect(startedBy(again) === id && again.status === exchange.status, again.asked, `${exchange.status} with "id":"${id}"`, again.came)
  }),
  clause('start-other', '§2', 'The same Idempotency-Key with another body: 422', async (context) => {
    const { exchange, key, input } = starting(context)
    need(startedBy(exchange), 'no job was started')
    const other = await startOnce(context, key, `[${input}]`)
    expect(isRefusal(other, 422, 'bad-request'), other.asked, '422 with the code bad-request', other.came)
  }),
  clause('cancel', '§2', 'POST {base}/{id}/cancel is answered with 202, and appends cancelling', async (context) => {
    const { cancels, appended, job, after } = await liveOf(context)
    const exchange = need(cancels[0], 'no job may be cancelled: name one with --cancellable')
    if (isNotOffered(exchange)) throw new LeftOut('the server cancels no jobs')
    expect(exchange.status === 202, exchange.asked, '202', exchange.came)
    const { events, exchange: look } = await context.read([{ job, after }])
    const types = [...appended, ...events].map(({ type }) => String(type))
    expect(types.includes('cancelling') || types.some(isTerminal), look.asked, 'an event cancelling', look.came)
  }),
  clause('cancel-again', '§2', 'cancel is idempotent: a repeat is answered with 2xx and appends nothing', async (context) => {
    const { cancels, job, after } = await liveOf(context)
    const [first, second] = cancels
    if (!first || !second || first.status >= 300) throw new LeftOut('no job was cancelled')
    expect(second.status >= 200 && second.status < 300, second.asked, '2xx once more', second.came)
    const { events, exchange } = await context.read([{ job, after }])
    expect(events.filter(({ type }) => type === 'cancelling').length <= 1, exchange.asked, 'one event cancelling', exchange.came)
  }),
  clause('cancel-ended', '§1, §2', 'A cancel of a job that has ended is answered with 2xx, and appends nothing after the terminal event', async (context) => {
    const { cancels } = await liveOf(context)
    if (!cancels[0] || cancels[0].status >= 300) throw new LeftOut('no job was cancelled')
    const { job, last } = await context.log()
    const exchange = await cancel(context.target, job)
    expect(exchange.status >= 200 && exchange.status < 300, exchange.asked, '2xx', exchange.came)
    const look = await context.read([{ job, after: String(last.id) }])
    expect(look.events.length === 0, look.exchange.asked, 'no event after the terminal one', look.events)
  }),
  clause('cancel-unknown', '§7', 'A cancel of a job that the server does not know: 404 with the code unknown-job', async (context) => {
    const { cancels } = await liveOf(context)
    if (!cancels[0] || cancels[0].status >= 300) throw new LeftOut('no job was cancelled')
    refused(await cancel(context.target, context.unknown))
  })
]

function refused(exchange: Exchange): void {
  expect(isRefusal(exchange, 404, 'unknown-job'), exchange.asked, '404 with the code unknown-job', exchange.came)
}

function starting({ jobs }: CheckContext): NonNullable<CheckContext['jobs']['start']> {
  if (!jobs.start) throw new LeftOut('only named jobs are looked at: nothing was started')
  return jobs.start
}

/** Starts a job, and records it so that it is cancelled at the end even where a faulty server started a second one. */
async function startOnce(context: CheckContext, key: string, input: string): Promise<Exchange> {
  const exchange = await start(context.target, key, input)
  const id = startedBy(exchange)
  if (id !== undefined) context.jobs.started.add(id)
  return exchange
}

/** One answer of each kind that the server offers. */
async function someAnswers(context: CheckContext): Promise<{ asked: string; headers: Headers }[]> {
  const job = need(context.jobs.finished, context.jobs.why ?? '')
  const found = await Promise.all([
    attempt(() => snapshotOf(context, job)),
    attempt(() => snapshotOf(context, context.unknown)),
    attempt(() => context.askJson([{ job }])),
    attempt(() => context.wholeStream())
  ])
  return found.filter((each) => each !== undefined)
}
