import { explain } from '../explain.ts'
import { button, el, say } from './dom.ts'
import { laneNames } from './lanes.ts'
import { createPicture } from './picture.ts'
import { MAX_DOUBLINGS, spanOf, stepOf } from './scale.ts'
import type { Shown, View } from './view.ts'

export interface Timeline extends View {
  /** Buttons for how much of the past is shown. */
  readonly zoom: HTMLElement
  /** Sets the width in CSS pixels. A narrow picture shows less time. */
  fit(width: number): void
  /** The length of time that is visible, in ms. */
  readonly spanMs: number
}

/** The parts of the picture, by their class in the legend. */
const LEGEND = { probe: 'trying', 'live websocket': 'live', 'event websocket': 'events', failed: 'failed', abandoned: 'not needed' }

/** Shows what the connections did lately: a picture, and words for what is pointed at. */
export function createTimeline(onSpan: () => void): Timeline {
  const words = el('p', { class: 'words' }, 'Each lane is a way for news to reach this page. Point at a bar, or touch it, to read what it was.')
  const picture = createPicture((about) => say(words, explain(about)))
  const legend = el('ul', { class: 'legend', 'aria-hidden': 'true' })
  for (const [key, meaning] of Object.entries(LEGEND)) legend.append(el('li', {}, el('i', { class: `key ${key}` }), meaning))
  let width = 0
  let doublings = 0

  function zoomBy(steps: number, label: string, name: string): HTMLButtonElement {
    const element = button(label, () => {
      doublings = Math.max(0, Math.min(MAX_DOUBLINGS, doublings + steps))
      onSpan()
    })
    element.ariaLabel = element.title = name
    return element
  }

  return {
    element: el('div', {}, legend, picture.element, words),
    zoom: el('span', { class: 'zoom' }, zoomBy(-1, '+', 'Show less time'), zoomBy(1, '−', 'Show more time')),
    fit(next) {
      width = next
    },
    get spanMs() {
      return spanOf(width, doublings)
    },
    paint({ clients, recording, at }: Shown) {
      const histories = clients.map(({ history }) => history)
      picture.paint(histories, recording.marks, {
        width,
        spanMs: spanOf(width, doublings),
        stepMs: stepOf(doublings),
        end: at,
        lanes: lanesOf(clients)
      })
    }
  }
}

/** The default lanes until a client is known; then those of its transports, and of what else its diagnostics named. */
function lanesOf(clients: Shown['clients']): string[] {
  if (clients.length === 0) return Object.keys(laneNames)
  const lanes = new Set(Object.keys(laneNames).slice(0, 1))
  for (const { options, history } of clients) {
    for (const { name } of options.transports ?? []) lanes.add(name)
    for (const { lane } of history.bars) lanes.add(lane)
    for (const lane of history.ticks.keys()) lanes.add(lane)
  }
  return [...lanes]
}
