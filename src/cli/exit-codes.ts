/** What a process ends with: documented in README ("Exit codes"), so that a script can tell one end from another. */

export const EXIT = {
  succeeded: 0,
  failed: 1,
  usage: 2,
  cancelled: 3,
  /** EX_UNAVAILABLE of sysexits.h: not reached, refused, unknown, or lost on the way. */
  unavailable: 69,
  /** EX_SOFTWARE: a bug of this command's. */
  bug: 70,
  /** EX_TEMPFAIL: it has not ended yet; asking again later helps. */
  notYet: 75,
  /** As timeout(1). */
  timeout: 124,
  /** 128 and the signal's number, as a shell has it. */
  interrupted: 130,
  terminated: 143
} as const

/** Ends the command with this exit code and this line on stderr. An empty message says nothing. */
export class Exit extends Error {
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** What was asked for is not possible: the message says why, and what is. */
export class UsageError extends Exit {
  constructor(message: string) {
    super(EXIT.usage, message)
  }
}
