/** Reads jobs from the simulated logs as frames, for one connection (PROTOCOL.md §6). */

import type { Frame } from '../../src/protocol/frames.ts'
import { cursorOf, type Log, type Place } from './log.ts'

export interface Ask {
  job: string
  after?: string | undefined
  ref?: number | undefined
}

export interface Follow {
  readonly size: number
  readonly jobs: ReadonlySet<string>
  /** Whether there is more to read than the last page. */
  readonly isBehind: boolean
  subscribe(ask: Ask): void
  unsubscribe(job: string): void
  /** The new frames, with at most so many events of a job. */
  read(limit: number): Frame[]
  /** Sends `subscribed` again, from so many events further back. */
  rewind(job: string, by: number): boolean
  /** The last events of a job that were read, at most so many. */
  latest(job: string, count: number): Frame[]
  fail(job: string, status: number, code: string, retryAfterMs?: number): Frame[]
  /** Whether the log has new events, or can't be read any more. */
  isNews(job: string): boolean
}

interface Reading extends Ask {
  at: Place | undefined
  /** `subscribed` is due although nothing has changed. */
  isRewound?: boolean
}

export function createFollow(logs: ReadonlyMap<string, Log>): Follow {
  const readings = new Map<string, Reading>()
  let isBehind = false

  function refusal(reading: Reading, log: Log | undefined): Frame | undefined {
    const { job } = reading
    const [status, code] = !log ? [404, 'unknown-job'] : log.refusal === 403 ? [403, 'forbidden'] : [log.refusal, 'history-gone']
    return status ? { control: 'error', job, status, code, message: `refused (${status})` } : undefined
  }

  function readJob(reading: Reading, limit: number): Frame[] {
    const { job, ref } = reading
    const log = logs.get(job)
    const refused = refusal(reading, log)
    if (refused || !log) {
      readings.delete(job)
      return refused ? [refused] : []
    }
    const frames: Frame[] = []
    const { at } = reading
    const isCut = at && (at.epoch !== log.epoch || at.seq < log.epoch.dropped)
    let place = at && !isCut ? at : log.placeOf(at ? cursorOf(at) : reading.after)
    if (!at || isCut || reading.isRewound) {
      const { epoch, seq } = place
      const isAnswer = !at && ref !== undefined
      frames.push({ control: 'subscribed', job, epoch: epoch.name, seq, cursor: cursorOf(place), status: log.status(), ...(isAnswer && { ref }) })
    }
    reading.isRewound = false
    const { events } = place.epoch
    const page = events.slice(place.seq, place.seq + limit)
    frames.push(...page)
    place = { epoch: place.epoch, seq: place.seq + page.length }
    reading.at = place
    if (place.seq < events.length) isBehind = true
    else if (log.ended) {
      frames.push({ control: 'done', job, cursor: cursorOf(place) })
      readings.delete(job)
    }
    return frames
  }

  return {
    get size() {
      return readings.size
    },
    get jobs() {
      return new Set(readings.keys())
    },
    get isBehind() {
      return isBehind
    },
    subscribe(ask) {
      readings.set(ask.job, { ...ask, at: undefined })
    },
    unsubscribe: (job) => void readings.delete(job),
    read(limit) {
      isBehind = false
      return [...readings.values()].flatMap((reading) => readJob(reading, limit))
    },
    rewind(job, by) {
      const reading = readings.get(job)
      const { at } = reading ?? {}
      if (!reading || !at || at.epoch !== logs.get(job)?.epoch) return false
      const seq = Math.max(at.epoch.dropped, at.seq - by)
      if (seq >= at.seq) return false
      Object.assign(reading, { at: { epoch: at.epoch, seq }, isRewound: true })
      return true
    },
    latest(job, count) {
      const { at } = readings.get(job) ?? {}
      return at ? at.epoch.events.slice(Math.max(at.epoch.dropped, at.seq - count), at.seq) : []
    },
    fail(job, status, code, retryAfterMs) {
      if (!readings.delete(job)) return []
      return [{ control: 'error', job, status, code, message: `refused (${status})`, ...(retryAfterMs && { retryAfterMs }) }]
    },
    isNews(job) {
      const log = logs.get(job)
      const { at } = readings.get(job) ?? {}
      return !log || !!log.refusal || !at || at.epoch !== log.epoch || at.seq < log.epoch.dropped || at.seq < log.epoch.events.length || log.ended
    }
  }
}
