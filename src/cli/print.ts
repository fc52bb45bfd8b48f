/** Events as lines of a terminal. */

import type { JobEvent, ProgressData } from '../types.ts'
import { plain } from './plain.ts'

export interface Printer {
  event(event: JobEvent): void
  /** Leaves the progress line where it is. */
  end(): void
}

const WIDTH = 30
const CLEAR_LINE = '\r\x1b[K'

/** A line for each event; on a terminal, which has `columns`, progress is one line that moves. */
export function createPrinter(write: (text: string) => void, columns: () => number | undefined): Printer {
  let hasProgress = false

  function end(): void {
    if (hasProgress) write('\n')
    hasProgress = false
  }

  return {
    event(event) {
      const width = columns()
      if (width !== undefined && event.type === 'progress') {
        write(`${CLEAR_LINE}${plain(progressBar(event.data)).slice(0, width - 1)}`) // in the last column some terminals begin a line
        hasProgress = true
        return
      }
      end()
      write(`${plain(lineFor(event))}\n`)
    },
    end
  }
}

function lineFor(event: JobEvent): string {
  const { time, type, data } = event
  switch (event.type) {
    case 'progress':
      return `${time} ${type} ${inWords(event.data)}`
    case 'log':
      return `${time} ${type} ${event.data?.level ?? ''} ${event.data?.message ?? ''}`
    case 'gap':
      return `${time} ${type} ${event.data.missed ?? 'an unknown number of'} events are lost (${event.data.reason})`
    default:
      return `${time} ${type}${data == null ? '' : ` ${JSON.stringify(data)}`}`
  }
}

const ratioOf = ({ ratio, current, total }: ProgressData): number | undefined => ratio ?? (total && current !== undefined ? current / total : undefined)

function inWords(data: ProgressData | null): string {
  const { current, total, unit = '', stage, message } = data ?? {}
  const ratio = ratioOf(data ?? {})
  const count = current === undefined ? '' : `${current}${total === undefined ? '' : `/${total}`}${unit && ` ${unit}`}`
  return [typeof ratio === 'number' ? `${Math.round(ratio * 100)}%` : '', count, stage, message].filter(Boolean).join(' ')
}

function progressBar(data: ProgressData | null): string {
  const ratio = ratioOf(data ?? {})
  const filled = typeof ratio === 'number' ? Math.round(Math.min(1, Math.max(0, ratio)) * WIDTH) : 0
  return `[${'#'.repeat(filled)}${' '.repeat(WIDTH - filled)}] ${inWords(data)}`
}
