import { startingAt } from '../../src/policy/position.ts'
import type { Subscribed, WireEvent } from '../../src/protocol/frames.ts'
import type { Mode, Reader } from '../../src/types.ts'

/** A reader that records what it gets, in words. */
export interface Recorder extends Reader {
  readonly heard: string[]
  /** Each event as it was delivered, and its estimated memory. */
  readonly events: { event: WireEvent; bytes: number | undefined }[]
  mode: Mode
  /** The room that it has, in bytes. */
  room: number
}

export function record(job: string, after?: string): Recorder {
  const heard: string[] = []
  const events: Recorder['events'] = []
  const own: Recorder = {
    job,
    position: startingAt(after),
    mode: 'link',
    room: Infinity,
    heard,
    events,
    setMode(mode) {
      own.mode = mode
    },
    roomBytes: () => own.room,
    event(event, bytes) {
      heard.push(event.id)
      events.push({ event, bytes })
    },
    gap: ({ missed, reason }, { cursor }) => heard.push(`gap of ${missed} after ${cursor}: ${reason}`),
    subscribed: (status) => heard.push(status),
    done: () => heard.push('done'),
    fail: ({ code }) => heard.push(`fail: ${code}`),
    connection: ({ phase }) => heard.push(phase)
  }
  return own
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
