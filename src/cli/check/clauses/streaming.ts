/** §§3 to 6: clauses that hold for every stream: of events, of lines, of a WebSocket's messages. */

import { messageOf } from '../../../errors.ts'
import { parseFrame } from '../../../protocol/parse.ts'
import { PROTOCOL, TAIL } from '../../../protocol/rules.ts'
import type { Asked } from '../../../protocol/urls.ts'
import { type Clause, clauseOf, type Group } from '../clause.ts'
import type { CheckContext } from '../context.ts'
import { expect, Finding, LeftOut, need } from '../finding.ts'
import type { Fields } from '../http.ts'
import { FOREIGN_CURSOR, seqsOf } from '../readings.ts'
import { controlsIn, eventsIn, type Transcript } from '../transcript.ts'
import { liveOf } from './live.ts'

export interface Streaming {
  group: Group & ('sse' | 'websocket' | 'ndjson')
  /** The prefix of the clauses' ids. */
  prefix: string
  section: string
  whole(context: CheckContext): Promise<Transcript>
  /** Opens another reading. */
  open(context: CheckContext, asks: readonly Asked[], params?: Record<string, string>): Promise<Transcript>
}

export function streamingClauses({ group, prefix, section, whole, open }: Streaming): readonly Clause[] {
  const clause = (id: string, ...rest: [where: string, says: string, check: Clause['check']]): Clause => clauseOf(group)(`${prefix}-${id}`, ...rest)

  /** Reads the finished job from a cursor, until the last expected event has come or the time is over. */
  async function readFrom(context: CheckContext, after: string): Promise<Transcript> {
    const { job, last } = await context.log()
    need((await whole(context)).frames().length, 'nothing came')
    const transcript = await open(context, [{ job, after }])
    await transcript.until(() => eventsIn(transcript, job).some(({ seq }) => seq === last.seq))
    transcript.close()
    return transcript
  }

  return [
    clause('hello', `${section}, §6`, 'hello comes first, unasked', async (context) => {
      const transcript = await whole(context)
      const [first] = transcript.frames()
      expect(first?.control === 'hello', transcript.asked, '"hello" as the first frame', transcript.came())
      parsed(first, transcript)
      expect(first.protocol === PROTOCOL, transcript.asked, `"protocol":${PROTOCOL}`, first)
    }),
    clause('subscribed', '§6', 'subscribed comes before the events, and tells the position that they follow', async (context) => {
      const { job, middle } = await context.log()
      for (const transcript of [await whole(context), await readFrom(context, String(middle.id))]) {
        const frames = transcript.frames()
        const firstEvent = need(frames.findIndex((frame) => frame.control === undefined) + 1, 'no event came') - 1
        const found = frames.slice(0, firstEvent).find((frame) => frame.control === 'subscribed')
        expect(found, transcript.asked, '"subscribed" before the first event', transcript.came())
        parsed(found, transcript)
        const seq = Number(frames[firstEvent]?.seq) - 1
        expect(found.job === job && found.seq === seq, transcript.asked, `"seq":${seq}, before the event with seq ${seq + 1}`, found)
        if (seq === middle.seq) expect(found.cursor === middle.id, transcript.asked, `"cursor":"${middle.id}"`, found)
      }
    }),
    clause('events', `${section}, §1`, 'Every event of the log comes once, in the order of seq', async (context) => {
      const { job, events } = await context.log()
      const transcript = await whole(context)
      need(transcript.frames().length, 'nothing came')
      expectEvents(transcript, job, events)
    }),
    clause('after', '§2', '?after=ID reads every later event, and no other', async (context) => {
      const { job, middle, rest } = await context.log()
      expectEvents(await readFrom(context, String(middle.id)), job, rest)
    }),
    clause('foreign', '§1, §6', 'A cursor that is not of this log is answered from the oldest event, and not repeated in subscribed', async (context) => {
      const { job } = await context.log()
      const transcript = await readFrom(context, FOREIGN_CURSOR)
      expectEvents(transcript, job, eventsIn(await whole(context), job))
      expect(
        controlsIn(transcript, 'subscribed')[0]?.cursor !== FOREIGN_CURSOR,
        transcript.asked,
        'the position before the events as "cursor"',
        transcript.came()
      )
    }),
    clause('done', '§6', 'done comes after the terminal event, with its id as the cursor', async (context) => {
      const { job, last } = await context.log()
      const transcript = await whole(context)
      const frames = need(eventsIn(transcript, job).length > 0 && transcript.frames(), 'no event came')
      const dones = controlsIn(transcript, 'done', job)
      const lastEvent = frames.findLastIndex((frame) => frame.control === undefined)
      const isLast = lastEvent < frames.findIndex(({ control }) => control === 'done')
      expect(
        dones.length === 1 && isLast && dones[0]?.cursor === last.id,
        transcript.asked,
        `one "done" after the events, with "cursor":"${last.id}"`,
        dones.length > 0 ? dones : transcript.came()
      )
    }),
    clause(
      'several',
      `${section}, §7`,
      'Several jobs are read at once, each from its own cursor; one that cannot be read has its own error',
      async (context) => {
        if ((await context.mux()) < 2) throw new LeftOut('a connection of this server carries one job')
        const { job, middle, rest } = await context.log()
        need((await whole(context)).frames().length, 'nothing came')
        const transcript = await open(context, [{ job: context.unknown }, { job, after: String(middle.id) }])
        await transcript.until(() => controlsIn(transcript, 'error').length > 0 && eventsIn(transcript, job).length >= rest.length)
        transcript.close()
        expectEvents(transcript, job, rest)
        const [error] = controlsIn(transcript, 'error', context.unknown)
        expect(
          error?.status === 404 && error.code === 'unknown-job',
          transcript.asked,
          'of the unknown job an "error" with 404 and unknown-job',
          transcript.came()
        )
        parsed(error, transcript)
      }
    ),
    clause('live', `${section}, §8.2`, 'An event reaches an open reader when it is appended', async (context) => {
      const { appended, readers } = await liveOf(context)
      need(appended.length, 'nothing was appended')
      const transcript = await readers[group]
      if (controlsIn(transcript, 'end').length > 0) throw new LeftOut('a single read came, no stream')
      const seqs = seqsOf(appended)
      const isThere = () => seqs.every((seq) => transcript.frames().some((frame) => frame.control === undefined && frame.seq === seq))
      expect(await transcript.until(isThere), transcript.asked, `the events appended meanwhile, with seq ${seqs}`, transcript.came())
    }),
    clause('heartbeat', `${section}, §6`, 'A quiet connection sends something at least every heartbeatMs', async (context) => {
      need((await whole(context)).frames().length, 'nothing came')
      await expectHeartbeat(context, (asks) => open(context, asks))
    })
  ]
}

function expectEvents(transcript: Transcript, job: string, expected: readonly Fields[]): void {
  const came = eventsIn(transcript, job)
  if (String(seqsOf(came)) === String(seqsOf(expected))) return
  throw new Finding(
    transcript.asked,
    `the events with seq ${seqsOf(expected)}`,
    came.length > 0 ? `${seqsOf(came)}, and ${transcript.ended() ?? 'it goes on'}` : transcript.came()
  )
}

function parsed(frame: Fields | undefined, { asked }: Transcript): void {
  try {
    parseFrame(frame)
  } catch (error) {
    throw new Finding(asked, `"${frame?.control}" as §6 has it`, messageOf(error))
  }
}

/** The longest heartbeat that a check waits for. */
const MAX_HEARTBEAT_MS = 20_000

async function expectHeartbeat(context: CheckContext, open: (asks: readonly Asked[]) => Promise<Transcript>): Promise<void> {
  const heartbeatMs = await context.heartbeatMs()
  if (heartbeatMs > MAX_HEARTBEAT_MS) throw new LeftOut(`heartbeatMs is ${heartbeatMs}: a check waits for at most ${MAX_HEARTBEAT_MS}`)
  const transcript = await open([{ job: await context.stillRunning(), after: TAIL }])
  await transcript.until(() => controlsIn(transcript, 'subscribed').length > 0)
  const began = performance.now()
  // Half a heartbeat is allowed for delays; clients wait for two and a half. A heartbeat right after the opening isn't the one to wait for.
  const patienceMs = heartbeatMs * 1.5 + 1000
  const hasCome = await transcript.until(() => transcript.heartbeatTimes().some((at) => at >= began + heartbeatMs / 2), patienceMs)
  const silenceMs = longestPause([began, ...transcript.times().filter((at) => at > began), performance.now()])
  const over = transcript.ended()
  transcript.close()
  if (hasCome) return
  if (over !== undefined) throw new LeftOut(`the running job's reading ended meanwhile: ${over}`)
  expect(silenceMs < heartbeatMs * 1.5, transcript.asked, `something every ${heartbeatMs} ms`, `${Math.round(silenceMs)} ms of silence`)
  throw new LeftOut('the running job was not quiet for long enough')
}

const longestPause = (times: readonly number[]): number => Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)))
