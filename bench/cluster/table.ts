/** The outcome as Markdown. */

import type { Outcome } from './run.ts'
import { type Followed, longestPauseMs, TRANSPORTS } from './verdict.ts'

const number = (value: number): string => value.toLocaleString('en')
const seconds = (ms: number): string => (ms / 1000).toFixed(1)

function breaksOf(followed: readonly Followed[]): string {
  const byReason = new Map<string, number>()
  for (const { breaks } of followed) for (const [reason, count] of Object.entries(breaks)) byReason.set(reason, (byReason.get(reason) ?? 0) + count)
  return [...byReason].map(([reason, count]) => `${number(count)} ${reason}`).join(', ') || '0'
}

/** Only of new events: after a gap a log is read from its start. */
function medianLateMs(followed: readonly Followed[]): number {
  const late: number[] = []
  for (const { had } of followed)
    for (const each of had) {
      if ('gap' in each) break
      late.push(each.lateMs)
    }
  return late.sort((a, b) => a - b)[Math.floor(late.length / 2)] ?? Number.NaN
}

export function table({ byTransport, followed, kills, kept, wroteMs, busyRatio }: Outcome): string {
  const rows = TRANSPORTS.map((transport) => {
    const own = followed.filter((each) => each.transport === transport)
    const exactness = byTransport.get(transport)
    if (!exactness) return []
    const { delivered, lost, repeated, outOfOrder, altered, gaps, unannounced, ended } = exactness
    const pauses = kills.map(({ at }, index) => seconds(longestPauseMs(own, at, kills[index + 1]?.at ?? Number.POSITIVE_INFINITY)))
    return [
      transport,
      ...[own.length, delivered, lost, repeated, outOfOrder, altered, gaps, unannounced, ended].map(number),
      breaksOf(own),
      number(medianLateMs(own)),
      ...pauses
    ]
  })
  const head = [
    ...['', 'followers', 'delivered', 'lost', 'repeated', 'out of order', 'altered', 'gaps', 'epochs without a gap', 'ended', 'connections lost'],
    ...['median ms from writer to reader', ...kills.map(({ whom }) => `longest pause after the kill of ${whom}, s`)]
  ]
  const jobs = new Set(followed.map(({ job }) => job)).size
  return `${[head, head.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n')}

${number(kept.acknowledged)} appends acknowledged in ${seconds(wroteMs)} s, ${number(kept.epochs - jobs)} new epochs; of the acknowledged ones Redis has lost ${number(kept.dropped)}, ${number(kept.silentlyDropped)} of them in the same epoch; ${number(kept.unacknowledged)} events in the log were not acknowledged.
The processors were ${Math.round(busyRatio * 100)} % busy, with whatever else ran.`
}
