/** jobtail/explain: diagnostics and errors in words. */

import type { JobFailedError, JobtailError } from './errors.ts'
import type { Diagnostic, FailureReason, WaitReason } from './types.ts'

const REASONS: Readonly<Record<FailureReason, string>> = {
  unsupported: 'this browser has no such thing',
  refused: 'it was refused',
  mute: 'it opened, but delivered nothing',
  timeout: 'there was no answer',
  cut: 'the connection was cut',
  silent: 'it fell silent',
  status: 'the server, or something before it, answered with an error',
  'content-type': 'the answer was of another kind than asked for',
  redirected: 'it was redirected to somewhere else, such as a login page',
  stale: 'the answer was an old one, or from somewhere else in the log than asked for',
  protocol: 'what came does not follow the protocol',
  bye: 'the server said goodbye',
  network: 'the network failed'
}

const WAITS: Readonly<Record<WaitReason, string>> = {
  unreachable: 'no transport delivered',
  unstable: 'the connection did not last',
  bye: 'the server is closing connections',
  busy: 'the server is busy'
}

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

/** One sentence, in English, for a person: what a diagnostic or an error says. */
export function explain(subject: Diagnostic | JobtailError | JobFailedError): string {
  if (subject instanceof Error) return subject.message
  const name = subject.transport ?? 'the connection'
  switch (subject.type) {
    case 'probe-started':
      return `trying ${name}`
    case 'probe-proved':
      return `${name} delivers, after ${seconds(subject.afterMs)}`
    case 'probe-failed':
      return `${name} failed after ${seconds(subject.afterMs)}: ${REASONS[subject.reason]}${subject.status ? ` (${subject.status})` : ''}`
    case 'probe-abandoned':
      return `${name} is not needed any more`
    case 'live':
      return `${name} carries the job, ${seconds(subject.afterMs)} after the start`
    case 'switched':
      return `${name} takes over from ${subject.from}`
    case 'lost':
      return `${name} was lost after ${seconds(subject.afterMs)} and ${subject.events} events: ${REASONS[subject.reason]}`
    case 'suspected':
      return `${name} has been silent for ${seconds(subject.silentMs)}, out of character`
    case 'waiting':
      return `waiting ${seconds(subject.ms)}: ${WAITS[subject.reason]}`
    case 'remembered':
      return `${name} is remembered as the winner`
    case 'recalled':
      return `${name} won here last time`
    case 'demoted':
      return `${name} keeps disappointing: it goes last for a while`
    case 'paused':
      return 'the reader is slow: reading pauses'
    case 'resumed':
      return 'reading goes on'
    case 'offline':
      return 'the browser is offline'
    case 'online':
      return 'the browser is online again'
    case 'gap':
      return `${subject.missed ?? 'an unknown number of'} events of job ${subject.job} are lost`
    case 'ended':
      return `job ${subject.job} ended: ${subject.status}`
    default:
      return subject satisfies never
  }
}
