/** A link that a test reads. */

import { type Frame, isControl, type WireEvent } from '../../src/protocol/frames.ts'
import type { Batch, Link, OpenRequest, Transport } from '../../src/types.ts'

export interface Reader {
  readonly link: Link
  readonly frames: AsyncIterator<Frame | Batch>
  /** Everything that has come. */
  readonly had: Frame[]
  readonly events: WireEvent[]
  abort(reason?: unknown): void
  /** Pulls until the condition holds or the link ends. Rejects with the link's error. */
  until(holds: (reader: Reader) => boolean): Promise<Reader>
  /** Pulls until there are this many events. */
  untilEvents(count: number): Promise<Reader>
  untilControl(control: string): Promise<Reader>
  toEnd(): Promise<Reader>
}

export type Asked = { job: string; after?: string; ref?: number }

/** Opens a link for the jobs, without pulling anything. */
export function openReader(transport: Transport, base: URL, jobs: readonly Asked[] = [{ job: '42' }], more: Partial<OpenRequest> = {}): Reader {
  const controller = new AbortController()
  const link = transport.open({
    base,
    jobs: jobs.map((each, index) => ({ ref: index + 1, ...each })),
    windowBytes: Infinity,
    isFresh: false,
    headers: new Headers(),
    credentials: 'same-origin',
    signal: controller.signal,
    fetch: globalThis.fetch,
    WebSocket: globalThis.WebSocket,
    ...more
  })
  const frames = link.frames[Symbol.asyncIterator]()
  const had: Frame[] = []

  const reader: Reader = {
    link,
    frames,
    had,
    get events() {
      return had.filter((frame): frame is WireEvent => !isControl(frame))
    },
    abort: (reason) => controller.abort(reason),
    async until(holds) {
      while (!holds(reader)) {
        const { done, value } = await frames.next()
        if (done) break
        for (const frame of [value].flat() as Frame[]) had.push(frame) // as: flat() forgets what readonly arrays hold
      }
      return reader
    },
    untilEvents: (count) => reader.until(({ events }) => events.length >= count),
    untilControl: (control) => reader.until(() => had.some((frame) => isControl(frame) && frame.control === control)),
    toEnd: () => reader.until(() => false)
  }
  return reader
}
