/** The words of the elements: English ones, which a page replaces; numbers and times by `Intl`. */

/** The words. `{}` stands for a number, a time or a name. */
export interface Words {
  /** The bar's name where the element has no label. */
  progress: string
  /** The job waits to be run. */
  queued: string
  /** The same, where the place in the queue is known that the job had when it came. */
  position: string
  /** The job runs, and has told no stage and no message. */
  running: string
  /** The end. */
  succeeded: string
  /** The end. */
  failed: string
  /** The end. */
  cancelled: string
  /** The button. */
  cancel: string
  /** The button, once it was pressed. */
  cancelling: string
  /** The server has not taken the cancellation. */
  refused: string
  /** The time left. */
  left: string
  /** There has been no connection for 5 s. */
  offline: string
  /** The job can no longer be followed. */
  error: string
  /** A form that is sent while the job runs, or that needs a result where there is none. */
  wait: string
  /** The name of the list. */
  jobs: string
  /** The name of a job in the list, with the time at which it was started or first followed. */
  since: string
}

export const ENGLISH: Words = {
  progress: 'Progress',
  queued: 'Waiting',
  position: 'Waiting, was number {}',
  running: 'Running',
  succeeded: 'Done',
  failed: 'Failed',
  cancelled: 'Cancelled',
  cancel: 'Cancel',
  cancelling: 'Cancelling',
  refused: 'It could not be cancelled.',
  left: 'About {} left',
  offline: 'No connection. Trying again.',
  error: 'It can no longer be followed.',
  wait: 'It is not done.',
  jobs: 'Running jobs',
  since: 'Since {}'
}

/** The attribute's value at the element, or at the closest one around it that has the attribute, out of shadow trees, too. */
export function inherited(element: Element, name: string): string | undefined {
  const value = element.closest(`[${name}]`)?.getAttribute(name)
  const { host } = element.getRootNode() as Partial<ShadowRoot> // as: a document has no host
  return value ?? (host && inherited(host, name))
}

/** The language in which numbers and times are written: of the closest `lang`, else the browser's. */
export function languageOf(host: Element): string | undefined {
  try {
    return Intl.getCanonicalLocales(inherited(host, 'lang'))[0]
  } catch {
    return undefined // `lang` says anything, such as `en_US`
  }
}

/** The time as people say it: `40 sec`, `3 min`, `1.5 hr`. */
export function timeIn(language: string | undefined, ms: number): string {
  const seconds = Math.max(1, Math.round(ms / 5000)) * 5
  const minutes = Math.round(ms / 60_000)
  const [amount, unit] = seconds < 60 ? [seconds, 'second'] : minutes < 90 ? [minutes, 'minute'] : [Math.round(minutes / 30) / 2, 'hour']
  return new Intl.NumberFormat(language, { style: 'unit', unit }).format(amount)
}

/** A part of 1, in whole per cent; rounded down, so that 100 % is all. */
export const percentIn = (language: string | undefined, ratio: number): string =>
  new Intl.NumberFormat(language, { style: 'percent' }).format(Math.floor(ratio * 100 + 1e-9) / 100) // 0.29 * 100 is a little less than 29
