import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { encodeFrame } from '../../protocol/encode.ts'
import { type Frame, isControl } from '../../protocol/frames.ts'
import { alarm } from '../alarm.ts'
import type { Slot } from '../connections.ts'
import { createFollow } from '../follow.ts'
import type { Ask } from '../job-reader.ts'
import { createOutlet, type Room } from '../outlet.ts'
import { asControl, asProblem, type Refusal } from '../problem.ts'
import { pump } from '../pump.ts'
import { asksForMore } from '../routes.ts'
import type { Settings } from '../types.ts'
import { createOperations } from './operations.ts'
import { encodeOnce, helloFor, streamBudget } from './stream.ts'
import { textFrame } from './text-frame.ts'

/** How long a socket without a subscription waits for another one. */
const LINGER_MS = 10_000
/** How long the other side may take to close. */
const CLOSING_MS = 2000
const CLOSE_NORMAL = 1000
const CLOSE_GOING_AWAY = 1001

/** Says what was wrong as a refused handshake can't, and closes (PROTOCOL.md §5). */
export function refuseSocket(ws: WebSocket, refusal: Refusal, settings: Settings): void {
  ws.on('error', () => {}) // 'close' follows
  ws.send(encodeFrame(helloFor(settings)))
  ws.send(encodeFrame(asControl(refusal)))
  closeSocket(ws, 4000 + asProblem(refusal).status)
}

interface SocketReading {
  ws: WebSocket
  /** The one below `ws`: whole messages are written to it as they are, since `ws` would make them anew for each socket. */
  socket: Duplex
  request: () => Request
  asks: readonly Ask[]
  slot: Slot
  settings: Settings
}

/** Serves one socket until it is closed. */
export function serveSocket({ ws, socket, request, asks, slot, settings }: SocketReading): void {
  const gone = new AbortController()
  const { signal } = gone
  const { log, heartbeatMs, maxBufferedBytes, onError } = settings
  const follow = createFollow({ log, heartbeatMs, listen: true, saysMore: asksForMore(request()), signal, onError, meter: slot.meter })
  const outlet = createOutlet({ stream: socket, maxBufferedBytes, heartbeatMs, signal })
  let cancelLinger: (() => void) | undefined
  /** Where the last that was sent is an error, and nothing is left to read. */
  let refused: number | undefined
  let flooded = false

  const operations = createOperations({
    follow,
    request,
    slot,
    settings,
    onDone() {
      if (operations.pending() === 0) ws.resume()
      closeIfIdle()
    },
    onFlood() {
      if (flooded) return
      flooded = true
      follow.bye('slow', 1000)
      terminateLater(ws) // the writer, who would close, may be waiting for room
    }
  })

  function closeIfIdle(): void {
    const idle = follow.size() === 0 && follow.backlog() === 0 && operations.pending() === 0
    if (idle && refused !== undefined) return closeSocket(ws, 4000 + refused)
    if (idle) cancelLinger ??= alarm(LINGER_MS, () => closeSocket(ws, CLOSE_NORMAL))
    else stopLingering()
  }

  function stopLingering(): void {
    cancelLinger?.()
    cancelLinger = undefined
  }

  function write(frames: readonly Frame[]): Room {
    const last = frames.at(-1)
    refused = last && isControl(last) && last.control === 'error' && follow.size() === 0 ? last.status : undefined
    return ws.readyState !== ws.OPEN || outlet(encodeMessage(frames))
  }

  ws.on('error', () => {}) // 'close' follows
  ws.on('close', () => {
    gone.abort()
    stopLingering()
    slot.release()
  })
  ws.on('message', (message, isBinary) => {
    operations.take(isBinary ? undefined : String(message))
    // A client that asks faster than it is answered is not read any further meanwhile.
    if (operations.pending() > 0) ws.pause()
  })
  slot.hold({ bye: follow.bye, cut: () => ws.terminate() })
  operations.open(asks)
  void pump({
    follow,
    budget: streamBudget(settings),
    first: [helloFor(settings)],
    stay: true,
    write,
    onIdle: closeIfIdle,
    end: () => closeSocket(ws, CLOSE_GOING_AWAY)
  })
}

const encodeMessage = encodeOnce((frames) => {
  const texts = frames.map(encodeFrame)
  return textFrame(texts.length === 1 ? texts.join() : `[${texts.join(',')}]`)
})

/** Closes, and does not wait for ever for the other side to agree. */
function closeSocket(ws: WebSocket, code: number): void {
  if (ws.readyState !== ws.OPEN) return
  ws.close(code)
  terminateLater(ws)
  ws.resume()
}

const terminateLater = (ws: WebSocket): void =>
  void ws.once(
    'close',
    alarm(CLOSING_MS, () => ws.terminate())
  )
