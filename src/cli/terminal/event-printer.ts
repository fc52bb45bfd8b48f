/** Prints events as lines, and progress as a bar. */

import type { JobEvent } from '../../types.ts'
import type { FollowOptions } from '../arguments/command.ts'
import type { CommandContext, Sink } from '../command-context.ts'
import { hasColour, paint, paintStatus } from './colour.ts'
import { duration, progressBar, progressInWords } from './progress.ts'
import { stripControls } from './strip-controls.ts'

export interface EventPrinter {
  event(event: JobEvent): void
  /** Prints progress that was held back, and moves to the line after the bar. To be called before anything else is written, and at the end. */
  end(): void
}

const CLEAR_LINE = '\r\x1b[K'
/** Without a bar, at most one progress line is printed in this time: the output may be kept as a log file. */
const MIN_LINE_INTERVAL_MS = 1000

type Progress = JobEvent & { type: 'progress' }

/**
 * Prints a line for each event. Progress is a bar, or a line once a second at most, or nothing, by `--progress`. On a terminal, times are relative to the first
 * event; otherwise they are the events' own.
 */
export function createEventPrinter(sink: Sink, { progress: wanted }: Pick<FollowOptions, 'progress'>, env: CommandContext['env']): EventPrinter {
  const isColoured = hasColour(sink, env)
  let hasBar = false
  let startedAt: number | undefined
  let held: Progress | undefined
  let sparseTimer: ReturnType<typeof setTimeout> | undefined

  const mode = wanted === 'auto' ? (sink.columns() === undefined ? 'plain' : 'bar') : wanted

  function leaveBar(): void {
    if (hasBar) sink.write('\n')
    hasBar = false
  }

  function elapsedMs({ time }: JobEvent): number {
    const at = Date.parse(time)
    startedAt ??= at
    return Math.max(0, at - startedAt) || 0 // a malformed time counts as 0
  }

  function printLine(event: JobEvent): void {
    leaveBar()
    const time = sink.columns() === undefined ? stripControls(String(event.time)) : `+${duration(elapsedMs(event))}`.padStart(6)
    sink.write(`${paint(time, 'dim', isColoured)} ${paintStatus(stripControls(event.type), event.type, isColoured)}${detailsOf(event, isColoured)}\n`)
  }

  function drawBar(event: Progress): void {
    const width = sink.columns() ?? 80
    sink.write(`${CLEAR_LINE}${stripControls(progressBar(event.data, elapsedMs(event))).slice(0, width - 1)}`) // some terminals wrap once the last column is written
    hasBar = true
  }

  function flushHeld(): void {
    if (held) printLine(held)
    held = undefined
    clearTimeout(sparseTimer)
    sparseTimer = undefined
  }

  function printSparsely(event: Progress): void {
    held = event
    if (sparseTimer) return
    flushHeld()
    sparseTimer = setTimeout(() => {
      sparseTimer = undefined
      if (held) printSparsely(held)
    }, MIN_LINE_INTERVAL_MS)
  }

  return {
    event(event) {
      elapsedMs(event)
      if (event.type !== 'progress') {
        if (isEnd(event)) flushHeld()
        printLine(event)
      } else if (mode === 'bar') drawBar(event)
      else if (mode === 'plain') printSparsely(event)
    },
    end() {
      flushHeld()
      leaveBar()
    }
  }
}

const isEnd = ({ type }: JobEvent): boolean => type === 'succeeded' || type === 'failed' || type === 'cancelled'

function detailsOf(event: JobEvent, isColoured: boolean): string {
  const { data } = event
  switch (event.type) {
    case 'progress':
      return ` ${stripControls(progressInWords(event.data))}`
    case 'log': {
      const level = stripControls(String(event.data?.level ?? ''))
      return ` ${paintStatus(level, level, isColoured)} ${stripControls(String(event.data?.message ?? ''))}`
    }
    case 'gap':
      return ` ${stripControls(`${event.data.missed ?? 'an unknown number of'} events were lost (${event.data.reason})`)}`
    default:
      return data == null ? '' : ` ${stripControls(JSON.stringify(data))}`
  }
}
