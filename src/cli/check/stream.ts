/** Reads a stream without judging it, of events or of lines: records every message and comment as it came. */

import { createParser } from 'eventsource-parser'
import { LeftOut } from './finding.ts'
import { type CheckTarget, describeRequest, type Fields, isFields, parse, type RequestOptions, sendRequest } from './http.ts'
import type { Transcript } from './transcript.ts'
import { createWatch } from './watch.ts'

/** One message of the stream, or a comment. */
export interface Item {
  comment?: string
  id?: string | undefined
  event?: string | undefined
  data?: unknown
}

export interface Stream extends Transcript {
  status: number
  headers: Headers
  items: readonly Item[]
  /** The body of an answer that is no stream; of a stream of lines, those that aren't JSON. */
  text: string
}

export async function openStream(target: CheckTarget, question: RequestOptions): Promise<Stream> {
  const life = new AbortController()
  const asked: RequestOptions = { ...question, headers: { accept: 'text/event-stream', ...question.headers } }
  const head = setTimeout(() => life.abort(new DOMException('no answer', 'TimeoutError')), target.limitMs)
  const response = await sendRequest(target, asked, AbortSignal.any([target.signal, life.signal])).finally(() => clearTimeout(head))
  const watch = createWatch()
  const items: Item[] = []
  const times: number[] = []
  const beats: number[] = []
  let text = ''
  let over: string | undefined

  const parser = createParser({
    onEvent: ({ id, event, data }) => items.push({ id, event, data: parse(data) }),
    onComment(comment) {
      items.push({ comment })
      beats.push(performance.now())
    }
  })

  let line = ''
  function feedLines(part: string): void {
    const lines = (line + part).split('\n')
    line = lines.pop() ?? ''
    for (const each of lines.filter((text) => text.trim())) {
      const data = parse(each)
      if (!isFields(data)) text += each
      items.push({ data })
      if (isFields(data) && data.control === 'heartbeat') beats.push(performance.now())
    }
  }

  async function record(): Promise<void> {
    const decoder = new TextDecoder()
    const type = response.headers.get('content-type') ?? ''
    const feed = /^text\/event-stream/i.test(type) ? parser.feed : /^application\/x-ndjson/i.test(type) ? feedLines : undefined
    try {
      for await (const chunk of response.body ?? []) {
        times.push(performance.now())
        const part = decoder.decode(chunk, { stream: true })
        if (feed) feed(part)
        else if (text.length < 10_000) text += part
        watch.changed()
      }
      over = 'the body ended'
    } catch {
      over ??= 'the connection broke'
    }
    watch.end()
  }
  void record()

  const frames = (): Fields[] => items.map(({ data }) => data).filter(isFields)
  return {
    asked: describeRequest(asked),
    status: response.status,
    headers: response.headers,
    items,
    get text() {
      return text
    },
    frames,
    ended: () => over,
    came: () => [response.status, response.headers.get('content-type'), text || JSON.stringify(frames()), over ?? 'and the body goes on'].join(' '),
    heartbeatTimes: () => beats,
    times: () => times,
    until: (holds, limitMs = target.limitMs) => watch.until(holds, limitMs),
    close() {
      over ??= 'closed'
      life.abort()
    }
  }
}

/** Returns the stream. Throws `LeftOut` where the server has answered with something else. */
const requireType =
  (type: RegExp, reason: string) =>
  (stream: Stream): Stream => {
    if (stream.status === 200 && type.test(stream.headers.get('content-type') ?? '')) return stream
    stream.close()
    throw new LeftOut(reason)
  }

export const requireEventStream: (stream: Stream) => Stream = requireType(/^text\/event-stream/i, 'no event stream came')
export const requireLines: (stream: Stream) => Stream = requireType(/^application\/x-ndjson\b/i, 'no NDJSON came')
