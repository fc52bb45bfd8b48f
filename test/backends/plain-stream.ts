/** A backend for a plain event stream: ids of any characters, no heartbeat, no snapshot, and `[DONE]` as its end. */

import { createParser, type EventSourceMessage } from 'eventsource-parser'
import { TransportError } from '../../src/errors.ts'
import { isControl, type WireEvent } from '../../src/protocol/frames.ts'
import { fetchReading } from '../../src/transports/http.ts'
import type { Backend, Batch, OpenRequest } from '../../src/types.ts'

/** The cursor before the first event. It isn't an id of the server. */
const START = ' start'

export const plainStream: Backend = {
  transports: [{ name: 'stream', isSupported: () => true, open: (request) => ({ frames: read(request) }) }]
}

async function* read(request: OpenRequest): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const { job, after, epoch = 'stream', seq = 0 } = asked
  const url = new URL(encodeURIComponent(job), `${request.base.href}/`)
  const cursor = after === START ? undefined : after
  const answer = await fetchReading(request, { url, accept: 'text/event-stream', after: cursor && encodeURIComponent(cursor), isFresh: request.isFresh })
  if (isControl(answer)) return yield [answer]
  // No `heartbeatMs`: this server sends no heartbeats.
  yield [
    { control: 'hello', protocol: 1 },
    { control: 'subscribed', job, epoch, seq, cursor: after ?? START, status: 'running' }
  ]
  let number = seq
  let last = after ?? START
  let events: WireEvent[] = []
  const eventOf = ({ id = last, event = 'output', data }: EventSourceMessage): WireEvent => {
    last = id
    number += 1
    const isEnd = data === '[DONE]'
    return { id, seq: number, job, type: isEnd ? 'succeeded' : event, time: new Date().toISOString(), data: isEnd ? null : JSON.parse(data) }
  }
  const parser = createParser({ onEvent: (message) => void events.push(eventOf(message)) })
  for await (const chunk of answer.chunks) {
    events = []
    parser.feed(chunk)
    yield events
  }
  throw new TransportError('cut', 'the stream ended before its [DONE]')
}
