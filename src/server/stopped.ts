/** Why a running job's signal was aborted, and how its log then ends. */
export class Stopped extends Error {
  override readonly name = 'AbortError'
  readonly why: 'cancelled' | 'shutdown' | 'timeout' | 'lost'
  /** Undefined: it has ended already, or is somebody else's. */
  readonly ending: { type: 'cancelled' | 'failed'; data: object } | undefined

  constructor(why: Stopped['why'], message: string, ending?: Stopped['ending']) {
    super(message)
    this.why = why
    this.ending = ending
  }
}

export const cancelledBy = (jobId: string, data: object): Stopped =>
  new Stopped('cancelled', `job ${JSON.stringify(jobId)} was cancelled`, { type: 'cancelled', data })

export const lost = (jobId: string): Stopped =>
  new Stopped('lost', `job ${JSON.stringify(jobId)} is not ours any more: it has ended meanwhile, or its lease was lost`)

export const shutDown = (): Stopped =>
  new Stopped('shutdown', 'the server was closed', { type: 'failed', data: { code: 'shutdown', message: 'the server was closed', retryable: true } })

export const timedOut = (timeoutMs: number): Stopped =>
  new Stopped('timeout', `the job took longer than ${timeoutMs} ms`, {
    type: 'failed',
    data: { code: 'timeout', message: `the job took longer than ${timeoutMs} ms` }
  })
