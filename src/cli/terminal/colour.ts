/** Colours, where somebody sees them. */

import { styleText } from 'node:util'
import type { Outside, Sink } from '../outside.ts'

type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'dim'

/** FORCE_COLOR (other than 0) wins over NO_COLOR (https://no-color.org), as in Node; else only a terminal has them. */
export function hasColour(sink: Sink, { FORCE_COLOR, NO_COLOR, TERM }: Outside['env']): boolean {
  if (FORCE_COLOR !== undefined) return FORCE_COLOR !== '0' && FORCE_COLOR !== 'false'
  return !NO_COLOR && TERM !== 'dumb' && sink.columns() !== undefined
}

const STYLES: Readonly<Record<string, Style>> = {
  started: 'cyan',
  running: 'cyan',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'yellow',
  cancelling: 'yellow',
  gap: 'yellow',
  warn: 'yellow',
  error: 'red',
  met: 'green',
  finding: 'red'
}

export const paint = (text: string, style: Style | undefined, isColoured: boolean): string =>
  isColoured && style ? styleText(style, text, { validateStream: false }) : text

/** In the colour of a status, an event's type, a log's level or a clause's outcome. */
export const paintStatus = (text: string, status: string, isColoured: boolean): string =>
  paint(text, Object.hasOwn(STYLES, status) ? STYLES[status] : undefined, isColoured)
