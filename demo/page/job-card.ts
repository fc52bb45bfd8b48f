import type { JobEvent, Subscription } from 'jobtail'
import { showCode } from './code.ts'
import { createMeter, el, onceAFrame, say } from './dom.ts'
import { emptyView, isEnd, type JobView, withEvent } from './job-view.ts'
import { transportName } from './lanes.ts'
import { compareWithServer, inWords, isExact, type Proof } from './proof.ts'

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
  onEvent(event: JobEvent): void
  /** Called when the user has removed the card of an ended job. Without it the card cannot be removed. */
  onDismiss?: () => void
}

export const titles: Readonly<Record<string, string>> = { export: 'Export orders', stream: 'Write a text', fail: 'Validate rows, one of them wrong' }

/** Follows one job to its end and shows it. */
export function createJobCard({ kind, subscription, title, past = [], onEvent, onDismiss }: JobCardOptions): JobCard {
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
        onEvent(event)
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

const phases: Readonly<Record<string, string>> = {
  idle: 'not connected',
  connecting: 'connecting…',
  waiting: 'waiting to try again…',
  offline: 'offline',
  closed: 'connection closed'
}

interface Shown {
  connection: Subscription['state']['connection']
  proof: Proof | undefined
  problem: string
  isOver: boolean
  canLeave: boolean
}

/** Creates the card's elements and the function that shows a view in them. */
function createFace(title: string, label: string) {
  const status = el('span', { class: 'status' })
  const meter = createMeter(`Progress: ${title}`)
  const stage = el('span', { class: 'stage' })
  const badge = el('span', { class: 'badge' })
  const output = el('p', { class: 'output', tabindex: '0', role: 'group', 'aria-label': 'Output' })
  const log = el('ol', { class: 'log', tabindex: '0', 'aria-label': 'Log' })
  const logSummary = el('summary', {}, 'Log')
  const logPart = el('details', {}, logSummary, log)
  const count = el('span')
  const source = el('span', { class: 'aside' })
  const countLine = el('p', { class: 'count' }, count, source)
  const button = el('button', { type: 'button', class: 'quiet' }, 'Cancel')
  const element = el(
    'article',
    { class: 'card', 'aria-label': label },
    el('div', { class: 'card-head' }, el('h3', {}, title), badge, status, button),
    meter.element,
    el('div', { class: 'card-line' }, stage, countLine),
    output,
    el('div', { class: 'more' }, logPart, showCode('jobtail'))
  )

  function showLog(lines: JobView['log']): void {
    logPart.hidden = lines.length === 0
    if (log.childElementCount === lines.length) return
    say(logSummary, `Log: ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}`)
    for (const { level, message } of lines.slice(log.childElementCount)) log.append(el('li', { class: level }, message))
    log.scrollTop = log.scrollHeight
  }

  return {
    element,
    button,
    show(view: JobView, { connection: { phase, transport }, proof, problem, isOver, canLeave }: Shown): void {
      element.dataset.status = view.status
      say(status, view.status)
      meter.show(view.ratio ?? (isEnd(view.status) ? 0 : undefined))
      say(stage, problem || (view.ending ?? view.stage))
      badge.className = `badge ${isOver ? 'over' : phase} ${isOver ? '' : (transport ?? '')}`
      say(badge, isOver ? 'connection released' : phase === 'live' && transport ? `live over ${transportName(transport)}` : (phases[phase] ?? phase))
      output.hidden = view.output === ''
      if (output.textContent !== view.output) {
        output.textContent = view.output
        output.scrollTop = output.scrollHeight
      }
      showLog(view.log)
      say(count, countInWords(view, proof))
      say(source, proof ? ", compared with the server's own record" : '')
      countLine.classList.toggle('fault', view.fault !== undefined || (proof !== undefined && !isExact(proof)))
      say(button, isOver ? 'Dismiss' : 'Cancel')
      button.hidden = isOver && !canLeave
    }
  }
}

function countInWords({ events, fault }: JobView, proof: Proof | undefined): string {
  const count = `${events.length.toLocaleString('en')} ${events.length === 1 ? 'event' : 'events'}`
  if (proof) return `${count}: ${inWords(proof)}${isExact(proof) ? ' ✓' : ''}`
  return `${count}: ${fault ?? '0 lost, 0 repeated, 0 out of order'}`
}
