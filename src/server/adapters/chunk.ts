import { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** The socket below an answer in chunks, where nothing stands between the two, as what compresses would. */
export const socketBelow = (res: ServerResponse): Socket | null => (res.chunkedEncoding && res.write === ServerResponse.prototype.write ? res.socket : null)

let last: { text: string; chunk: Buffer } = { text: '', chunk: Buffer.alloc(0) }

/** A whole chunk (RFC 9112 §7.1): `http` would make four pieces of each text for each reader. The same bytes for all who are written the same text in a row. */
export function chunkOf(text: string): Buffer {
  if (text !== last.text) last = { text, chunk: encode(text) }
  return last.chunk
}

function encode(text: string): Buffer {
  const bytes = Buffer.byteLength(text)
  const head = `${bytes.toString(16)}\r\n`
  const chunk = Buffer.allocUnsafe(head.length + bytes + 2)
  chunk.write(head)
  chunk.write(text, head.length)
  chunk.write('\r\n', head.length + bytes)
  return chunk
}
