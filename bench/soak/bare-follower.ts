/** A follower without Jobtail: a `WebSocket`, or a `fetch` of a stream or poll. */

import { setTimeout as wait } from 'node:timers/promises'
import type { Message } from './bare-server.ts'

export type Via = 'websocket' | 'stream' | 'long-poll' | 'short-poll'

const SHORT_POLL_MS = 500
/** A connection that brings nothing for so long is closed. The longest poll lasts 10 s, elsewhere there is a heartbeat each 2 s. */
const SILENCE_MS = { websocket: 5000, stream: 5000, 'long-poll': 15_000, 'short-poll': 5000 }
const FIRST_MESSAGE_MS = 1500
/** Retries wait for a random part of a time that doubles from the first to the last. */
const RETRY_MS = { first: 250, last: 3000 }

export interface BareOptions {
  url: string
  via: Via
  lanes: readonly number[]
  onEvent(): void
  signal: AbortSignal
}

/** Reads the text of a connection until it ends. */
type Read = (url: URL, onText: (text: string) => void, signal: AbortSignal, via: Via) => Promise<void>

/** Follows the lanes until the signal, each from its last event. Connects again after each end. */
export async function followBare({ url, via, lanes, onEvent, signal }: BareOptions): Promise<void> {
  const after = lanes.map(() => 0)
  const read: Read = via === 'websocket' ? readSocket : readAnswer
  let failures = 0
  const onText = (text: string): void => {
    failures = 0
    const { lane, seq } = JSON.parse(text) as Partial<Message> // as: from the bare server; a heartbeat has neither
    const index = lane === undefined ? -1 : lanes.indexOf(lane)
    if (seq === undefined || seq <= (after[index] ?? seq)) return
    after[index] = seq
    onEvent()
  }
  while (!signal.aborted) {
    failures += 1
    const place = new URL(`?lanes=${lanes}&after=${after}&via=${via}`, url)
    await read(place, onText, signal, via).catch(() => {}) // whatever failed, the next try begins at the last event
    const retryMs = Math.random() * Math.min(RETRY_MS.last, RETRY_MS.first * 2 ** failures)
    await wait(failures === 0 && via.endsWith('poll') ? (via === 'short-poll' ? SHORT_POLL_MS : 0) : retryMs, undefined, { signal }).catch(() => {})
  }
}

const readSocket: Read = (url, onText, signal, via) =>
  new Promise((resolve) => {
    url.protocol = 'ws'
    const socket = new WebSocket(url)
    const stop = (): void => socket.close()
    let timer = setTimeout(stop, FIRST_MESSAGE_MS)
    signal.addEventListener('abort', stop)
    socket.onmessage = ({ data }) => {
      clearTimeout(timer)
      timer = setTimeout(stop, SILENCE_MS[via])
      onText(String(data))
    }
    socket.onclose = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      resolve()
    }
  })

const readAnswer: Read = async (url, onText, signal, via) => {
  const silence = new AbortController()
  const stop = (): void => silence.abort()
  let timer = setTimeout(stop, SILENCE_MS[via])
  signal.addEventListener('abort', stop)
  try {
    const { ok, status, body } = await fetch(url, { signal: silence.signal })
    if (!ok || !body) throw new Error(`${url} answered ${status}`)
    const decoder = new TextDecoder()
    let rest = ''
    for await (const chunk of body) {
      clearTimeout(timer)
      timer = setTimeout(stop, SILENCE_MS[via])
      const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) onText(line)
    }
    if (rest && via !== 'stream') onText(rest)
  } finally {
    clearTimeout(timer)
    signal.removeEventListener('abort', stop)
  }
}
