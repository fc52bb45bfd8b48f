/** §§4 to 6: what an event stream and a WebSocket both have to do. */

import { messageOf } from '../../../errors.ts'
import { parseFrame } from '../../../protocol/parse.ts'
import { PROTOCOL, TAIL } from '../../../protocol/rules.ts'
import type { Asked } from '../../../protocol/urls.ts'
import { type Clause, clauseOf, expect, Finding, type Group, LeftOut, need } from '../clause.ts'
import type { Fields } from '../http.ts'
import { FOREIGN, seqsOf } from '../readings.ts'
import { controlsIn, eventsIn, type Transcript } from '../transcript.ts'
import type { World } from '../world.ts'
import { liveOf } from './live.ts'

export interface Streaming {
  group: Group & ('sse' | 'websocket')
  /** Of the clauses' ids. */
  prefix: string
  section: string
  whole(world: World): Promise<Transcript>
  /** Another one. */
  open(world: World, asks: readonly Asked[], params?: Record<string, string>): Promise<Transcript>
}

export function streamingClauses({ group, prefix, section, whole, open }: Streaming): readonly Clause[] {
  const clause = (id: string, ...rest: [where: string, says: string, check: Clause['check']]): Clause => clauseOf(group)(`${prefix}-${id}`, ...rest)

  /** Read from one place, until the last event or longer than is allowed. */
  async function readFrom(world: World, after: string): Promise<Transcript> {
    const { job, last } = await world.log()
    need((await whole(world)).frames().length, 'nothing came')
    const transcript = await open(world, [{ job, after }])
    await transcript.until(() => eventsIn(transcript, job).some(({ seq }) => seq === last.seq))
    transcript.close()
    return transcript
  }

  return [
    clause('hello', `${section}, §6`, 'hello comes first, unasked', async (world) => {
      const transcript = await whole(world)
      const [first] = transcript.frames()
      expect(first?.control === 'hello', transcript.asked, '"hello" as the first frame', transcript.came())
      parsed(first, transcript)
      expect(first.protocol === PROTOCOL, transcript.asked, `"protocol":${PROTOCOL}`, first)
    }),
    clause('subscribed', '§6', 'subscribed comes before the events, and says after which position they follow', async (world) => {
      const { job, middle } = await world.log()
      for (const transcript of [await whole(world), await readFrom(world, String(middle.id))]) {
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
    clause('events', `${section}, §1`, 'Every event of the log comes once, in the order of seq', async (world) => {
      const { job, events } = await world.log()
      const transcript = await whole(world)
      need(transcript.frames().length, 'nothing came')
      expectEvents(transcript, job, events)
    }),
    clause('after', '§2', '?after=ID reads every later event, and no other', async (world) => {
      const { job, middle, rest } = await world.log()
      expectEvents(await readFrom(world, String(middle.id)), job, rest)
    }),
    clause('foreign', '§1, §6', 'A cursor that is not of this log is answered from the oldest event, and not repeated in subscribed', async (world) => {
      const { job } = await world.log()
      const transcript = await readFrom(world, FOREIGN)
      expectEvents(transcript, job, eventsIn(await whole(world), job))
      expect(controlsIn(transcript, 'subscribed')[0]?.cursor !== FOREIGN, transcript.asked, 'the position before the events as "cursor"', transcript.came())
    }),
    clause('done', '§6', 'done comes after the terminal event, with its id as the cursor', async (world) => {
      const { job, last } = await world.log()
      const transcript = await whole(world)
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
    clause('several', `${section}, §7`, 'Several jobs are read at once, each from its own cursor; one that cannot be read has its own error', async (world) => {
      if ((await world.mux()) < 2) throw new LeftOut('a connection of this server carries one job')
      const { job, middle, rest } = await world.log()
      need((await whole(world)).frames().length, 'nothing came')
      const transcript = await open(world, [{ job: world.unknown }, { job, after: String(middle.id) }])
      await transcript.until(() => controlsIn(transcript, 'error').length > 0 && eventsIn(transcript, job).length >= rest.length)
      transcript.close()
      expectEvents(transcript, job, rest)
      const [error] = controlsIn(transcript, 'error', world.unknown)
      expect(
        error?.status === 404 && error.code === 'unknown-job',
        transcript.asked,
        'of the unknown job an "error" with 404 and unknown-job',
        transcript.came()
      )
      parsed(error, transcript)
    }),
    clause('live', `${section}, §8.2`, 'An event reaches an open reader when it is appended', async (world) => {
      const { appended, readers } = await liveOf(world)
      need(appended.length, 'nothing was appended')
      const transcript = await readers[group]
      const seqs = seqsOf(appended)
      const isThere = () => seqs.every((seq) => transcript.frames().some((frame) => frame.control === undefined && frame.seq === seq))
      expect(await transcript.until(isThere), transcript.asked, `the events appended meanwhile, with seq ${seqs}`, transcript.came())
    }),
    clause('heartbeat', `${section}, §6`, 'A quiet connection shows that it lives at least every heartbeatMs', async (world) => {
      need((await whole(world)).frames().length, 'nothing came')
      await expectHeartbeat(world, (asks) => open(world, asks))
    })
  ]
}

function expectEvents(transcript: Transcript, job: string, expected: readonly Fields[]): void {
  const came = eventsIn(transcript, job)
  if (String(seqsOf(came)) === String(seqsOf(expected))) return
  throw new Finding(
    transcript.asked,
    `the events with seq ${seqsOf(expected)}`,
    came.length > 0 ? `${seqsOf(came)}, and ${transcript.over() ?? 'it goes on'}` : transcript.came()
  )
}

function parsed(frame: Fields | undefined, { asked }: Transcript): void {
  try {
    parseFrame(frame)
  } catch (error) {
    throw new Finding(asked, `"${frame?.control}" as §6 has it`, messageOf(error))
  }
}

/** Longer heartbeats are not waited for. */
const MAX_HEARTBEAT_MS = 20_000

async function expectHeartbeat(world: World, open: (asks: readonly Asked[]) => Promise<Transcript>): Promise<void> {
  const heartbeatMs = await world.heartbeatMs()
  if (heartbeatMs > MAX_HEARTBEAT_MS) throw new LeftOut(`heartbeatMs is ${heartbeatMs}: longer than is waited here`)
  const transcript = await open([{ job: await world.stillRunning(), after: TAIL }])
  await transcript.until(() => controlsIn(transcript, 'subscribed').length > 0)
  const began = performance.now()
  // Half as long again for the way: a client waits for two and a half. One that comes with the opening says nothing of the next.
  const patienceMs = heartbeatMs * 1.5 + 1000
  const hasCome = await transcript.until(() => transcript.beats().some((at) => at >= began + heartbeatMs / 2), patienceMs)
  const silenceMs = longestPause([began, ...transcript.times().filter((at) => at > began), performance.now()])
  const over = transcript.over()
  transcript.close()
  if (hasCome) return
  if (over !== undefined) throw new LeftOut(`the running job's reading ended meanwhile: ${over}`)
  expect(silenceMs < heartbeatMs * 1.5, transcript.asked, `something every ${heartbeatMs} ms`, `${Math.round(silenceMs)} ms of silence`)
  throw new LeftOut('the running job was not quiet for long enough')
}

const longestPause = (times: readonly number[]): number => Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)))
