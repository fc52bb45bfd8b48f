/** What the record of one reading says: does it get through, is it held back, is it cut, is it refused? Pure. */

import { isFields, parse } from '../check/http.ts'
import { controlsOf, type Head, type Observation, type ReadingName, seqsOf, type Watch } from './observation.ts'

export type Outcome = 'passes' | 'held back' | 'cut' | 'refused' | 'not offered'
/** What a finding is about; `advice.ts` says for each what to change. */
export type FindingId =
  | 'upgrade'
  | 'host'
  | 'unreachable'
  | 'redirected'
  | 'refused'
  | 'held-back'
  | 'cut'
  | 'compressed'
  | 'cached'
  | 'http-version'
  | 'headers'

export interface Verdict {
  reading: ReadingName
  outcome: Outcome
  /** `undefined` where there is nothing to change. */
  id: FindingId | undefined
  /** What was seen, in words. */
  seen: string
}

/** What comes later than this, in ms, was held back. Single reads show what the server had, to half a second. */
const LATE_MS = 1500

export const inWords = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

export function judge(observation: Observation, watch: Watch): Verdict {
  const { reading, head, end, startedAt } = observation
  const verdict = (outcome: Outcome, id: FindingId | undefined, seen: string): Verdict => ({ reading, outcome, id, seen })
  if (!head && !end) return verdict('held back', 'held-back', `no answer within ${inWords(watch.endedAt - startedAt)}, not even its head`)
  if (!head) return verdict('refused', 'unreachable', `no answer: ${end?.what}`)
  const { status, headers } = head
  if (status >= 300 && status < 400 && status !== 304) return verdict('refused', 'redirected', `${status} to ${headers.location ?? 'nowhere'}`)
  if (reading === 'websocket' && !observation.opened) return refusedHandshake(observation, head, watch)
  if (reading === 'long-poll') return judgeLongPoll(observation, head, watch)
  if (reading === 'sse' && status === 204) return verdict('passes', undefined, '204: the job had ended')
  if (reading !== 'websocket' && status !== 200) return verdict('refused', 'refused', answerOf(observation, head))
  if (reading === 'short-poll') return judgeSingleRead(observation, head)
  const type = { sse: 'text/event-stream', ndjson: 'application/x-ndjson', websocket: '' }[reading]
  const isOther = !(headers['content-type'] ?? '').toLowerCase().startsWith(type)
  if (controlsOf(observation, 'end').length > 0 || (isOther && isJson(observation))) return verdict('not offered', undefined, 'the server does not offer it')
  if (isOther) return verdict('refused', 'refused', answerOf(observation, head))
  return judgeStream(observation, head, watch)
}

function refusedHandshake({ reading, end }: Observation, head: Head, { originRefused }: Watch): Verdict {
  const seen = end?.what ?? `an answer with ${head.status}`
  if (originRefused)
    return {
      reading,
      outcome: 'refused',
      id: 'host',
      seen: `${seen} to a page of this origin, and 101 without an Origin: the server sees itself at another host`
    }
  return { reading, outcome: 'refused', id: isServers(head) ? 'refused' : 'upgrade', seen }
}

function judgeStream(observation: Observation, head: Head, watch: Watch): Verdict {
  const { reading, frames, end, startedAt, bytesAt } = observation
  const [first] = frames
  const over = end?.at ?? watch.endedAt
  const isPlanned = ['bye', 'done'].some((name) => controlsOf(observation, name).length > 0)
  if (end && watch.isRunning && !isPlanned) {
    const seen = `${end.what} after ${inWords(over - startedAt)}, ${inWords(over - (bytesAt.at(-1) ?? head.at))} after its last byte; the job goes on`
    return { reading, outcome: 'cut', id: 'cut', seen }
  }
  const late = first ? lateness(observation, head, first.at, watch) : `the head came, and nothing of the body within ${inWords(over - head.at)}`
  if (late !== undefined) return { reading, outcome: 'held back', id: 'held-back', seen: late }
  const events = seqsOf(observation).length
  const after = inWords((first?.at ?? over) - startedAt)
  return { reading, outcome: 'passes', id: undefined, seen: `first frame after ${after}, then ${events} ${events === 1 ? 'event' : 'events'}` }
}

/** What was late, in words. */
function lateness(observation: Observation, head: Head, firstAt: number, { known, heartbeatMs, endedAt }: Watch): string | undefined {
  const { end, bytesAt, frames } = observation
  if (firstAt - head.at > LATE_MS) return `"hello" came ${inWords(firstAt - head.at)} after the head of the answer`
  const over = end?.at ?? endedAt
  for (const [seq, at] of known) {
    const came = frames.find(({ frame }) => frame.control === undefined && frame.seq === seq)?.at
    if ((came ?? over) - at > LATE_MS)
      return `event ${seq} ${came === undefined ? 'had not come' : 'came'} ${inWords((came ?? over) - at)} after a single read had it`
  }
  const times = [head.at, ...bytesAt, over]
  const gapMs = Math.max(...times.slice(1).map((at, index) => at - (times[index] ?? at)))
  return gapMs > 1.5 * heartbeatMs + 1000 ? `nothing came for ${inWords(gapMs)}; the server says something each ${inWords(heartbeatMs)}` : undefined
}

function judgeLongPoll(observation: Observation, head: Head, { known, endedAt }: Watch): Verdict {
  const { reading, end, startedAt, waitMs = 0, frames } = observation
  const tookMs = (end?.at ?? endedAt) - startedAt
  const asked = `asked to wait for ${inWords(waitMs)}`
  if (head.status !== 200 || (end && !isJson(observation)))
    return {
      reading,
      outcome: tookMs > 500 ? 'cut' : 'refused',
      id: tookMs > 500 ? 'cut' : 'refused',
      seen: `${asked}: ${answerOf(observation, head)} after ${inWords(tookMs)}`
    }
  const lateMs = Math.max(0, ...frames.map(({ frame, at }) => at - (known.get(Number(frame.seq)) ?? at)))
  if (lateMs > LATE_MS)
    return { reading, outcome: 'held back', id: 'held-back', seen: `${asked}: the answer came ${inWords(lateMs)} after a single read had its event` }
  return { reading, outcome: 'passes', id: undefined, seen: `${asked}, answered after ${inWords(tookMs)}` }
}

function judgeSingleRead(observation: Observation, head: Head): Verdict {
  const { reading, startedAt, end } = observation
  if (!isJson(observation)) return { reading, outcome: 'refused', id: 'refused', seen: answerOf(observation, head) }
  return { reading, outcome: 'passes', id: undefined, seen: `answered after ${inWords((end?.at ?? head.at) - startedAt)}` }
}

/** Whether an answer is the server's own refusal. */
export const isServers = ({ headers }: Head): boolean => /^application\/problem\+json\b/i.test(headers['content-type'] ?? '')

const isJson = ({ text, head }: Observation): boolean =>
  /^application\/json\b/i.test(head?.headers['content-type'] ?? '') && (isFields(parse(text)) || text.length > 1000)

const answerOf = ({ text }: Observation, { status, headers }: Head): string =>
  [
    status,
    headers['content-type'],
    text
      .replace(/<[^>]*>|\s+/g, ' ')
      .trim()
      .slice(0, 80)
  ]
    .filter(Boolean)
    .join(' ')
