/** A streamed reading of the simulated server: pages, heartbeats, its end. */

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
  /** The first time. */
  open(): void
  write(frames: readonly Frame[]): void
  close(code: number): void
}

export interface StreamOptions extends Pick<ServerOptions, 'heartbeatMs' | 'pageSize' | 'openMs' | 'onSent'> {
  connection: Connection
  follow: Follow
  /** All that are under way. */
  streams: Set<Stream>
  encode(frames: readonly Frame[]): void
  /** Nothing is left to read; with the last frame. */
  over(last: Frame | undefined): void
}

export function createStream({ connection, follow, streams, heartbeatMs, pageSize, openMs, onSent, encode, over }: StreamOptions): Stream {
  let callOff: (() => void) | undefined
  const beat = (): void => {
    encode([{ control: 'heartbeat' }])
    pump()
    callOffBeat = clock.after(heartbeatMs, beat)
  }
  let callOffBeat = clock.after(heartbeatMs, beat)

  function write(frames: readonly Frame[]): void {
    for (const frame of frames) onSent(connection, frame)
    if (frames.length > 0) encode(frames)
  }
  function pump(): void {
    if (callOff) return // the next page is due, or it is being opened
    const frames = follow.read(pageSize)
    write(frames)
    if (follow.size === 0) over(frames.at(-1))
    else if (follow.isBehind)
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
