/**
 * Encodes HTTP chunks and WebSocket frames by hand, and writes them past `http` and `ws`. Those would encode each anew for every reader, which is most of the
 * cost of a fan-out. Code that counts or changes what passes through `res.write` or `ws.send` doesn't see these writes; `fastPath: false` sends all through
 * them.
 */

import { ServerResponse } from 'node:http'
import type { Duplex } from 'node:stream'
import type { WebSocket } from 'ws'
import type { BackpressuredWriter } from './backpressured-writer.ts'

type Stream = ConstructorParameters<typeof BackpressuredWriter>[0]

/** The stream to write a reader's text to, and the encoding that the stream needs. */
export interface Output {
  stream: Stream
  encode(text: string): string | Buffer
}

/** For a WebSocket: each text is one message of one frame. `socket` is the socket below `ws`. */
export const socketOutput = (ws: WebSocket, socket: Duplex, isFast: boolean): Output =>
  isFast ? { stream: socket, encode: encodeTextFrame } : { stream: streamOf(ws), encode: asIs }

/** For a streamed response: each text is one chunk. */
export function responseOutput(res: ServerResponse, isFast: boolean): Output {
  // `res.write` was replaced where something stands in between, such as a compressing middleware: then it has to be called.
  const socket = isFast && res.chunkedEncoding && res.write === ServerResponse.prototype.write ? res.socket : null
  return socket ? { stream: socket, encode: encodeChunk } : { stream: res, encode: asIs }
}

const asIs = (text: string): string => text

const streamOf = (ws: WebSocket): Stream => ({
  write(piece: string | Buffer, done?: unknown) {
    ws.send(piece, () => typeof done === 'function' && done())
    return true
  },
  get writableLength() {
    return ws.bufferedAmount
  }
})

/** Remembers the last result, since the same text goes to many readers in a row. */
function rememberLast(encode: (text: string) => Buffer): (text: string) => Buffer {
  let last: { text: string; bytes: Buffer } | undefined
  return (text) => {
    if (text !== last?.text) last = { text, bytes: encode(text) }
    return last.bytes
  }
}

/** One chunk of the chunked transfer coding (RFC 9112 §7.1). */
const encodeChunk = rememberLast((text) => {
  const bytes = Buffer.byteLength(text)
  const head = `${bytes.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(head.length + bytes + 2)
  chunk.write(head)
  chunk.write(text, head.length)
  chunk.write('\r\n', head.length + bytes)
  return chunk
})

const FIN_TEXT = 0x81

/** A text message as a server sends it: one frame, unmasked (RFC 6455 §5.2). */
export const encodeTextFrame: (text: string) => Buffer = rememberLast((text) => {
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
