import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import { type ByeReason, type ErrorControl, type Frame, isControl } from '../../protocol/frames.ts'
import type { Requester } from '../authorize.ts'
import { BackpressuredWriter, type Drained } from '../backpressured-writer.ts'
import type { Connection, ConnectionSlot } from '../connections.ts'
import { encodeFrame } from '../encode.ts'
import { type Output, socketOutput } from '../fast-path.ts'
import { type HttpError, toErrorControl, toProblem } from '../http-error.ts'
import type { SubscribeRequest } from '../job-cursor.ts'
import { longTimeout } from '../long-timeout.ts'
import type { Settings } from '../server-options.ts'
import { Subscriber } from '../subscriber.ts'
import { type Sink, writeLoop } from '../write-loop.ts'
import { encodeOnce, helloFor, streamBudget } from './hello-and-encode.ts'
import { Operations, type OperationsListener } from './operations.ts'

/** How long a socket without a subscription stays open for another one (PROTOCOL.md §5). */
const LINGER_MS = 10_000
/** How long the other side may take to answer the closing handshake. */
const CLOSING_MS = 2000
const CLOSE_NORMAL = 1000
const CLOSE_GOING_AWAY = 1001

/** Sends an `error` on the accepted socket and closes it. Browsers would hide the status of a refused handshake (PROTOCOL.md §5). */
export function rejectSocket(ws: WebSocket, error: HttpError, settings: Settings): void {
  ws.on('error', ignore) // 'close' follows
  ws.send(encodeFrame(helloFor(settings)))
  ws.send(encodeFrame(toErrorControl(error)))
  closeSocket(ws, 4000 + toProblem(error).status)
}

interface SocketReadingOptions {
  ws: WebSocket
  /** The socket below `ws`. */
  socket: Duplex
  requester: () => Requester
  requests: readonly SubscribeRequest[]
  /** How many bytes of events may be sent until the client's next `window`. */
  windowBytes: number
  slot: ConnectionSlot
  settings: Settings
}

/** Serves one WebSocket until it is closed. */
export function serveSocket(options: SocketReadingOptions): void {
  const { ws, requests, slot, settings } = options
  const reading = new SocketReading(options)
  ws.on('error', ignore) // 'close' follows
  ws.on('close', () => {
    reading.close()
    slot.release()
  })
  ws.on('message', (message, isBinary) => reading.handleMessage(isBinary ? undefined : String(message)))
  slot.hold(reading)
  reading.operations.subscribeAll(requests)
  writeLoop([helloFor(settings)], { subscriber: reading.subscriber, budget: streamBudget(settings), sink: reading, keepOpen: true })
}

const ignore = () => {}

class SocketReading implements Sink, OperationsListener, Connection {
  readonly subscriber: Subscriber
  readonly operations: Operations
  private readonly ws: WebSocket
  private readonly writer: BackpressuredWriter
  private readonly encode: Output['encode']
  private cancelLinger: (() => void) | undefined
  /** The status of an `error` in the last message, where no job is left to read: the socket then closes with 4000 + that. */
  private errorStatus: number | undefined
  private isFlooded = false

  constructor({ ws, socket, requester, windowBytes, slot, settings }: SocketReadingOptions) {
    const { log, heartbeatMs, onError, fastPath } = settings
    const { stream, encode } = socketOutput(ws, socket, fastPath)
    this.ws = ws
    this.encode = encode
    this.writer = new BackpressuredWriter(stream, settings)
    this.subscriber = new Subscriber({ log, heartbeatMs, isWatching: true, windowBytes, onError, meter: slot.meter })
    this.operations = new Operations({ subscriber: this.subscriber, requester, slot, settings, listener: this })
  }

  write(frames: readonly Frame[]): Drained {
    this.errorStatus = this.subscriber.jobCount() === 0 ? frames.findLast(isError)?.status : undefined
    return this.ws.readyState !== this.ws.OPEN || this.writer.write(this.encode(encodeMessage(frames)))
  }

  idle(): void {
    const { subscriber, operations, errorStatus } = this
    if (subscriber.isDone(true)) return
    const isIdle = subscriber.jobCount() === 0 && subscriber.controls.size === 0 && operations.pending() === 0
    if (isIdle && errorStatus !== undefined) this.closeWith(4000 + errorStatus)
    else if (isIdle) this.cancelLinger ??= longTimeout(LINGER_MS, () => this.closeWith(CLOSE_NORMAL))
    else this.stopLingering()
  }

  end(): void {
    this.closeWith(CLOSE_GOING_AWAY)
  }

  handleMessage(message: string | undefined): void {
    this.operations.handleMessage(message)
    // Backpressure: a client that sends operations faster than they are performed isn't read meanwhile.
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
    terminateLater(this.ws) // the write loop would close the socket, but may be waiting for this client to read
  }

  bye(reason: ByeReason, retryMs: number): void {
    this.subscriber.bye(reason, retryMs)
  }

  destroy(): void {
    this.ws.terminate()
  }

  /** To be called when the socket is closed. */
  close(): void {
    this.subscriber.end()
    this.writer.close()
    this.stopLingering()
  }

  /** Closes the socket. Ends the readings first, since nothing can be sent any more. */
  private closeWith(code: number): void {
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

/** Closes the socket, and terminates it where the other side doesn't answer within `CLOSING_MS`. */
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
