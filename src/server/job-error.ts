/** Options of `JobError`. */
export interface JobErrorOptions {
  /**
   * Whether starting the job again may succeed.
   *
   * @defaultValue left out: readers are told neither
   */
  retryable?: boolean
  /** Any value that JSON can carry. Readers get it as `details`. */
  details?: unknown
  /** The error behind this one. `onError` gets it, readers don't. */
  cause?: unknown
}

/**
 * An error that readers see: thrown by work, it becomes `failed {code, message, retryable?, details?}`. Of any other error readers see only
 * `{code: 'error', message: 'the job has failed'}`, unless `exposeErrors` is set. `onError` gets every error.
 *
 * ```ts
 * throw new JobError('no-such-page', 'the report has no page 7', { retryable: false, cause: error })
 * ```
 */
export class JobError extends Error {
  override readonly name = 'JobError'
  /** Readers get it as `code`. */
  readonly code: string
  /** Readers get it as `retryable`, where it is not `undefined`. */
  readonly retryable: boolean | undefined
  /** Readers get it as `details`, where it is not `undefined`. */
  readonly details: unknown

  /** `code` is for programs, such as `'no-such-file'`; `message` is for people. */
  constructor(code: string, message: string, { retryable, details, cause }: JobErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause })
    this.code = code
    this.retryable = retryable
    this.details = details
  }
}

export interface Failure {
  code: string
  message: string
  retryable?: boolean
  details?: unknown
}

/** The data of `failed` for an error. Recognises a `JobError` by its name, since a bundler may put two copies of the class into one process. */
export function failureOf(error: unknown, exposeErrors: boolean): Failure {
  if (error instanceof Error && error.name === 'JobError') {
    const { code, message, retryable, details } = error as JobError // as: its name says so
    return { code: String(code), message, ...(retryable === undefined ? {} : { retryable }), ...(details === undefined ? {} : { details }) }
  }
  if (!exposeErrors) return { code: 'error', message: 'the job has failed' }
  if (!(error instanceof Error)) return { code: 'error', message: String(error) }
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : 'error', message: error.message }
}
