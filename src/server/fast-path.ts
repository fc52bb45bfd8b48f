/**
 * Frames and chunks that are made by hand and written past `http` and `ws`, which would make each anew for every reader: this is most of what
 * a fan-out costs. Whoever counts or changes what passes through `res.write` or `ws.send` doesn't see it; `fastPath: false` has all go through them.
 */

import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { BackpressuredWriter } from './backpressured-writer.ts'

type Stream = ConstructorParameters<typeof BackpressuredWriter>[0]

/** Where a reader's text is written to, and as what. */
export interface Way {
  stream: Stream
  encode(text: string): string | Buffer
}

/** Whole messages, as one frame each. `socket` is the one below `ws`. */
export const wayOfSocket = (ws: WebSocket, socket: Duplex, isFast: boolean): Way =>
  isFast ? { stream: socket, encode: frameOf } : { stream: through(ws), encode: plain }

/** An answer in pieces. */
export function wayOfAnswer(res: ServerResponse, isFast: boolean): Way {
  // Not where something stands between the two, as what compresses would.
  const socket = isFast && res.chunkedEncoding && res.write === ServerResponse.prototype.write ? res.socket : null
  return socket ? { stream: socket, encode: chunkOf } : { stream: res, encode: plain }
}

const plain = (text: string): string => text

const through = (ws: WebSocket): Stream => ({
  write(piece: string | Buffer, done?: unknown) {
    ws.send(piece, () => typeof done === 'function' && done())
    return true
  },
  get writableLength() {
    return ws.bufferedAmount
  }
})

/** The same bytes for all who are written the same text in a row. */
function once(encode: (text: string) => Buffer): (text: string) => Buffer {
  let last: { text: string; bytes: Buffer } | undefined
  return (text) => {
    if (text !== last?.text) last = { text, bytes: encode(text) }
    return last.bytes
  }
}

/** A whole chunk (RFC 9112 §7.1). */
const chunkOf = once((text) => {
  const bytes = Buffer.byteLength(text)
  const head = `${bytes.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(head.length + bytes + 2)
  chunk.write(head)
  chunk.write(text, head.length)
  chunk.write('\r\n', head.length + bytes)
  return chunk
})

const FIN_TEXT = 0x81

/** A whole text message as a server sends it: one frame, not masked (RFC 6455 §5.2). */
export const frameOf: (text: string) => Buffer = once((text) => {
  const bytes = Buffer.byteLength(text)
  const offset = bytes < 126 ? 2 : bytes < 2 ** 16 ? 4 : 10
  const frame = Buffer.allocUnsafe(offset + bytes)
  frame[0] = FIN_TEXT
  if (offset === 2) frame[1] = bytes
  else if (offset === 4) {
    frame[1] = 126
    frame.writeUInt16BE(bytes, 2)
  } else {
    frame[1] = 127
    frame.writeBigUInt64BE(BigInt(bytes), 2)
  }
  frame.write(text, offset)
  return frame
})
