/** Colours for terminals. */

import { styleText } from 'node:util'
import type { CommandContext, Sink } from '../command-context.ts'

type Style = 'green' | 'red' | 'yellow' | 'cyan' | 'dim'

/** Whether to use colours: as FORCE_COLOR says, else not with NO_COLOR (https://no-color.org) or TERM=dumb, else on a terminal. The order is Node's. */
export function hasColour(sink: Sink, { FORCE_COLOR, NO_COLOR, TERM }: CommandContext['env']): boolean {
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

/** Paints a text in the colour of a job status, an event type, a log level or a clause's outcome. */
export const paintStatus = (text: string, status: string, isColoured: boolean): string =>
  paint(text, Object.hasOwn(STYLES, status) ? STYLES[status] : undefined, isColoured)
