import type { ByeReason } from '../protocol/frames.ts'

/** One request, whatever it came through. */
export interface Call {
  /** Without a body to read. */
  request: Request
  address: string | undefined
  /** Aborted when whoever asked has gone. */
  signal: AbortSignal
  /** The body as it comes, or the whole of it where that is known. */
  body(): AsyncIterable<Uint8Array> | string
}

export interface Answer {
  status: number
  headers: Record<string, string>
  /** Absent: none. */
  body?: string | Outflow
  /** Where the body is text. */
  delivery?: Delivery
}

/** What becomes of an answer that is complete. */
export interface Delivery {
  /** Aborted where the connection is to be ended at once. */
  cut: AbortSignal
  /** It has been sent, or given up. */
  close(): void
}

/** A body that goes on, pulled by the adapter at the pace of its reader. */
export interface Outflow extends Delivery {
  /** The next piece, `undefined` at the end. */
  next(): Promise<string | undefined>
  /** For a reader that is too slow: the next piece is a `bye`, then the end. */
  bye(reason: ByeReason, retryMs: number): void
}
