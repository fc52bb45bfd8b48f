/** An event stream or WebSocket of the simulated server: pages, heartbeats, its end. */

import { type Frame, isControl } from '../../src/protocol/frames.ts'
import { encodeFrame } from '../../src/server/encode.ts'
import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { Follow } from './follow.ts'
import type { ServerOptions } from './server.ts'

export interface Stream {
  connection: Connection
  follow: Follow
  pump(): void
  /** Sends the first page. */
  open(): void
  /** Sets the window. */
  grant(bytes: number): void
  /** Whether the window is used up, so that nothing is sent until `grant`. */
  readonly isUsedUp: boolean
  /** Sends the last events once more. */
  sendAgain(job: string, count: number): boolean
  write(frames: readonly Frame[]): void
  close(code: number): void
}

export interface StreamOptions extends Pick<ServerOptions, 'heartbeatMs' | 'pageSize' | 'openMs' | 'onSent' | 'onWindow'> {
  connection: Connection
  follow: Follow
  /** All open streams. */
  streams: Set<Stream>
  encode(frames: readonly Frame[]): void
  /** No job is left to read. Gets the last frame. */
  over(last: Frame | undefined): void
  windowBytes: number
  usedUp(): void
}

/** The approximate size of an event on the wire. */
export const EVENT_BYTES = 170

const encoder = new TextEncoder()

export function createStream({
  connection,
  follow,
  streams,
  heartbeatMs,
  pageSize,
  openMs,
  onSent,
  onWindow,
  encode,
  over,
  windowBytes,
  usedUp
}: StreamOptions): Stream {
  let callOff: (() => void) | undefined
  let leftBytes = windowBytes
  const beat = (): void => {
    encode([{ control: 'heartbeat' }])
    pump()
    callOffBeat = clock.after(heartbeatMs, beat)
  }
  let callOffBeat = clock.after(heartbeatMs, beat)

  function write(frames: readonly Frame[]): void {
    for (const frame of frames) {
      onSent(connection, frame)
      if (!isControl(frame)) leftBytes -= encoder.encode(encodeFrame(frame)).length
    }
    if (frames.length > 0) encode(frames)
  }
  function pump(): void {
    if (callOff || leftBytes <= 0) return // the next page is scheduled, the stream is being opened, or the window is used up
    const frames = follow.read(Math.min(pageSize, Math.max(1, Math.floor(leftBytes / EVENT_BYTES))))
    write(frames)
    if (follow.size === 0) over(frames.at(-1))
    else if (leftBytes <= 0) {
      onWindow(connection)
      usedUp()
    } else if (follow.isBehind)
      callOff = clock.after(1, () => {
        callOff = undefined
        pump()
      })
  }
  const each: Stream = {
    connection,
    follow,
    pump,
    open() {
      callOff = clock.after(openMs, () => {
        callOff = undefined
        pump()
      })
    },
    get isUsedUp() {
      return leftBytes <= 0
    },
    grant(bytes) {
      leftBytes = bytes
    },
    sendAgain(job, count) {
      const frames = follow.latest(job, count)
      if (callOff || frames.length === 0) return false
      write(frames)
      return true
    },
    write,
    close(code) {
      stop()
      connection.end(code)
    }
  }
  const stop = (): void => {
    callOff?.()
    callOffBeat()
    streams.delete(each)
  }
  connection.server = { data() {}, gone: stop }
  streams.add(each)
  return each
}

export function sseText(frame: Frame): string {
  if (!isControl(frame)) return `id: ${frame.id}\ndata: ${encodeFrame(frame)}\n\n`
  return frame.control === 'heartbeat' ? ':\n\n' : `event: control\ndata: ${encodeFrame(frame)}\n\n`
}
