/** The elements of a job's card. */

import type { Subscription } from 'jobtail'
import { el, say } from '../../src/devtools/dom.ts'
import { transportName } from '../../src/devtools/lanes.ts'
import { showCode } from './code.ts'
import { createMeter } from './dom.ts'
import { isEnd, type JobView } from './job-view.ts'
import { inWords, isExact, type Proof } from './proof.ts'

/** What a card shows beside the view of its job. */
export interface Shown {
  connection: Subscription['state']['connection']
  /** `undefined` until the events have been compared with the server's record. */
  proof: Proof | undefined
  /** Why delivery or cancelling has failed; empty if neither has. */
  problem: string
  /** Delivery has ended. */
  isOver: boolean
  /** The user can remove the card once delivery has ended. */
  canLeave: boolean
}

export interface JobFace {
  readonly element: HTMLElement
  /** Cancels the job; removes the card once delivery has ended. */
  readonly button: HTMLButtonElement
  show(view: JobView, shown: Shown): void
}

export function createFace(title: string, label: string): JobFace {
  const status = el('span', { class: 'status' })
  const meter = createMeter(`Progress: ${title}`)
  const stage = el('span', { class: 'stage' })
  const badge = el('span', { class: 'badge' })
  const [output, log, count] = [createOutput(), createLog(), createCount()]
  const button = el('button', { type: 'button', class: 'quiet' }, 'Cancel')
  const element = el(
    'article',
    { class: 'card', 'aria-label': label },
    el('div', { class: 'card-head' }, el('h3', {}, title), badge, status, button),
    meter.element,
    el('div', { class: 'card-line' }, stage, count.element),
    output.element,
    el('div', { class: 'more' }, log.element, showCode('jobtail'))
  )
  return {
    element,
    button,
    show(view, shown) {
      const { connection, proof, problem, isOver, canLeave } = shown
      element.dataset.status = view.status
      say(status, view.status)
      meter.show(view.ratio ?? (isEnd(view.status) ? 0 : undefined))
      say(stage, problem || (view.ending ?? view.stage))
      badge.className = isOver ? 'badge over' : `badge ${connection.phase} ${connection.transport ?? ''}`
      say(badge, isOver ? 'connection released' : connectionInWords(connection))
      output.show(view.output)
      log.show(view.log)
      count.show(view, proof)
      say(button, isOver ? 'Dismiss' : 'Cancel')
      button.hidden = isOver && !canLeave
    }
  }
}

const phases: Readonly<Record<string, string>> = {
  idle: 'not connected',
  connecting: 'connecting…',
  waiting: 'waiting to try again…',
  offline: 'offline',
  closed: 'connection closed'
}

const connectionInWords = ({ phase, transport }: Shown['connection']): string =>
  phase === 'live' && transport ? `live over ${transportName(transport)}` : (phases[phase] ?? phase)

function createOutput() {
  const element = el('p', { class: 'output', tabindex: '0', role: 'group', 'aria-label': 'Output' })
  return {
    element,
    show(text: string): void {
      element.hidden = text === ''
      if (element.textContent === text) return
      element.textContent = text
      element.scrollTop = element.scrollHeight
    }
  }
}

function createLog() {
  const list = el('ol', { class: 'log', tabindex: '0', 'aria-label': 'Log' })
  const summary = el('summary', {}, 'Log')
  const element = el('details', {}, summary, list)
  return {
    element,
    show(lines: JobView['log']): void {
      element.hidden = lines.length === 0
      if (list.childElementCount === lines.length) return
      say(summary, `Log: ${lines.length} ${lines.length === 1 ? 'line' : 'lines'}`)
      for (const { level, message } of lines.slice(list.childElementCount)) list.append(el('li', { class: level }, message))
      list.scrollTop = list.scrollHeight
    }
  }
}

/** The line that counts the events, and says what is wrong with them. */
function createCount() {
  const count = el('span')
  const source = el('span', { class: 'aside' })
  const element = el('p', { class: 'count' }, count, source)
  return {
    element,
    show({ events, fault }: JobView, proof: Proof | undefined): void {
      const wrong = proof ? `${inWords(proof)}${isExact(proof) ? ' ✓' : ''}` : (fault ?? '0 lost, 0 repeated, 0 out of order')
      say(count, `${events.length.toLocaleString('en')} ${events.length === 1 ? 'event' : 'events'}: ${wrong}`)
      say(source, proof ? ", compared with the server's own record" : '')
      element.classList.toggle('fault', fault !== undefined || (proof !== undefined && !isExact(proof)))
    }
  }
}
