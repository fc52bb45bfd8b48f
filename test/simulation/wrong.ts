/** Each of these finds something of its own: a deliberate mistake says which of them it is for. */
export type Check =
  /** An event is the log's own, and comes once, in order. */
  | 'exactly once'
  /** What is left out is told, and only what retention or a new epoch took. */
  | 'gap'
  /** A reader begins where it asked to, and never goes back to an epoch that it left. */
  | 'start'
  /** A loop ends after the terminal event and no sooner, with its result. */
  | 'end'
  /** What is thrown has a reason. */
  | 'error'
  /** Everybody has everything some time after all is well again, and ends after the jobs do. */
  | 'progress'
  /** The reading of a job whose reader is full is let go. */
  | 'backpressure'
  /** A connection that is dead is given up. */
  | 'silence'
  /** A link takes over once it reads, and the one before is let go. */
  | 'takeover'
  /** No more connections than needed, nor in vain. */
  | 'connections'
  /** Ever longer pauses where nothing lasts. */
  | 'backoff'
  /** No number makes timers fire in a loop. */
  | 'timers'
  /** What is still the server's own business is no failure of the path. */
  | 'protocol'
  /** A stream whose window is used up is followed by another one, and not lost. */
  | 'window'
  /** A server that asks for a pause is given it. */
  | 'Retry-After'
  /** Nothing is left of a closed client. */
  | 'leaks'
  /** Nothing is said on the console, and no rejection is left unhandled. */
  | 'console'

/** The simulation has found something wrong. */
export class Wrong extends Error {
  override readonly name = 'Wrong'
  readonly check: Check

  constructor(check: Check, what: string) {
    super(`${check}: ${what}`)
    this.check = check
  }
}
