import type { Room } from './outlet.ts'

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
  /** To be told how the connection is ended at once. */
  onCut(cut: () => void): void
  /** It has been sent, or given up. */
  close(): void
}

/** A body that goes on, at the pace of its reader. */
export interface Outflow extends Delivery {
  /** Writes piece by piece, each when there is room after the one before; where there is none for too long, a `bye` and the end. */
  pump(write: (piece: string) => Room, end: () => void): void
}
