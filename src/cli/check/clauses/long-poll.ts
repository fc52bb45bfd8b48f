/** §3: long poll, a JSON reading that is held until there is an event. */

import { TAIL } from '../../../protocol/rules.ts'
import { type Clause, clauseOf } from '../clause.ts'
import type { CheckContext } from '../context.ts'
import { expect, LeftOut, need } from '../finding.ts'
import { type Exchange, isRefusal } from '../http.ts'
import { readingIn, seqsOf } from '../readings.ts'
import { HELD_S, liveOf } from './live.ts'

const clause = clauseOf('long-poll')

const WAIT_S = 1
/** Longer than the check waits for an answer: a server that holds it fails the clause. */
const LONG_S = 55
/** An answer that took at least this long was held. */
const HELD_MS = 500

export const longPollClauses: readonly Clause[] = [
  clause('wait-holds', '§3', 'With ?wait=S the answer is held for S seconds where there is no event, and is then 200 with none', (context) =>
    expectHeld(context, () => waitAtTail(context, { params: { wait: String(WAIT_S) } }))
  ),
  clause('wait-prefer', '§3', 'With Prefer: wait=S the answer is held too', async (context) => {
    const plain = await waitAtTail(context, { params: { wait: String(WAIT_S) } })
    if (plain.afterMs < HELD_MS) throw new LeftOut('the server ignores ?wait')
    const preferred = await waitAtTail(context, { headers: { prefer: `wait=${WAIT_S}` } })
    if (hasNews(preferred)) throw new LeftOut('the running job was not quiet for long enough')
    expect(preferred.afterMs >= HELD_MS, preferred.asked, `an answer after ${WAIT_S} s`, `one after ${Math.round(preferred.afterMs)} ms`)
  }),
  clause('wait-event', '§3', 'A held answer is sent as soon as there is an event', async (context) => {
    const { held, appended } = await liveOf(context)
    need(appended.length, 'nothing was appended')
    const answer = await held
    const events = readingIn(answer)?.events ?? []
    if (events.length === 0 && answer.afterMs < HELD_MS) throw new LeftOut('the server does not wait: it answers at once')
    expect(events[0]?.seq === appended[0]?.seq, answer.asked, `the event with seq ${seqsOf(appended)[0]}`, answer.came)
    expect(answer.afterMs < HELD_S * 1000 - 500, answer.asked, 'an answer as soon as it was appended', `one after ${Math.round(answer.afterMs)} ms`)
  }),
  clause('wait-done', '§3, §8.6', 'Where the job has ended, the answer is not held', async (context) => {
    const { job, last } = await context.log()
    await context.wholeJson()
    const exchange = await context.askJson([{ job, after: String(last.id) }], { params: { wait: String(LONG_S) } })
    expect(readingIn(exchange), exchange.asked, '200 at once', exchange.came)
  }),
  clause('wait-unknown', '§3', 'Where the job has an error, the answer is not held', async (context) => {
    await context.wholeJson()
    const exchange = await context.askJson([{ job: context.unknown }], { params: { wait: String(LONG_S) } })
    expect(isRefusal(exchange, 404, 'unknown-job'), exchange.asked, '404 at once', exchange.came)
  })
]

async function waitAtTail(context: CheckContext, how: { params?: Record<string, string>; headers?: Record<string, string> }): Promise<Exchange> {
  const job = await context.stillRunning()
  await context.wholeJson()
  return context.askJson([{ job, after: TAIL }], { ...how, limitMs: WAIT_S * 1000 + context.target.limitMs })
}

async function expectHeld(context: CheckContext, wait: () => Promise<Exchange>): Promise<void> {
  const exchange = await wait()
  expect(readingIn(exchange), exchange.asked, `200 with "events":[] after ${WAIT_S} s`, exchange.came)
  if (hasNews(exchange)) throw new LeftOut('the running job was not quiet for long enough')
  if (exchange.afterMs >= HELD_MS) return
  if (!context.required.has('long-poll')) throw new LeftOut('the server does not wait: it answers at once')
  expect(false, exchange.asked, `an answer after ${WAIT_S} s`, `one after ${Math.round(exchange.afterMs)} ms`)
}

const hasNews = (exchange: Exchange): boolean => (readingIn(exchange)?.events.length ?? 0) > 0
