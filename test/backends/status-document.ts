/** A backend for a status document. It polls the document, and each observed change is an event. It can cancel, but not start. */

import { delay } from '../../src/async/signals.ts'
import { TransportError } from '../../src/errors.ts'
import { isControl, type JobSnapshot } from '../../src/protocol/frames.ts'
import { fetchReading, textOf } from '../../src/transports/http.ts'
import type { Backend, Batch, OpenRequest, RequestContext, Transport } from '../../src/types.ts'

/** The server's answer. */
export interface Status {
  state: 'PENDING' | 'RUNNING' | 'DONE' | 'BROKEN'
  percent: number
  output?: unknown
}

const STATUS = { PENDING: 'queued', RUNNING: 'running', DONE: 'succeeded', BROKEN: 'failed' } as const

/** `everyMs`: the pause between two polls. */
export const statusDocument = (everyMs: number): Backend => ({
  transports: [poll('status', everyMs)],
  readOnce: poll('status-once', undefined),
  expected: (what, value) =>
    typeof value === 'string' && value.startsWith('report-') ? undefined : `${what === 'after' ? 'a revision' : 'an id'} that begins with "report-"`,
  async snapshot(request, job) {
    const status = await ask(request, job)
    const end = { DONE: { result: status.output }, BROKEN: { error: { code: 'broken', message: 'it broke' } }, PENDING: {}, RUNNING: {} }[status.state]
    return {
      id: job,
      status: STATUS[status.state],
      epoch: 'document',
      seq: 0,
      cursor: `report-${status.percent}`,
      progress: { ratio: status.percent / 100 },
      ...end
    } satisfies JobSnapshot
  },
  async cancel(request, job) {
    const answer = await fetchReading(request, { url: new URL(`${request.base.href}/${job}/abort`), method: 'POST' })
    if (isControl(answer)) throw new TransportError('status', answer.message, { status: answer.status })
    await textOf(answer)
  }
})

async function ask(request: RequestContext, job: string): Promise<Status> {
  const answer = await fetchReading(request, { url: new URL(`${request.base.href}/${job}`), accept: 'application/json' })
  if (isControl(answer)) throw new TransportError('status', answer.message, { status: answer.status })
  return JSON.parse(await textOf(answer))
}

const poll = (name: string, everyMs: number | undefined): Transport => ({
  name,
  traits: { polls: 'short' },
  isSupported: () => true,
  open: (request) => ({ frames: read(request, everyMs) })
})

async function* read(request: OpenRequest, everyMs: number | undefined): AsyncGenerator<Batch, void> {
  const [asked] = request.jobs
  if (!asked) return
  const { job, after, epoch = 'document', seq = 0 } = asked
  let number = seq
  let cursor = after ?? 'report-none'
  for (let isFirst = true; ; isFirst = false) {
    const status = await ask(request, job)
    if (isFirst)
      yield [
        { control: 'hello', protocol: 1 },
        { control: 'subscribed', job, epoch, seq, cursor, status: STATUS[status.state] }
      ]
    const next = `report-${status.percent}`
    const event = (type: string, data: unknown) => ({ id: cursor, seq: ++number, job, type, time: new Date().toISOString(), data })
    const isOver = status.state === 'DONE' || status.state === 'BROKEN'
    if (next !== cursor || isOver) {
      cursor = next
      yield [event('progress', { ratio: status.percent / 100 })]
    } else yield []
    if (isOver) yield [status.state === 'DONE' ? event('succeeded', status.output) : event('failed', { code: 'broken', message: 'it broke' })]
    if (isOver || everyMs === undefined) return
    await delay(everyMs, request.signal)
  }
}
