/** What the page is told to measure, and what it answers. */

/** Whose events: the kit's (`createJobServer`), or those of a server that does nothing but send them. */
export type Source = 'kit' | 'plain'

export type Task =
  | { do: 'replay'; events: number }
  /** `isPaced`: each event in a turn of the server's own, else one after another as fast as each is taken. `idle`: jobs followed beside. */
  | { do: 'burst'; events: number; isPaced: boolean; idle: number }
  | { do: 'join'; jobs: number }
  | { do: 'first' }

export interface Spec {
  task: Task
  contestant: string
  /** Unique: jobs are named after it. */
  id: string
  /** The origin of who measures, reached without the delay. */
  control: string
  /** From when on the page gives up. */
  timeoutMs: number
}

/** In ms, and in µs an event; `main…`: processor time of the page's main thread. */
export type Measured = Partial<Record<'ms' | 'firstMs' | 'liveMs' | 'mainMs' | 'mainMicros' | 'eventMicros', number>>

export const replayed = (events: number): string => `replay-${events}`

/** Ms since 1970 by the monotonic clock: the server's and the page's agree within about a millisecond, since it is one machine. */
export const clock = (): number => performance.timeOrigin + performance.now()
