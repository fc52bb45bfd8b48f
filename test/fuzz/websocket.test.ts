/** The messages of a WebSocket. The socket is a fake: no real server can send some of these, such as text with half a character. */

import { test } from 'vitest'
import { webSocket } from '../../src/transports/websocket.ts'
import type { Link } from '../../src/types.ts'
import { damageText, spoil, value } from './damage.ts'
import { frame } from './frames.ts'
import { expectSame, outcomeOf } from './outcome.ts'
import { asRead, attempt, message, type Outcome } from './reference.ts'
import { fuzz, type Tape } from './tape.ts'

type Handlers = Pick<WebSocket, 'onopen' | 'onmessage' | 'onclose'>

/** A link over a socket that opens, receives these messages, and closes with this code. */
function open(messages: readonly unknown[], code: number): Link {
  function Socket(this: Handlers & { url: string; send(): void; close(): void }): void {
    this.url = 'ws://localhost/jobs/42/events'
    this.send = () => {}
    this.close = () => {}
    queueMicrotask(() => {
      const socket = this as unknown as WebSocket // as: it has all that is called
      socket.onopen?.(new Event('open'))
      for (const data of messages) socket.onmessage?.(new MessageEvent('message', { data }))
      socket.onclose?.({ code, reason: '' } as CloseEvent) // as: Node has none, and these two are what is read
    })
  }
  return webSocket().open({
    base: new URL('http://localhost/jobs'),
    jobs: [{ job: '42', ref: 1 }],
    windowBytes: Infinity,
    isFresh: false,
    headers: new Headers(),
    credentials: 'same-origin',
    signal: new AbortController().signal,
    fetch,
    WebSocket: Socket as unknown as typeof WebSocket // as: it is only made
  })
}

/** Values that are not text, like a binary frame in a page. */
const binary = (tape: Tape): unknown => tape.pick<unknown>([new ArrayBuffer(3), new Blob(['{}']), new Uint8Array(2)])

function expected(messages: readonly unknown[], code: number): Outcome {
  const frames: unknown[] = []
  for (const data of messages) {
    const found = typeof data === 'string' ? attempt(() => message(data)) : undefined
    if (!found) return { frames, end: 'protocol' }
    frames.push(...found)
  }
  return { frames, end: code === 1000 || isLastWord(frames.at(-1)) ? 'clean' : 'cut' }
}

const isLastWord = (last: unknown): boolean =>
  typeof last === 'object' && last !== null && 'control' in last && (last.control === 'bye' || last.control === 'error')

test('valid messages are their frames', { timeout: 120_000 }, async () => {
  await fuzz('valid lists of messages', 8000, async (tape) => {
    const sent: unknown[][] = tape.list(5, () => tape.list(4, () => frame(tape)))
    const messages = sent.map((frames) => JSON.stringify(frames.length === 1 ? frames[0] : frames))
    tape.note(`of ${messages.length}`)
    const received: unknown[] = JSON.parse(`[${sent.flat().map((each) => JSON.stringify(each))}]`).map(asRead)
    const { frames } = await outcomeOf(open(messages, 1000))
    expectSame(frames.map(sorted), received.map(sorted), () => messages)
  })
})

const sorted = (each: unknown): unknown => Object.entries(each as object).sort(([a], [b]) => (a < b ? -1 : 1)) // as: a frame

test('damaged messages are the frames before the damage, then a failure', { timeout: 120_000 }, async () => {
  await fuzz('damaged lists of messages', 14_000, async (tape) => {
    const messages: unknown[] = tape.list(4, () => {
      const sound: unknown[] = tape.list(3, () => frame(tape))
      switch (tape.below(6)) {
        case 0:
          tape.note('wrong types')
          return JSON.stringify(spoil(tape, sound.length === 1 ? sound[0] : sound))
        case 1:
          tape.note('damaged texts')
          return damageText(tape, JSON.stringify(sound))
        case 2:
          tape.note('any JSON')
          return JSON.stringify(value(tape))
        case 3:
          if (!tape.oneIn(4)) return JSON.stringify(sound)
          tape.note('binary messages')
          return binary(tape)
        default:
          return JSON.stringify(sound)
      }
    })
    const code = tape.pick([1000, 1006, 1005])
    const outcome = expected(messages, code)
    tape.note(`ends: ${outcome.end}`)
    expectSame(await outcomeOf(open(messages, code)), outcome, () => messages)
  })
})
