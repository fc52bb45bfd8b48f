/** Events as lines. */

import type { JobEvent } from '../../types.ts'
import type { FollowOptions } from '../arguments/command-line.ts'
import type { Outside, Sink } from '../outside.ts'
import { hasColour, paint, paintStatus } from './colour.ts'
import { plain } from './plain.ts'
import { duration, progressBar, progressInWords } from './progress.ts'

export interface EventPrinter {
  event(event: JobEvent): void
  /** Shows what was held back, and leaves the bar where it is: something else is written now, or nothing more. */
  end(): void
}

const CLEAR_LINE = '\r\x1b[K'
/** Without a bar, progress is a line so often at most: it may be read a year later, in a log. */
const SPARSE_MS = 1000

type Progress = JobEvent & { type: 'progress' }

/** A line for each event but progress, which is a bar that moves, a line now and then, or nothing. On a terminal times count from the first event. */
export function createEventPrinter(sink: Sink, { progress: wanted }: Pick<FollowOptions, 'progress'>, env: Outside['env']): EventPrinter {
  const isColoured = hasColour(sink, env)
  let hasBar = false
  let startedAt: number | undefined
  let held: Progress | undefined
  let isSparse: ReturnType<typeof setTimeout> | undefined

  const mode = wanted === 'auto' ? (sink.columns() === undefined ? 'plain' : 'bar') : wanted

  function leaveBar(): void {
    if (hasBar) sink.write('\n')
    hasBar = false
  }

  function elapsedMs({ time }: JobEvent): number {
    const at = Date.parse(time)
    startedAt ??= at
    return Math.max(0, at - startedAt) || 0 // a time of another shape counts nothing
  }

  function line(event: JobEvent): void {
    leaveBar()
    const time = sink.columns() === undefined ? plain(String(event.time)) : `+${duration(elapsedMs(event))}`.padStart(6)
    sink.write(`${paint(time, 'dim', isColoured)} ${paintStatus(plain(event.type), event.type, isColoured)}${detailsOf(event, isColoured)}\n`)
  }

  function bar(event: Progress): void {
    const width = sink.columns() ?? 80
    sink.write(`${CLEAR_LINE}${plain(progressBar(event.data, elapsedMs(event))).slice(0, width - 1)}`) // in the last column some terminals begin a line
    hasBar = true
  }

  function release(): void {
    if (held) line(held)
    held = undefined
    clearTimeout(isSparse)
    isSparse = undefined
  }

  function sparse(event: Progress): void {
    held = event
    if (isSparse) return
    release()
    isSparse = setTimeout(() => {
      isSparse = undefined
      if (held) sparse(held)
    }, SPARSE_MS)
  }

  return {
    event(event) {
      elapsedMs(event)
      if (event.type !== 'progress') {
        if (isEnd(event)) release()
        line(event)
      } else if (mode === 'bar') bar(event)
      else if (mode === 'plain') sparse(event)
    },
    end() {
      release()
      leaveBar()
    }
  }
}

const isEnd = ({ type }: JobEvent): boolean => type === 'succeeded' || type === 'failed' || type === 'cancelled'

function detailsOf(event: JobEvent, isColoured: boolean): string {
  const { data } = event
  switch (event.type) {
    case 'progress':
      return ` ${plain(progressInWords(event.data))}`
    case 'log': {
      const level = plain(String(event.data?.level ?? ''))
      return ` ${paintStatus(level, level, isColoured)} ${plain(String(event.data?.message ?? ''))}`
    }
    case 'gap':
      return ` ${plain(`${event.data.missed ?? 'an unknown number of'} events are lost (${event.data.reason})`)}`
    default:
      return data == null ? '' : ` ${plain(JSON.stringify(data))}`
  }
}
