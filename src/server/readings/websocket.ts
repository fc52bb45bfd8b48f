import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type ByeReason, type ErrorControl, type Frame, isControl } from '../../protocol/frames.ts'
import type { Asker as Asking } from '../authorize.ts'
import { BackpressuredWriter, type Room } from '../backpressured-writer.ts'
import type { Connection, ConnectionSlot } from '../connections.ts'
import { encodeFrame } from '../encode.ts'
import { type Way, wayOfSocket } from '../fast-path.ts'
import { asControl, asProblem, type HttpError } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { longTimeout } from '../long-timeout.ts'
import { Subscriber } from '../subscriber.ts'
import type { Settings } from '../types.ts'
import { type Sink, writeLoop } from '../write-loop.ts'
import { encodeOnce, helloFor, streamBudget } from './hello-and-encode.ts'
import { type Asker, Operations } from './operations.ts'

/** How long a socket without a subscription waits for another one. */
const LINGER_MS = 10_000
/** How long the other side may take to close. */
const CLOSING_MS = 2000
const CLOSE_NORMAL = 1000
const CLOSE_GOING_AWAY = 1001

/** Says what was wrong as a refused handshake can't, and closes (PROTOCOL.md §5). */
export function refuseSocket(ws: WebSocket, refusal: HttpError, settings: Settings): void {
  ws.on('error', ignore) // 'close' follows
  ws.send(encodeFrame(helloFor(settings)))
  ws.send(encodeFrame(asControl(refusal)))
  closeSocket(ws, 4000 + asProblem(refusal).status)
}

interface SocketReadingOptions {
  ws: WebSocket
  /** The one below `ws`. */
  socket: Duplex
  whoAsks: () => Asking
  asks: readonly SubscribeRequest[]
  /** How much may be on its way, until the client says that it has read some. */
  windowBytes: number
  slot: ConnectionSlot
  settings: Settings
}

/** Serves one socket until it is closed. */
export function serveSocket(options: SocketReadingOptions): void {
  const { ws, asks, slot, settings } = options
  const reading = new SocketReading(options)
  ws.on('error', ignore) // 'close' follows
  ws.on('close', () => {
    reading.close()
    slot.release()
  })
  ws.on('message', (message, isBinary) => reading.take(isBinary ? undefined : String(message)))
  slot.hold(reading)
  reading.operations.open(asks)
  writeLoop([helloFor(settings)], { subscriber: reading.subscriber, budget: streamBudget(settings), sink: reading, stay: true })
}

const ignore = () => {}

class SocketReading implements Sink, Asker, Connection {
  readonly subscriber: Subscriber
  readonly operations: Operations
  private readonly ws: WebSocket
  private readonly outlet: BackpressuredWriter
  private readonly encode: Way['encode']
  private cancelLinger: (() => void) | undefined
  /** Where an error is in what was sent last, and nothing is left to read. */
  private refused: number | undefined
  private isFlooded = false

  constructor({ ws, socket, whoAsks, windowBytes, slot, settings }: SocketReadingOptions) {
    const { log, heartbeatMs, onError, fastPath } = settings
    const { stream, encode } = wayOfSocket(ws, socket, fastPath)
    this.ws = ws
    this.encode = encode
    this.outlet = new BackpressuredWriter(stream, settings)
    this.subscriber = new Subscriber({ log, heartbeatMs, listen: true, windowBytes, onError, meter: slot.meter })
    this.operations = new Operations({ subscriber: this.subscriber, whoAsks, slot, settings, asker: this })
  }

  write(frames: readonly Frame[]): Room {
    this.refused = this.subscriber.size() === 0 ? frames.findLast(isError)?.status : undefined
    return this.ws.readyState !== this.ws.OPEN || this.outlet.write(this.encode(encodeMessage(frames)))
  }

  idle(): void {
    const { subscriber, operations, refused } = this
    if (subscriber.isOver(true)) return
    const isIdle = subscriber.size() === 0 && subscriber.backlog() === 0 && operations.pending() === 0
    if (isIdle && refused !== undefined) this.leave(4000 + refused)
    else if (isIdle) this.cancelLinger ??= longTimeout(LINGER_MS, () => this.leave(CLOSE_NORMAL))
    else this.stopLingering()
  }

  end(): void {
    this.leave(CLOSE_GOING_AWAY)
  }

  take(message: string | undefined): void {
    this.operations.take(message)
    // A client that asks faster than it is answered is not read any further meanwhile.
    if (this.operations.pending() > 0) this.ws.pause()
  }

  done(): void {
    if (this.operations.pending() === 0) this.ws.resume()
    this.idle()
  }

  flood(): void {
    if (this.isFlooded) return
    this.isFlooded = true
    this.bye('slow', 1000)
    terminateLater(this.ws) // the writer, who would close, may be waiting for room
  }

  bye(reason: ByeReason, retryMs: number): void {
    this.subscriber.bye(reason, retryMs)
  }

  cut(): void {
    this.ws.terminate()
  }

  /** The socket is closed. */
  close(): void {
    this.subscriber.end()
    this.outlet.close()
    this.stopLingering()
  }

  /** What is asked for from now on is not read: it could not be sent. */
  private leave(code: number): void {
    this.subscriber.end()
    closeSocket(this.ws, code)
  }

  private stopLingering(): void {
    this.cancelLinger?.()
    this.cancelLinger = undefined
  }
}

const isError = (frame: Frame): frame is ErrorControl => isControl(frame) && frame.control === 'error'

const encodeMessage = encodeOnce((frames) => {
  const texts = frames.map(encodeFrame)
  return texts.length === 1 ? texts.join() : `[${texts.join(',')}]`
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
    longTimeout(CLOSING_MS, () => ws.terminate())
  )
