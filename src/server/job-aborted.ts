/** The reason with which a running job's signal is aborted, and the terminal event that follows from it. */
export class JobAborted extends Error {
  override readonly name = 'AbortError'
  readonly kind: 'cancelled' | 'shutdown' | 'timeout' | 'lost'
  /** `undefined`: the job has ended already, or another owner holds its lease. */
  readonly terminalEvent: { type: 'cancelled' | 'failed'; data: object } | undefined

  constructor(why: JobAborted['kind'], message: string, ending?: JobAborted['terminalEvent']) {
    super(message)
    this.kind = why
    this.terminalEvent = ending
  }
}

export const abortedByCancel = (jobId: string, data: object): JobAborted =>
  new JobAborted('cancelled', `job ${JSON.stringify(jobId)} was cancelled`, { type: 'cancelled', data })

export const abortedByLoss = (jobId: string): JobAborted =>
  new JobAborted('lost', `job ${JSON.stringify(jobId)}: this run lost the job's lease, or somebody else has ended the job`)

export const abortedByShutdown = (): JobAborted =>
  new JobAborted('shutdown', 'the server was closed', { type: 'failed', data: { code: 'shutdown', message: 'the server was closed', retryable: true } })

export const abortedByTimeout = (timeoutMs: number): JobAborted =>
  new JobAborted('timeout', `the job ran for longer than ${timeoutMs} ms (timeoutMs)`, {
    type: 'failed',
    data: { code: 'timeout', message: `the job ran for longer than ${timeoutMs} ms` }
  })
