/** What the tests of the elements share: elements in the page, and what they show. */

import { onTestFinished } from 'vitest'
import { type JobEventDetail, type JobListElement, JobProgressElement } from '../../../src/element.ts'

export { JobProgressElement }

/** Puts HTML into the page until the test is over, and returns its first element. */
export function put<E extends HTMLElement = JobProgressElement>(html: string, parent: HTMLElement = document.body): E {
  const holder = document.createElement('div')
  holder.innerHTML = html
  parent.append(holder)
  onTestFinished(() => holder.remove())
  return holder.firstElementChild as E // as: the caller knows its HTML
}

/** A part of an element. */
export const part = (element: JobProgressElement | JobListElement, name: string): HTMLElement => {
  const found = element.shadowRoot?.querySelector<HTMLElement>(`[part=${name}]`)
  if (!found) throw new Error(`${element.localName} has no part ${name}`)
  return found
}

/** The texts of the parts that are seen. */
export function seen(element: JobProgressElement): Record<string, string> {
  const parts = ['label', 'value', 'stage', 'left', 'connection', 'cancel', 'result', 'error']
  const texts = parts.map((name): [string, string] => [name, part(element, name).checkVisibility() ? (part(element, name).textContent ?? '') : ''])
  return Object.fromEntries(texts.filter(([, text]) => text))
}

/** What the live region says. */
export const heard = (element: HTMLElement): string => element.shadowRoot?.querySelector('[role=status]')?.textContent ?? ''

/** Records the elements' events that reach the page, until the test is over. */
export function recordEvents(): { type: string; detail: JobEventDetail; target: EventTarget | null }[] {
  const events: ReturnType<typeof recordEvents> = []
  for (const type of ['job-progress', 'job-done', 'job-failed'] as const) {
    const listener = ({ detail, target }: CustomEvent<JobEventDetail>): void => void events.push({ type, detail, target })
    document.addEventListener(type, listener)
    onTestFinished(() => document.removeEventListener(type, listener))
  }
  return events
}
