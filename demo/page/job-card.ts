import type { JobEvent, Subscription } from 'jobtail'
import { el, onceAFrame, say } from './dom.ts'
import { emptyView, isEnd, type JobView, withEvent } from './job-view.ts'
import { laneNames } from './lanes.ts'
import { compareWithServer } from './proof.ts'

export interface JobCard {
  readonly element: HTMLElement
  readonly jobId: string
  readonly kind: string
  readonly view: JobView
  /** Resolves once the job has ended or its delivery has. */
  readonly over: Promise<void>
}

export interface JobCardOptions {
  kind: string
  subscription: Subscription
  /** What was had before the page was loaded anew. */
  past?: readonly JobEvent[]
  onEvent(event: JobEvent): void
  onDismiss(): void
}

const titles: Readonly<Record<string, string>> = { hash: 'Hash a large file', stream: 'Write a text', fail: 'Validate rows, one of them wrong' }

const phases: Readonly<Record<string, string>> = {
  idle: 'not connected',
  connecting: 'connecting…',
  waiting: 'waiting to try again…',
  offline: 'offline',
  closed: 'connection closed'
}

/** Follows one job and shows it. */
export function createJobCard({ kind, subscription, past = [], onEvent, onDismiss }: JobCardOptions): JobCard {
  let view = past.reduce(withEvent, emptyView)
  let proof = ''
  let problem = ''
  let isOver = false
  const face = createFace(titles[kind] ?? kind, subscription.jobId)
  const paint = onceAFrame(() => face.show(view, subscription.state.connection, proof, problem, isOver))

  async function follow(): Promise<void> {
    const stop = subscription.onChange(paint)
    try {
      for await (const event of subscription) {
        view = withEvent(view, event)
        onEvent(event)
        paint()
      }
      proof = await compareWithServer(subscription.jobId, view.events)
    } catch (error) {
      problem = error instanceof Error ? `${error.name}: ${error.message}` : String(error)
    } finally {
      stop()
      isOver = true
      paint()
    }
  }

  face.button.addEventListener('click', () => {
    if (isOver) {
      face.element.remove()
      onDismiss()
      return
    }
    face.button.disabled = true
    subscription
      .cancel()
      .catch((error: unknown) => {
        problem = `Cancelling failed: ${String(error)}`
      })
      .finally(() => {
        face.button.disabled = false
        paint()
      })
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

/** The card's elements, and how they show a view. */
function createFace(title: string, jobId: string) {
  const status = el('span', { class: 'status', role: 'status' })
  const percent = el('span', { class: 'percent' })
  const fill = el('div', { class: 'fill' })
  const bar = el('div', { class: 'bar', role: 'progressbar', 'aria-label': `Progress: ${title}`, 'aria-valuemin': '0', 'aria-valuemax': '100' }, fill)
  const stage = el('span', { class: 'stage' })
  const badge = el('span', { class: 'badge', role: 'status' })
  const output = el('p', { class: 'output', tabindex: '0', 'aria-label': 'Output' })
  const log = el('ol', { class: 'log', tabindex: '0', 'aria-label': 'Log' })
  const logSummary = el('summary', {}, 'Log')
  const logPart = el('details', {}, logSummary, log)
  // A phone has room for the picture or for the log.
  logPart.open = matchMedia('(min-width: 920px)').matches
  const ending = el('p', { class: 'ending' })
  const count = el('p', { class: 'count' })
  const button = el('button', { type: 'button', class: 'quiet' }, 'Cancel')
  const element = el(
    'article',
    { class: 'card', 'aria-label': `${title}, job ${jobId}` },
    el('div', { class: 'card-head' }, el('h3', {}, title), status, button),
    el('div', { class: 'meter' }, bar, percent),
    el('div', { class: 'card-line' }, stage, badge),
    output,
    logPart,
    ending,
    count
  )

  function showProgress({ ratio, status: is }: JobView): void {
    const isOpen = ratio === undefined && !isEnd(is)
    const value = Math.floor((ratio ?? 0) * 100)
    bar.classList.toggle('open', isOpen)
    fill.style.inlineSize = isOpen ? '' : `${(ratio ?? 0) * 100}%`
    if (isOpen) bar.removeAttribute('aria-valuenow')
    else bar.setAttribute('aria-valuenow', String(value))
    say(percent, isOpen ? '…' : `${value} %`)
  }

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
    show(view: JobView, { phase, transport }: Subscription['state']['connection'], proof: string, problem: string, isOver: boolean): void {
      element.dataset.status = view.status
      say(status, view.status)
      showProgress(view)
      say(stage, view.stage)
      badge.className = `badge ${isOver ? 'over' : phase} ${isOver ? '' : (transport ?? '')}`
      say(badge, isOver ? 'connection released' : phase === 'live' && transport ? `live over ${laneNames[transport] ?? transport}` : (phases[phase] ?? phase))
      output.hidden = view.output === ''
      if (output.textContent !== view.output) {
        output.textContent = view.output
        output.scrollTop = output.scrollHeight
      }
      showLog(view.log)
      ending.hidden = view.ending === undefined && problem === ''
      say(ending, problem || (view.ending ?? ''))
      const sequence = view.fault ?? 'in order, none missing, none twice'
      say(count, `${view.events.length.toLocaleString('en')} events: ${proof || sequence}`)
      count.classList.toggle('fault', view.fault !== undefined)
      say(button, isOver ? 'Dismiss' : 'Cancel')
    }
  }
}
