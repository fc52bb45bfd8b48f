/** What a job's state looks like: every text of the element, as data. */

import type { JobState } from '../index.ts'
import { isEnd } from './announce.ts'
import { percentIn, timeIn, type Words } from './words.ts'

/** What is known of a job, beside its state. */
export interface Knowledge {
  state: JobState
  /** From 0 to 1: `ratioOf` its state. */
  ratio: number | undefined
  /** The place in the queue that the job had when it came. */
  position: number | undefined
  /** The time left, in ms. */
  leftMs: number | undefined
  /** There has been no connection for a while. */
  isLost: boolean
  /** The server has not taken the cancellation. */
  isRefused: boolean
}

/** What is seen. An empty text is not shown. */
export interface Picture {
  /** The job's status; `error` where it can no longer be followed. */
  status: JobState['status'] | 'error'
  /** From 0 to 1; `undefined`: nobody knows. */
  ratio: number | undefined
  /** How much is done, in figures. */
  value: string
  /** What is being done. */
  stage: string
  /** The time left. */
  left: string
  /** What is wrong with the connection, or with the cancellation. */
  connection: string
  /** Why there is no result. */
  error: string
}

/** A word in the page's language, with a value in it. */
export type WordOf = (name: keyof Words, value?: string) => string

/** How much is done, from 0 to 1; `before` until the server has told anything. A server may send any number. */
export function ratioOf({ status, progress }: JobState, before: number | undefined): number | undefined {
  const ratio = status === 'succeeded' ? 1 : status === 'unknown' ? before : progress?.ratio
  return typeof ratio === 'number' && ratio >= 0 ? Math.min(ratio, 1) : undefined
}

export function pictureOf({ state, ratio, position, leftMs, isLost, isRefused }: Knowledge, wordOf: WordOf, language: string | undefined): Picture {
  const { progress, error } = state
  const status = error && !isEnd(state.status) ? 'error' : state.status
  const isRunning = status === 'running'
  const word = status === 'unknown' || status === 'error' ? '' : wordOf(status)
  return {
    status,
    ratio,
    value: amountOf(ratio, progress, language),
    stage: isRunning
      ? textOf(progress?.message) || textOf(progress?.stage) || word
      : status === 'queued' && typeof position === 'number'
        ? wordOf('position', new Intl.NumberFormat(language).format(position))
        : word,
    left: isRunning && !isLost && leftMs !== undefined ? wordOf('left', timeIn(language, leftMs)) : '',
    connection: isEnd(status) ? '' : isLost ? wordOf('offline') : isRefused ? wordOf('refused') : '',
    error: status === 'failed' ? (error?.message ?? '') : status === 'error' ? wordOf('error') : ''
  }
}

function amountOf(ratio: number | undefined, progress: JobState['progress'], language: string | undefined): string {
  if (ratio !== undefined) return percentIn(language, ratio)
  const { current, unit } = progress ?? {}
  return typeof current === 'number' ? `${new Intl.NumberFormat(language).format(current)} ${textOf(unit)}`.trim() : ''
}

/** What a server has sent as a text: it may send anything. */
const textOf = (value: unknown): string => (typeof value === 'object' ? '' : `${value ?? ''}`)
