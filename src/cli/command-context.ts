/** Everything that a command reads and writes outside of itself. */

export interface Sink {
  write(text: string): void
  /** The width of the terminal; `undefined` where the output goes to a file or another program. */
  columns(): number | undefined
}

export interface CommandContext {
  stdout: Sink
  stderr: Sink
  env: Readonly<Record<string, string | undefined>>
  /** All of stdin, as text. */
  stdin(): Promise<string>
  /** Imports a module of the user's, by its path relative to the working directory. */
  load(path: string): Promise<{ default?: unknown }>
  /** Asks a yes-or-no question on the terminal; `undefined` where stdin or stderr is no terminal. */
  confirm: ((question: string) => Promise<boolean>) | undefined
  /** Aborted at Ctrl-C and SIGTERM, with an `Exit` as its reason. */
  signal: AbortSignal
}
