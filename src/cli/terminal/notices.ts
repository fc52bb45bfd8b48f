/** Prints notices on stderr, which may be the same terminal as the progress bar. */

import type { Sink } from '../command-context.ts'
import type { EventPrinter } from './event-printer.ts'
import { stripControls } from './strip-controls.ts'

export interface Notices {
  line(text: string): void
  /** Prints each text once, and at most 20 texts in all. */
  once(text: string): void
}

const MAX_NOTICES = 20

export function createNotices(stderr: Sink, printer: EventPrinter): Notices {
  const printed = new Set<string>()
  function line(text: string): void {
    if (stderr.columns() !== undefined) printer.end()
    stderr.write(`jobtail: ${stripControls(text)}\n`)
  }
  return {
    line,
    once(text) {
      if (printed.has(text) || printed.size >= MAX_NOTICES) return
      printed.add(text)
      line(text)
    }
  }
}
