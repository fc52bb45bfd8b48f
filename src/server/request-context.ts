import type { Room } from './backpressured-writer.ts'
import type { Source } from './types.ts'

/** One request, whatever it came through. */
export interface RequestContext {
  /** Without a body to read. */
  request: Request
  /** What was asked for as it was sent, path and query: that of the request's URL may have been put in order. */
  target: string
  source: Source
  /** Aborted when whoever asked has gone. */
  signal: AbortSignal
  /** The body as it comes, or the whole of it where that is known. */
  body(): AsyncIterable<Uint8Array> | string
}

export interface Reply {
  status: number
  headers: Record<string, string>
  /** Absent: none. Bytes where they are many: an answer of 16 MiB leaves twice as fast as its text would. */
  body?: string | Uint8Array<ArrayBuffer> | StreamBody
  /** Where the body is whole. */
  delivery?: Delivery
}

/** What becomes of an answer that is complete. */
export interface Delivery {
  /** To be told how the connection is ended at once. */
  onCut(cut: () => void): void
  /** It has been sent, or given up. */
  close(): void
}

export const isStreamBody = (body: Reply['body']): body is StreamBody => typeof body === 'object' && 'writeLoop' in body

/** A body that goes on, at the pace of its reader. */
export interface StreamBody extends Delivery {
  /** Writes piece by piece, each when there is room after the one before; where there is none for too long, a `bye` and the end. */
  writeLoop(write: (piece: string) => Room, end: () => void): void
}
