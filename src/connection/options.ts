/** What a connection is given. */

import type { Credentials } from '../credentials.ts'
import type { Emit } from '../diagnostics.ts'
import type { Hints } from '../hints.ts'
import type { Page } from '../page.ts'
import type { Settings } from '../settings.ts'
import type { OpenRequest, Reader, Transport } from '../types.ts'

/** What a connection needs of its pool. */
export interface Capacity {
  /** How many jobs one connection may carry; `undefined` until a `hello` has told it. */
  capacity(): number | undefined
  /** The server has told how many that are. */
  onMux(mux: number): void
  /** Readers whose jobs this connection cannot carry. */
  onSurplus(readers: readonly Reader[]): void
}

/** What a connection is made of. */
export interface ConnectionOptions
  extends Capacity,
    Pick<Settings, 'firstLook' | 'staggerMs' | 'probeTimeoutMs' | 'unknownJobGraceMs' | 'bufferBytes' | 'retry'> {
  /** The transports that are supported here, in order of preference. */
  transports: readonly Transport[]
  /** Makes single reads; `undefined` where the backend has none, so that links do everything. */
  readOnce: Transport | undefined
  /** What every request has in common. */
  request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'>
  /** Calls the token source and the header source. */
  authorize(): Promise<Credentials>
  /** Whether the token source may give other credentials at a second call. */
  canReauthorize: boolean
  /** When the server answered a request beside the links last, such as a start, in ms since 1970; 0: never. */
  answeredAt(): number
  /** What is known of the transports. */
  hints: Hints
  /** The page that the client lives in. */
  page: Page
  /** Reports a diagnostic. */
  emit: Emit
  /** Tells the developer that the first race has delivered nothing. */
  warn(message: string): void
}
