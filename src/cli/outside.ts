/** The world outside of a command, as an argument. */

export interface Sink {
  write(text: string): void
  /** How wide the terminal is that shows it; `undefined` for a file, or a program that reads it. */
  columns(): number | undefined
}

export interface Outside {
  stdout: Sink
  stderr: Sink
  env: Readonly<Record<string, string | undefined>>
  /** All of stdin, as text. */
  stdin(): Promise<string>
  /** Asks on the terminal; `undefined` where nobody sits there. */
  confirm: ((question: string) => Promise<boolean>) | undefined
  /** Aborts at Ctrl-C and at SIGTERM, with an `Exit`. */
  signal: AbortSignal
}
