/** Replaces the sharing between tabs: the clients of one process, one of which at a time leads and reads the jobs of the others. */

import { createQueue } from '../../src/async/queue.ts'
import type { Frame } from '../../src/protocol/frames.ts'
import type { JobCursor, Mode, OpenRequest, Reader, Share, ShareHost, Transport } from '../../src/types.ts'

export interface Hub {
  /** Passed to each client as its `share` option. */
  share: Share
  /** Makes a client the leader, by the order in which the clients were created. `undefined`: there is no leader. */
  lead(index: number | undefined): void
  /** How many readers the leader has for other clients. */
  readonly carried: number
}

export function createHub(): Hub {
  const hosts: ShareHost[] = []
  const listeners = new Set<() => void>()
  const readers = new Set<Reader>()
  let leader: ShareHost | undefined

  return {
    share(host) {
      hosts.push(host)
      const transport: Transport = {
        name: 'shared',
        isSupported: () => true,
        availability: {
          get isAvailable() {
            return leader !== undefined && leader !== host
          },
          onChange(listener) {
            listeners.add(listener)
            return () => void listeners.delete(listener)
          }
        },
        open: (request) => follow(leader, request)
      }
      return transport
    },
    lead(index) {
      leader = index === undefined ? undefined : hosts[index]
      for (const listener of [...listeners]) listener()
    },
    get carried() {
      return readers.size
    }
  }

  function follow(host: ShareHost | undefined, { jobs, signal }: OpenRequest): ReturnType<Transport['open']> {
    const inbox = createQueue<readonly Frame[]>()
    const open = new Map<string, { ref: number; reader: Reader }>()
    const leave = (job: string): void => {
      const reader = open.get(job)?.reader
      if (!reader) return
      open.delete(job)
      readers.delete(reader)
      host?.leave(reader)
    }
    const over = (): void => {
      for (const job of [...open.keys()]) leave(job)
    }
    const update = (wanted: readonly JobCursor[]): void => {
      for (const job of [...open.keys()]) if (!wanted.some((each) => each.job === job)) leave(job)
      for (const asked of wanted) {
        if (open.get(asked.job)?.ref === asked.ref) continue
        leave(asked.job)
        const reader = readerOf(
          asked,
          (frame) => inbox.push([frame]),
          (own) => host?.changed(own)
        )
        open.set(asked.job, { ref: asked.ref, reader })
        readers.add(reader)
        host?.join(reader)
        // A reader that has a position begins there. The leader may be past it already, and does not report `subscribed` again.
        if (asked.epoch) reader.subscribed('running')
      }
    }
    signal.addEventListener('abort', () => {
      over()
      inbox.end(signal.reason)
    })
    const stop = (): void => inbox.end()
    listeners.add(() => leader !== host && stop())
    return {
      frames: {
        [Symbol.asyncIterator]() {
          inbox.push([{ control: 'hello', protocol: 1, mux: 128 }])
          update(jobs)
          return {
            next: inbox.next,
            async return() {
              over()
              return { done: true, value: undefined }
            }
          }
        }
      },
      update
    }
  }
}

/** A reader whose frames go to another client's link. */
function readerOf({ job, after, epoch, seq = 0, ref }: JobCursor, push: (frame: Frame) => void, changed: (reader: Reader) => void): Reader {
  let mode: Mode = 'link'
  const reader: Reader = {
    job,
    position: { epoch, seq, cursor: after, left: [] },
    get mode() {
      return mode
    },
    setMode(next) {
      mode = next
      changed(reader)
    },
    roomBytes: () => Infinity,
    subscribed(status) {
      const { epoch = '', seq, cursor = '' } = reader.position
      push({ control: 'subscribed', job, ref, epoch, seq, cursor, status })
    },
    event: (event) => push(event),
    gap() {},
    done: () => push({ control: 'done', job, cursor: reader.position.cursor ?? '' }),
    fail: (error) => push({ control: 'error', job, status: error.status ?? 503, code: error.code, message: error.message }),
    connection() {}
  }
  return reader
}
