/** The orders to the page, and its answers. */

/** The server of the events: the kit (`createJobServer`), or one that only sends them. */
export type Source = 'kit' | 'plain'

export type Task =
  | { do: 'replay'; events: number }
  /** `isPaced`: each event in its own turn of the server's event loop; else as fast as the log takes them. `idle`: how many idle jobs to follow, too. */
  | { do: 'burst'; events: number; isPaced: boolean; idle: number }
  | { do: 'join'; jobs: number }
  | { do: 'first' }

export interface Spec {
  task: Task
  contestant: string
  /** Unique, since it names the jobs. */
  id: string
  /** The origin of the measuring process, which is reached without the relay's delay. */
  control: string
  /** The page gives up after this long. */
  timeoutMs: number
}

/** In ms, or in µs per event. `main…`: CPU time of the page's main thread. */
export type Measured = Partial<Record<'ms' | 'firstMs' | 'liveMs' | 'mainMs' | 'mainMicros' | 'eventMicros', number>>

export const replayed = (events: number): string => `replay-${events}`

/** Ms since 1970 by the monotonic clock. On one machine the server's and the page's agree within about a millisecond. */
export const clock = (): number => performance.timeOrigin + performance.now()
