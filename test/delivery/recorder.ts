import type { Reader } from '../../src/delivery/reader.ts'
import { startingAt } from '../../src/policy/position.ts'
import type { Subscribed, WireEvent } from '../../src/protocol/frames.ts'

/** A reader that writes down what it is told, in words. */
export interface Recorder extends Reader {
  readonly heard: string[]
  full: boolean
}

export function record(job: string, after?: string): Recorder {
  const heard: string[] = []
  return {
    job,
    position: startingAt(after),
    full: false,
    paused: false,
    behind: false,
    heard,
    event: ({ id }) => heard.push(id),
    gap: ({ missed, reason }, { cursor }) => heard.push(`gap of ${missed} after ${cursor}: ${reason}`),
    subscribed: (status) => heard.push(status),
    done: () => heard.push('done'),
    fail: ({ code }) => heard.push(`fail: ${code}`),
    connection: ({ phase }) => heard.push(phase)
  }
}

export const event = (job: string, epoch: string, seq: number, type = 'progress'): WireEvent => ({
  id: `${epoch}-${seq}`,
  seq,
  job,
  type,
  time: '2026-11-21T01:02:03.456Z',
  data: null
})

export const subscribed = (job: string, epoch: string, seq: number, ref?: number): Subscribed => ({
  control: 'subscribed',
  job,
  epoch,
  seq,
  cursor: `${epoch}-${seq}`,
  status: 'running',
  ...(ref === undefined ? {} : { ref })
})
