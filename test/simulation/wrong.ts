/** The checks. Each finds something of its own, and a deliberate mistake names those that must find it. */
export type Check =
  /** Each event is one of the log, and comes once, in order. */
  | 'exactly once'
  /** Left-out events are reported as a gap, and only retention or a new epoch has removed them. */
  | 'gap'
  /** A reader begins where it asked to, and never returns to an earlier epoch. */
  | 'start'
  /** A loop ends after the terminal event, not before, with the job's result. */
  | 'end'
  /** Each error has a right cause. */
  | 'error'
  /** Every reader is up to date some time after the last fault, and ends after its job has ended. */
  | 'progress'
  /** The reading of a job whose reader is full is closed. */
  | 'backpressure'
  /** A dead connection is closed. */
  | 'silence'
  /** A link takes over once it has subscribed, and the one before is closed. */
  | 'takeover'
  /** A client opens no more connections than it needs, and few without success. */
  | 'connections'
  /** Pauses grow while no connection lasts. */
  | 'backoff'
  /** No delay makes timers fire in a loop. */
  | 'timers'
  /** What a server may do by the protocol is no failure of the connection. */
  | 'protocol'
  /** A stream with a used-up window is followed by another one, and not lost. */
  | 'window'
  /** A client keeps the pause that a server asks for. */
  | 'Retry-After'
  /** A closed client leaves nothing behind. */
  | 'leaks'
  /** Nothing is printed on the console, and no rejection is unhandled. */
  | 'console'

/** A check has failed. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
  readonly check: Check

  constructor(check: Check, what: string) {
    super(`${check}: ${what}`)
    this.check = check
  }
}
