import type { JobEvent } from 'jobtail'
import { el, now, say } from '../../src/devtools/dom.ts'
import { followByEventSource, followByWebSocket } from './bare.ts'
import { type BareView, emptyBareView, inWords, type Leader, withBareEvent, withConnection } from './bare-view.ts'
import { showCode } from './code.ts'
import { createMeter, onceAFrame } from './dom.ts'

export interface BareCard {
  readonly element: HTMLElement
  /** The progress at which it has stopped, in percent; `undefined` if it has not. */
  readonly stoppedAt: number | undefined
  close(): void
}

/** Follows a job with the browser's own `kind` of connection and shows how far it gets. `leader` returns how far Jobtail is. */
export function createBareCard(kind: 'EventSource' | 'WebSocket', jobId: string, leader: () => Leader): BareCard {
  let view = emptyBareView(now())
  const face = createFace(kind)
  const words = () => inWords(view, kind, leader(), now())
  const paint = onceAFrame(() => face.show(view, words()))
  const url = `/jobs/${encodeURIComponent(jobId)}/events`

  function show(event: JobEvent): void {
    view = withBareEvent(view, event, now())
    paint()
  }
  const became = (connection: () => BareView['connection']) => (): void => {
    view = withConnection(view, connection())
    paint()
  }

  const connection = kind === 'EventSource' ? followByEventSource(url, show) : followByWebSocket(url, show)
  connection.addEventListener(
    'open',
    became(() => 'open')
  )
  connection.addEventListener(
    connection instanceof EventSource ? 'error' : 'close',
    became(() => (connection.readyState === EventSource.CONNECTING ? 'reconnecting' : 'closed'))
  )
  // The card says how long ago the last event came: that changes without an event.
  const timer = setInterval(paint, 500)
  paint()
  return {
    element: face.element,
    get stoppedAt() {
      return words().state === 'stopped' ? Math.floor(view.ratio * 100) : undefined
    },
    close() {
      clearInterval(timer)
      connection.close()
    }
  }
}

function createFace(kind: string) {
  const state = el('span', { class: 'state' })
  const meter = createMeter(`Progress by ${kind} alone`)
  const detail = el('span')
  const behind = el('span', { class: 'aside' })
  const element = el(
    'article',
    { class: 'card bare', 'aria-label': `${kind} alone` },
    el('div', { class: 'card-head' }, el('h3', {}, `${kind} alone`), state),
    meter.element,
    el('div', { class: 'more' }, el('p', { class: 'detail' }, detail, ' ', behind), showCode(kind.toLowerCase()))
  )
  return {
    element,
    show(view: BareView, words: ReturnType<typeof inWords>): void {
      element.dataset.state = words.state
      say(state, words.headline)
      meter.show(view.ratio)
      say(detail, words.detail)
      say(behind, words.behind)
    }
  }
}
