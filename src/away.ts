/** jobtail/away: tells somebody who looks at something else that a job has ended. */

import type { Job, JobState } from './index.ts'

/** What a notification says. `tag` is the job's by default, so that of several tabs that tell of it one notification is left. */
export interface AwayMessage extends NotificationOptions {
  /** Its first line; the page's title too, until the page is seen. */
  title: string
}

/** What is shown while the page is hidden, and taken back when it is seen. */
const shown: Notification[] = []
let ended = 0
let titleBefore = ''
/** The title that was set here last. Where it is another one, the application has set it since, and it stays. */
let titleShown: string | undefined

/**
 * Tells whoever has left the page that the job has ended: by a notification, by the page's title, and by the number of ended jobs on the app's icon, as far as
 * the browser and the person allow it. Where the page is seen when the job ends, nothing is told. When it is seen later, all of it is taken back.
 *
 * Call it while a click is handled, such as the one that starts the job: only then does it ask for the permission, where nobody has answered that yet. The job
 * is followed until it ends, or the returned function is called.
 *
 * `message` makes the text out of the state of the job that has ended; `undefined`: nothing is told.
 */
export function notifyAtEnd<E>(job: Job<E>, message: (state: JobState<E>) => AwayMessage | undefined): () => void {
  const look = (): void => {
    const { state } = job
    if (state.connection.phase !== 'closed') return
    leave()
    const told = /^(succeeded|failed|cancelled)$/.test(state.status) && document.hidden && message(state)
    if (told) tell(job.jobId, told)
  }
  const leave = job.subscribe(look)
  // What is refused, or not answered, leaves the title and the badge.
  if (permission() === 'default' && navigator.userActivation?.isActive) void Notification.requestPermission().catch(() => {})
  look()
  return leave
}

const permission = (): NotificationPermission | undefined => globalThis.Notification?.permission

function tell(jobId: string, { title, ...options }: AwayMessage): void {
  ended += 1
  if (document.title !== titleShown) titleBefore = document.title
  document.title = title
  titleShown = document.title
  document.addEventListener('visibilitychange', takeBack)
  navigator.setAppBadge?.(ended).catch(() => {}) // an app that is not installed has no icon
  if (permission() !== 'granted') return
  try {
    const notification = new Notification(title, { tag: `jobtail ${jobId}`, ...options })
    notification.onclick = () => window.focus()
    shown.push(notification)
  } catch {
    // Chrome on Android lets service workers alone show notifications, and throws here (https://crbug.com/481856).
  }
}

function takeBack(): void {
  if (document.hidden) return
  document.removeEventListener('visibilitychange', takeBack)
  for (const each of shown.splice(0)) each.close()
  navigator.clearAppBadge?.().catch(() => {}) // the same
  if (document.title === titleShown) document.title = titleBefore
  titleShown = undefined
  ended = 0
}
