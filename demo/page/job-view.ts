/** The contents of a card. Made from the job's events alone, so that a reload shows the same. Independent of the DOM. */

import type { JobEvent } from 'jobtail'

export interface JobView {
  readonly events: readonly JobEvent[]
  readonly status: string
  /** 0 to 1; `undefined` if indeterminate. */
  readonly ratio: number | undefined
  readonly stage: string
  readonly log: readonly { level: string; message: string }[]
  readonly output: string
  /** The job's result or error in words; `undefined` before its end. */
  readonly ending: string | undefined
  /** The first hole or repeat in the events' numbers, in words; `undefined` if there is none. */
  readonly fault: string | undefined
}

export const isEnd = (status: string): boolean => status === 'succeeded' || status === 'failed' || status === 'cancelled'

export const emptyView: JobView = { events: [], status: 'queued', ratio: 0, stage: '', log: [], output: '', ending: undefined, fault: undefined }

export function withEvent(view: JobView, event: JobEvent): JobView {
  const last = view.events.at(-1)
  const expected = (last?.seq ?? 0) + 1
  const fault = view.fault ?? (event.seq === expected ? undefined : `event ${event.seq} came where ${expected} was next`)
  const next = { ...view, events: [...view.events, event], fault }
  switch (event.type) {
    case 'started':
      return { ...next, status: 'running' }
    case 'progress':
      return { ...next, ratio: event.data.ratio, stage: describe(event.data) }
    case 'log':
      return { ...next, log: [...next.log, event.data] }
    case 'output':
      return { ...next, output: next.output + String(event.data) }
    case 'cancelling':
      return { ...next, status: 'cancelling' }
    case 'succeeded':
      return { ...next, status: 'succeeded', ratio: 1, ending: words(event.data) }
    case 'failed':
      return { ...next, status: 'failed', ending: `${event.data.code}: ${event.data.message}` }
    case 'cancelled':
      return { ...next, status: 'cancelled', ending: event.data?.reason ?? 'Cancelled, as asked.' }
    case 'gap':
      return { ...view, fault: `${event.data.missed ?? 'some'} events are gone (${event.data.reason})` }
    default:
      return next
  }
}

function describe({ stage, current, total, unit }: Extract<JobEvent, { type: 'progress' }>['data']): string {
  const amount = current === undefined ? '' : `${current.toLocaleString('en')}${total === undefined ? '' : ` of ${total.toLocaleString('en')}`} ${unit ?? ''}`
  return [stage, amount].filter(Boolean).join(' ').trim()
}

const words = (result: unknown): string =>
  typeof result === 'object' && result !== null
    ? Object.entries(result)
        .map(([name, value]) => `${name}: ${typeof value === 'number' ? value.toLocaleString('en') : shortened(String(value))}`)
        .join(' · ')
    : String(result)

/** Shortens long texts, such as digests, to their first 16 characters. */
const shortened = (text: string): string => (text.length > 24 ? `${text.slice(0, 16)}…` : text)
