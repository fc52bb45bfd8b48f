/** Transports without a network: a script decides what each link does. */

import { createQueue } from '../../src/async/queue.ts'
import { type FailureReason, TransportError } from '../../src/errors.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import type { Batch, OpenRequest, Transport } from '../../src/types.ts'
import type { VirtualLog } from './virtual-log.ts'
import { networkTimer } from './virtual-time.ts'

export interface VirtualLink {
  readonly transport: string
  readonly request: OpenRequest
  /** In ms of virtual time. */
  readonly startedAt: number
  readonly isOpen: boolean
  /** The jobs of the latest request. */
  readonly jobs: OpenRequest['jobs']
  /** The jobs of each request. */
  readonly lists: OpenRequest['jobs'][]
  push(...frames: Frame[]): void
  /** The same, with the size of the frames on the wire. */
  pushBatch(frames: Batch): void
  /** Reports that the link has opened, without a frame. */
  opened(): void
  end(): void
  fail(reason: FailureReason, status?: number, retryAfterMs?: number): void
  /** Calls back after so many ms, unless the link has ended by then. */
  after(ms: number, act: () => void): void
  onUpdate(listener: () => void): void
  onOver(listener: () => void): void
}

/** What a link does after it was opened. */
export type Script = (link: VirtualLink) => void

export interface VirtualTransport extends Transport {
  script: Script
}

export interface TransportOptions {
  /** Whether a link can change its jobs in place. */
  canUpdate?: boolean
}

export function virtualTransport(name: string, links: VirtualLink[], script: Script, { canUpdate = true }: TransportOptions = {}): VirtualTransport {
  const transport: VirtualTransport = {
    name,
    script,
    traits: { hidesStatus: name === 'websocket', ...(name.endsWith('-poll') && { polls: name === 'long-poll' ? 'long' : 'short' }) },
    isSupported: () => true,
    open(request) {
      const queue = createQueue<Batch>()
      const life = new AbortController()
      const lists = [request.jobs]
      let update = (): void => {}
      const over = (error?: unknown): void => {
        life.abort()
        queue.end(error)
      }
      const link: VirtualLink = {
        transport: name,
        request,
        startedAt: performance.now(),
        get isOpen() {
          return !life.signal.aborted
        },
        get jobs() {
          return lists.at(-1) ?? []
        },
        lists,
        push: (...frames) => queue.push(frames),
        pushBatch: (frames) => queue.push(frames),
        opened: () => queue.push([]),
        end: () => over(),
        fail: (reason, status, retryAfterMs) => over(new TransportError(reason, `made to fail: ${reason}`, { status, retryAfterMs })),
        after(ms, act) {
          if (life.signal.aborted) return
          const timer = networkTimer(() => link.isOpen && act(), ms)
          life.signal.addEventListener('abort', () => clearTimeout(timer))
        },
        onUpdate(listener) {
          update = listener
        },
        onOver: (listener) => life.signal.addEventListener('abort', listener)
      }
      return {
        frames: {
          [Symbol.asyncIterator]() {
            links.push(link)
            request.signal.addEventListener('abort', () => over(request.signal.reason), { once: true })
            transport.script(link)
            return {
              next: () => queue.next(),
              return() {
                over()
                return Promise.resolve({ done: true, value: undefined })
              }
            }
          }
        },
        ...(canUpdate
          ? {
              update(jobs: OpenRequest['jobs']) {
                lists.push(jobs)
                update()
              }
            }
          : {})
      }
    }
  }
  return transport
}

export interface ServingOptions {
  /** The round trip in ms. */
  delayMs?: number
  mux?: number
  heartbeatMs?: number
  /** How many ms after `hello` a job is `subscribed`. */
  subscribedMs?: number
}

/** Reads the log as a server does. */
export const serving =
  (log: VirtualLog, { delayMs = 10, mux = 128, heartbeatMs = 15_000, subscribedMs = 0 }: ServingOptions = {}): Script =>
  (link) => {
    const positions = new Map<string, number>()
    const asked = new Map<string, number>()

    const send = (job: string): void => {
      const position = positions.get(job)
      if (position === undefined || !link.isOpen) return
      const { frames, seq, done } = log.framesAfter(job, position)
      if (frames.length > 0) link.push(...frames)
      if (done) positions.delete(job)
      else positions.set(job, seq)
    }
    const read = (jobs: OpenRequest['jobs'], isFirst: boolean): void => {
      for (const job of positions.keys()) if (!jobs.some((each) => each.job === job)) positions.delete(job)
      for (const { job, after, ref } of jobs) {
        if (asked.get(job) === ref) continue
        asked.set(job, ref)
        if (!log.has(job)) {
          link.push({ control: 'error', job, status: 404, code: 'unknown-job', message: 'no such job' })
          continue
        }
        const position = log.positionOf(job, after)
        positions.set(job, position)
        link.push(log.subscribed(job, position, isFirst ? undefined : ref))
        send(job)
      }
    }
    link.after(delayMs, () => {
      link.push({ control: 'hello', protocol: 1, heartbeatMs, mux })
      link.after(subscribedMs, () => {
        read(link.request.jobs, true)
        read(link.jobs, false) // the jobs may have changed while the link was opening
        link.onUpdate(() => link.after(delayMs, () => read(link.jobs, false)))
      })
      const beat = (): void => {
        link.push({ control: 'heartbeat' })
        link.after(heartbeatMs, beat)
      }
      link.after(heartbeatMs, beat)
      link.onOver(log.onChange(send))
    })
  }

/** Never answers. */
export const hanging: Script = () => {}

/** Opens, and delivers no frame. */
export const mute: Script = (link) => link.after(10, () => link.opened())

export const failing =
  (reason: FailureReason, status?: number, afterMs = 0, retryAfterMs?: number): Script =>
  (link) =>
    link.after(afterMs, () => link.fail(reason, status, retryAfterMs))

/** Runs another script for so many ms, then the connection is cut. */
export const dying =
  (script: Script, afterMs: number): Script =>
  (link) => {
    script(link)
    link.after(afterMs, () => link.fail('cut'))
  }
