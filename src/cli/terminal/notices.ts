/** Lines on stderr, beside a bar that may be on the same terminal. */

import type { Sink } from '../outside.ts'
import type { EventPrinter } from './event-printer.ts'
import { plain } from './plain.ts'

export interface Notices {
  line(text: string): void
  /** The same is said once, and no more than a few of them altogether. */
  once(text: string): void
}

const MOST = 20

export function createNotices(stderr: Sink, printer: EventPrinter): Notices {
  const said = new Set<string>()
  function line(text: string): void {
    if (stderr.columns() !== undefined) printer.end()
    stderr.write(`jobtail: ${plain(text)}\n`)
  }
  return {
    line,
    once(text) {
      if (said.has(text) || said.size >= MOST) return
      said.add(text)
      line(text)
    }
  }
}
