export interface JobErrorOptions {
  /** Whether it may work if it is started again. Default: nothing is said of it. */
  retryable?: boolean
  /** Anything that JSON can carry, for readers. */
  details?: unknown
  /** For `onError`; readers don't see it. */
  cause?: unknown
}

/** A failure that readers are told of: what work throws otherwise reaches `onError`, and readers only learn that the job has failed. */
export class JobError extends Error {
  override readonly name = 'JobError'
  readonly code: string
  readonly retryable: boolean | undefined
  readonly details: unknown

  /** `code`: what a program tells it by, such as `'no-such-file'`. `message`: for people. */
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

/** The data of `failed`. Known by its name, since an application may have two copies of this class. */
export function failureOf(error: unknown, exposeErrors: boolean): Failure {
  if (error instanceof Error && error.name === 'JobError') {
    const { code, message, retryable, details } = error as JobError // as: by its name
    return { code: String(code), message, ...(retryable === undefined ? {} : { retryable }), ...(details === undefined ? {} : { details }) }
  }
  if (!exposeErrors) return { code: 'error', message: 'the job has failed' }
  if (!(error instanceof Error)) return { code: 'error', message: String(error) }
  return { code: 'code' in error && typeof error.code === 'string' ? error.code : 'error', message: error.message }
}
