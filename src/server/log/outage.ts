import { type EventLog, isLogError } from './types.ts'
import { wrapLog } from './wrap.ts'

type OnError = (error: unknown, about?: { jobId?: string }) => void

/**
 * Tells one outage of the log from the next: `reportOnce` wraps `onError` so that the first `unavailable` of an outage is reported, and those of all other
 * readers are not. An outage is over once any call of the returned `log` has been answered.
 */
export function watchOutages(log: EventLog): { log: EventLog; reportOnce(onError: OnError): OnError } {
  const appendMany = log.appendMany?.bind(log)
  const adopt = log.adopt?.bind(log)
  let isUnavailable = false

  const noteAnswer = <T>(answer: Promise<T>): Promise<T> =>
    answer.then((found) => {
      isUnavailable = false
      return found
    })

  return {
    log: wrapLog(log, {
      append: (...entry) => noteAnswer(log.append(...entry)),
      appendMany: appendMany && ((...entries) => noteAnswer(appendMany(...entries))),
      read: (...asked) => noteAnswer(log.read(...asked)),
      snapshot: (...asked) => noteAnswer(log.snapshot(...asked)),
      renew: (...asked) => noteAnswer(log.renew(...asked)),
      adopt: adopt && ((...asked) => noteAnswer(adopt(...asked)))
    }),
    reportOnce: (onError) => (error, about) => {
      const isOutage = isLogError(error, 'unavailable')
      if (!isOutage || !isUnavailable) onError(error, about)
      isUnavailable ||= isOutage
    }
  }
}
