import type { Drained } from './backpressured-writer.ts'
import type { Source } from './permission.ts'

/** One request, whether it came by Node or by `fetch`. */
export interface RequestContext {
  /** Its body can't be read; `body` can. */
  request: Request
  /** Path and query as they were sent. Routes go by this, not by the URL of `request`: `new URL` resolves dot segments, past a guard in front that didn't. */
  target: string
  source: Source
  /** Aborted when the client has gone. */
  signal: AbortSignal
  /** The body: chunks as they arrive, or the whole text where something in front has read it already. */
  body(): AsyncIterable<Uint8Array> | string
}

/** The response to a request, before Node or `fetch` sends it. */
export interface Reply {
  status: number
  headers: Record<string, string>
  /** Bytes for a large body: 16 MiB of bytes are sent twice as fast as the same text. Absent: no body. */
  body?: string | Uint8Array<ArrayBuffer> | StreamBody
  /** For a whole body that holds a connection slot until it is sent. */
  delivery?: Delivery
}

/** How the sender of a body and the reading behind it let each other go. */
export interface Delivery {
  /** The sender passes a function that destroys the connection at once. */
  onDestroy(destroy: () => void): void
  /** To be called when the body was sent, or the client has gone. */
  close(): void
}

export const isStreamBody = (body: Reply['body']): body is StreamBody => typeof body === 'object' && 'writeLoop' in body

/** A body that is written piece by piece, at the pace of its reader. */
export interface StreamBody extends Delivery {
  /** Writes each piece once `write` has room after the one before. A reader that is too slow gets `bye`. Calls `end` after the last piece. */
  writeLoop(write: (piece: string) => Drained, end: () => void): void
}
