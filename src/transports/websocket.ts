/** WebSocket (PROTOCOL.md §5). */

import { createQueue, type Queue } from '../async/queue.ts'
import { TransportError } from '../errors.ts'
import { type Frame, isControl, type Operation } from '../protocol/frames.ts'
import { parseText } from '../protocol/parse.ts'
import { BEARER_PREFIX, MAX_LIST_CHARS, SUBPROTOCOL } from '../protocol/rules.ts'
import { eventsUrl } from '../protocol/urls.ts'
import type { Link, OpenRequest, Transport } from '../types.ts'
import { errorFrame, framesFrom, place } from './link.ts'

type Jobs = OpenRequest['jobs']
type Message = { frames: readonly Frame[]; chars: number }

/** Nobody reads: a socket has no backpressure, so it is given up before it fills the memory. */
const MAX_QUEUED_CHARS = 2 ** 26

/** One socket, whose jobs can be changed in place. */
export const webSocket = (): Transport => ({
  name: 'websocket',
  isSupported: () => typeof WebSocket === 'function',
  open: openWebSocket
})

function openWebSocket(request: OpenRequest): Link {
  let wanted = request.jobs
  let tell = (): void => {} // the URL says it all until the socket is open

  async function* read(signal: AbortSignal): AsyncGenerator<readonly Frame[], void> {
    // A list too long for a URL is told once the socket is open.
    const inUrl = eventsUrl(request.base, wanted).search.length > MAX_LIST_CHARS ? [] : wanted
    const socket = connect(request, inUrl)
    const inbox = createQueue<Message>(({ chars }) => chars)
    signal.addEventListener('abort', () => inbox.end(signal.reason))
    const asked = new Map(inUrl.map(({ job, ref }) => [job, ref]))
    tell = () => {
      if (socket.readyState === 1) for (const operation of changes(asked, wanted)) socket.send(JSON.stringify(operation))
    }
    listen(socket, inbox, tell, () => wanted)
    try {
      for (;;) {
        const { done, value } = await inbox.next()
        if (done) return
        const frames = [...value.frames]
        while (inbox.length > 0) for (const frame of (await inbox.next()).value?.frames ?? []) frames.push(frame)
        yield frames
      }
    } finally {
      // Also while it is connecting: a stuck one keeps every other socket to its host waiting (RFC 6455, 4.1).
      socket.close(1000)
    }
  }

  return {
    frames: framesFrom(request.signal, read),
    update(jobs) {
      wanted = jobs
      tell()
    }
  }
}

function connect({ base, token, WebSocket }: OpenRequest, jobs: Jobs): WebSocket {
  const url = eventsUrl(base, jobs)
  url.protocol = url.protocol.replace('http', 'ws')
  try {
    return new WebSocket(url, [SUBPROTOCOL, ...(token ? [BEARER_PREFIX + base64url(token)] : [])])
  } catch {
    // Without its cause, which may quote the subprotocols, and so the token.
    throw new TransportError('unsupported', `${place(url)}: no WebSocket can be made here (mixed content, or a token that is no bearer token)`)
  }
}

const base64url = (text: string): string => btoa(text).replace(/=+$/, '').replaceAll('+', '-').replaceAll('/', '_')

/** The operations that take the server from what it was asked to what is wanted; they are noted as said. */
function* changes(asked: Map<string, number>, wanted: Jobs): Generator<Operation> {
  const refs = new Map(wanted.map(({ job, ref }) => [job, ref]))
  for (const job of [...asked.keys()]) {
    if (refs.has(job)) continue
    asked.delete(job)
    yield { op: 'unsubscribe', job }
  }
  for (const { job, after, ref } of wanted) {
    if (asked.get(job) === ref) continue
    asked.set(job, ref)
    yield { op: 'subscribe', job, ...(after === undefined ? {} : { after }), ref }
  }
}

/** Fills the inbox, and ends it as the socket ends. */
function listen(socket: WebSocket, inbox: Queue<Message>, opened: () => void, jobs: () => Jobs): void {
  const heard = new Set<string>()
  let isOpen = false

  function take(data: unknown): void {
    if (typeof data !== 'string') throw new TransportError('protocol', 'expected a text message, got a binary one')
    if (inbox.weight + data.length > MAX_QUEUED_CHARS) throw new TransportError('protocol', `more than ${MAX_QUEUED_CHARS} characters came and were not read`)
    const frames = parseText(data)
    for (const frame of frames) if (isControl(frame)) heard.add(frame.control)
    inbox.push({ frames, chars: data.length })
  }

  socket.onopen = () => {
    isOpen = true
    inbox.push({ frames: [], chars: 0 }) // what opens and then delivers nothing is told from what never opens
    opened()
  }
  socket.onmessage = ({ data }) => {
    try {
      take(data)
    } catch (error) {
      inbox.end(error)
      socket.onmessage = null
      socket.close(1000)
    }
  }
  socket.onerror = () => {} // the close that follows says more; but the ws package throws where nobody listens
  socket.onclose = ({ code, reason }) => {
    const where = place(new URL(socket.url))
    const last = lastFrame(code, reason, jobs())
    if (!isOpen) inbox.end(new TransportError('refused', `${where} did not open (${code})`))
    else if (last) {
      if (!heard.has('bye') && !heard.has('error')) inbox.push({ frames: [last], chars: 0 })
      inbox.end()
    } else if (code === 1000 || heard.has('bye')) inbox.end()
    else inbox.end(new TransportError('cut', `${where} was closed with ${code}`))
  }
}

/** The frame that a close code stands for, where the server had no time to send it (PROTOCOL.md §5). */
function lastFrame(code: number, reason: string, jobs: Jobs): Frame | undefined {
  if (code === 1001 || code === 1012) return { control: 'bye', reason: 'shutdown', retryMs: 1000 }
  const status = code === 1013 ? 503 : code - 4000
  const problem = PROBLEMS[status]
  if (problem) return errorFrame({ status, code: problem, message: reason || `the socket was closed with ${code}` }, jobs)
}

/** PROTOCOL.md §7. */
const PROBLEMS: Record<number, string> = {
  400: 'bad-request',
  401: 'unauthorized',
  403: 'forbidden',
  404: 'unknown-job',
  410: 'history-gone',
  422: 'bad-request',
  429: 'busy',
  503: 'busy'
}
