import type { JobEvent, Subscription } from 'jobtail'
import { onceAFrame } from './dom.ts'
import { createFace } from './job-face.ts'
import { emptyView, type JobView, withEvent } from './job-view.ts'
import { compareWithServer, type Proof } from './proof.ts'

export interface JobCard {
  readonly element: HTMLElement
  readonly jobId: string
  readonly kind: string
  readonly view: JobView
  /** Resolves when the job or its delivery has ended. `undefined`: the events could not be compared with the server's record. */
  readonly over: Promise<Proof | undefined>
}

export interface JobCardOptions {
  kind: string
  subscription: Subscription
  /** The card's heading. Default: the title of the job's kind. */
  title?: string
  /** What was received before the page was reloaded. */
  past?: readonly JobEvent[]
  /** Called when the user has removed the card of an ended job. Without it the card cannot be removed. */
  onDismiss?: () => void
}

export const titles: Readonly<Record<string, string>> = { export: 'Export orders', stream: 'Write a text', fail: 'Validate rows, one of them wrong' }

/** Follows one job to its end and shows it. */
export function createJobCard({ kind, subscription, title, past = [], onDismiss }: JobCardOptions): JobCard {
  let view = past.reduce(withEvent, emptyView)
  let proof: Proof | undefined
  let problem = ''
  let isOver = false
  const name = titles[kind] ?? kind
  const face = createFace(title ?? name, `${name}, job ${subscription.jobId}`)
  const paint = onceAFrame(() => face.show(view, { connection: subscription.state.connection, proof, problem, isOver, canLeave: onDismiss !== undefined }))

  async function follow(): Promise<Proof | undefined> {
    const stop = subscription.onChange(paint)
    try {
      // #region follow
      for await (const event of subscription) {
        view = withEvent(view, event)
        paint()
      }
      // #endregion
      proof = await compareWithServer(subscription.jobId, view.events)
    } catch (error) {
      problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    } finally {
      stop()
      isOver = true
      paint()
    }
    return proof
  }

  async function cancel(): Promise<void> {
    face.button.disabled = true
    try {
      await subscription.cancel()
    } catch (error) {
      problem = `Cancelling failed: ${String(error)}`
    }
    face.button.disabled = false
    paint()
  }

  face.button.addEventListener('click', () => {
    if (!isOver) return void cancel()
    face.element.remove()
    onDismiss?.()
  })
  paint()
  return {
    element: face.element,
    jobId: subscription.jobId,
    kind,
    get view() {
      return view
    },
    over: follow()
  }
}
