import { isJobtailError } from '../index.ts'
import type { JobRecord } from './jobs.ts'
import type { ClientRecord } from './recording.ts'
import { settingsOf } from './settings.ts'

/** A job in words, as it stands at `at`, without text of the application's: one line. */
export function jobInWords({ client, id, state, events, types, rate, gaps, missed }: JobRecord, at: number): string {
  const { status, progress, lastEventId, connection, error } = state
  const ratio = progress?.ratio
  const parts = [
    `client ${client}, job ${id}: ${status}`,
    ...(typeof ratio === 'number' ? [`${Math.floor(ratio * 100)} %`] : []),
    `${events} events (${[...types].map(([type, count]) => `${count} ${type}`).join(', ')})`,
    `${Math.round(rate.perSecond(at))} a second`,
    `last event id ${lastEventId}`,
    `${gaps} gaps (${missed} events)`,
    `connection ${connection.phase} ${connection.transport ?? ''}`.trim()
  ]
  if (connection.problem) parts.push(connection.problem.message)
  // What a job failed with is the application's own text.
  if (error) parts.push(isJobtailError(error) ? error.message : error.name)
  return parts.join('; ')
}

/** A client's settings in words, without credentials: a line for each. */
export const clientInWords = ({ options }: ClientRecord): string =>
  settingsOf(options)
    .map((each) => each.join(': '))
    .join('\n')
