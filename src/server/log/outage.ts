import { type EventLog, isLogError } from './types.ts'
import { wrapLog } from './wrap.ts'

type OnError = (error: unknown, about?: { jobId?: string }) => void

/** The log, and how to tell of its outages: each once, however many readers find out; the next one when something has been reached in between. */
export function watchOutages(log: EventLog): { log: EventLog; tellOnce(onError: OnError): OnError } {
  const appendMany = log.appendMany?.bind(log)
  const adopt = log.adopt?.bind(log)
  let isAway = false

  const reached = <T>(answer: Promise<T>): Promise<T> =>
    answer.then((found) => {
      isAway = false
      return found
    })

  return {
    log: wrapLog(log, {
      append: (...entry) => reached(log.append(...entry)),
      appendMany: appendMany && ((...entries) => reached(appendMany(...entries))),
      read: (...asked) => reached(log.read(...asked)),
      snapshot: (...asked) => reached(log.snapshot(...asked)),
      renew: (...asked) => reached(log.renew(...asked)),
      adopt: adopt && ((...asked) => reached(adopt(...asked)))
    }),
    tellOnce: (onError) => (error, about) => {
      const isOutage = isLogError(error, 'unavailable')
      if (!isOutage || !isAway) onError(error, about)
      isAway ||= isOutage
    }
  }
}
