/** The exit codes, as docs/API.md lists them for scripts. */

export const EXIT = {
  succeeded: 0,
  failed: 1,
  usage: 2,
  cancelled: 3,
  /** EX_UNAVAILABLE of sysexits.h: the server can't be reached, refuses, doesn't know the job, or was lost. */
  unavailable: 69,
  /** EX_SOFTWARE: a bug of this command. */
  bug: 70,
  /** EX_TEMPFAIL: the job has not ended yet. */
  notYet: 75,
  /** The exit code of timeout(1). */
  timeout: 124,
  /** 128 plus the signal's number, as shells report it. */
  interrupted: 130,
  terminated: 143
} as const

/** Ends the command with this exit code, and prints the message on stderr. An empty message prints nothing. */
export class Exit extends Error {
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

/** Wrong usage: the message says what was expected and what came. */
export class UsageError extends Exit {
  constructor(message: string) {
    super(EXIT.usage, message)
  }
}
