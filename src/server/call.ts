import type { ByeReason } from '../protocol/frames.ts'

/** One request, whatever it came through. */
export interface Call {
  /** Without a body to read. */
  request: Request
  address: string | undefined
  /** Aborted when whoever asked has gone. */
  signal: AbortSignal
  /** The body as text; throws the refusal where it is larger. */
  body(maxBytes: number): Promise<string>
}

export interface Answer {
  status: number
  headers: Record<string, string>
  /** Absent: none. */
  body?: string | Outflow
}

/** A body that goes on, pulled by the adapter at the pace of its reader. */
export interface Outflow {
  /** The next piece, `undefined` at the end. */
  next(): Promise<string | undefined>
  /** For a reader that is too slow: the next piece is a `bye`, then the end. */
  bye(reason: ByeReason, retryMs: number): void
  /** Aborted where the connection is to be ended at once. */
  cut: AbortSignal
  /** The adapter has done with it, at its end or before. */
  close(): void
}
