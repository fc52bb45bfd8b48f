import { type EventLog, isLogError } from './types.ts'

type OnError = (error: unknown) => void

/** The log, and how to tell of its outages: each once, however many readers find out; the next one when something has been reached in between. */
export function watchOutages(log: EventLog): { log: EventLog; tellOnce(onError: OnError): OnError } {
  let isAway = false

  const reached = <T>(answer: Promise<T>): Promise<T> =>
    answer.then((found) => {
      isAway = false
      return found
    })

  return {
    log: {
      append: (...entry) => reached(log.append(...entry)),
      read: (...asked) => reached(log.read(...asked)),
      snapshot: (...asked) => reached(log.snapshot(...asked)),
      watch: (...asked) => log.watch(...asked),
      close: () => log.close()
    },
    tellOnce: (onError) => (error) => {
      const isOutage = isLogError(error, 'unavailable')
      if (!isOutage || !isAway) onError(error)
      isAway ||= isOutage
    }
  }
}
