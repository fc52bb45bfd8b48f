/** jobtail/explain: says diagnostics and errors in words. */

import type { JobFailedError, JobtailError } from './errors.ts'
import type { Diagnostic, FailureReason, WaitReason } from './types.ts'

const REASONS: Readonly<Record<FailureReason, string>> = {
  unsupported: 'this browser does not support it',
  refused: 'it was refused',
  mute: 'it opened, but delivered nothing',
  timeout: 'no answer came in time',
  cut: 'the connection was cut',
  silent: 'it fell silent',
  status: 'the server, or something before it, answered with an error',
  'content-type': 'the answer has another content type than requested',
  redirected: 'it was redirected to somewhere else, such as a login page',
  stale: 'the answer does not begin at the requested cursor',
  protocol: 'the answer does not follow the protocol',
  bye: 'the server closed it as planned',
  network: 'there was no answer: the network, CORS or mixed content'
}

const WAITS: Readonly<Record<WaitReason, string>> = {
  unreachable: 'no transport delivered',
  unstable: 'the connection did not last',
  bye: 'the server is closing connections',
  busy: 'the server is busy'
}

const seconds = (ms: number): string => (ms < 1000 ? `${Math.round(ms)} ms` : `${(ms / 1000).toFixed(1)} s`)

/** Says in one English sentence what a diagnostic reports. For an error it returns the error's message. */
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
      return `${name} is no longer needed`
    case 'live':
      return `${name} carries the job, ${seconds(subject.afterMs)} after the start`
    case 'switched':
      return `${name} takes over from ${subject.from}`
    case 'lost':
      return `${name} was lost after ${seconds(subject.afterMs)} and ${subject.events} events: ${REASONS[subject.reason]}`
    case 'suspected':
      return `${name} has brought no event for ${seconds(subject.silentMs)}, longer than usual`
    case 'waiting':
      return `waiting ${seconds(subject.ms)}: ${WAITS[subject.reason]}`
    case 'remembered':
      return `${name} is remembered as the winner`
    case 'recalled':
      return `${name} won here last time`
    case 'demoted':
      return `${name} keeps failing: for a while it is tried last`
    case 'paused':
      return 'the loop is slow: reading pauses'
    case 'resumed':
      return 'reading resumes'
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
