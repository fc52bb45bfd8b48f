/** The outcomes as Markdown, a line for each setup. Pure functions. */

import { isExact } from '../../e2e/matrix/measure.ts'
import type { Figures, Outcome } from './figures.ts'

export interface Line {
  name: string
  /** The outcome, or why there is none. */
  outcome: Outcome | string
}

const HEAD = [
  'proxy',
  'first event, ms',
  'longest wait, ms',
  'late, p95, ms',
  'carried by',
  'lost / repeated / out of order',
  'ended',
  'a start',
  'bare EventSource',
  'bare WebSocket'
]

const whole = (ms: number): string => (Number.isNaN(ms) ? '–' : Math.round(ms).toLocaleString('en'))

/** First event / longest wait / lateness; or how it failed, after how many events. */
function bare(figures: Figures): string {
  if (isExact(figures)) return [figures.firstMs, figures.gapMs, figures.lateMs].map(whole).join(' / ')
  const { over = 'not ended', events, lost } = figures
  if (events === 0) return over === 'not ended' ? 'nothing came' : over
  return `${over} after ${events}, ${lost} lost`
}

const route = (carriers: readonly string[]): string => {
  const [first, ...rest] = carriers
  const last = rest.at(-1)
  return !last ? (first ?? '–') : rest.length === 1 ? `${first} → ${last}` : `${first} → … → ${last}`
}

function cells({ client, eventSource, webSocket }: Outcome): string[] {
  return [
    whole(client.firstMs),
    whole(client.gapMs),
    whole(client.lateMs),
    route(client.carriers),
    `${client.lost} / ${client.repeated} / ${client.outOfOrder}`,
    client.hasEnded ? 'yes' : `no (${client.over ?? 'still following'})`,
    client.started ?? '–',
    bare(eventSource),
    bare(webSocket)
  ]
}

const row = (values: readonly string[]): string => `| ${values.join(' | ')} |`

export const headOf = (): string => [row(HEAD), row(HEAD.map(() => '---'))].join('\n')

export const rowOf = ({ name, outcome }: Line): string =>
  typeof outcome === 'string' ? row([name, outcome, ...HEAD.slice(2).map(() => '')]) : row([name, ...cells(outcome)])

/** The outcome in words, for the console. */
export function sentenceOf({ name, outcome }: Line): string {
  if (typeof outcome === 'string') return `${name}: ${outcome}`
  const [first, gap, late, by, exact, ended, started, source, socket] = cells(outcome)
  return `${name}: first ${first} ms, longest wait ${gap} ms, late ${late} ms, by ${by}; ${exact}; ended: ${ended}; start: ${started}; EventSource: ${source}; WebSocket: ${socket}`
}
