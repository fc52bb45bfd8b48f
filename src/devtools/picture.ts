import type { Diagnostic } from '../index.ts'
import { set, svg } from './dom.ts'
import { createDrawings } from './drawings.ts'
import type { History, Mark } from './history.ts'
import { laneName, laneNames } from './lanes.ts'
import { bottom, height, LANE, laneTop, type Scale, TOP } from './scale.ts'

export interface Picture {
  readonly element: SVGSVGElement
  /** Draws these histories, and marks of the application. */
  paint(histories: readonly History[], marks: readonly Mark[], scale: Scale): void
}

/** Draws histories as lanes of bars that move to the left. `onPoint` gets the diagnostic of a bar that is pointed at or touched. */
export function createPicture(onPoint: (about: Diagnostic) => void): Picture {
  const element = svg('svg', {
    height: height({ lanes: Object.keys(laneNames) }),
    role: 'img',
    'aria-label': 'Timeline of the connections. The list below says the same in words.'
  })
  const grid = element.appendChild(svg('g', { class: 'grid' }))
  const drawings = createDrawings(element, onPoint)
  let drawn: Scale | undefined

  /** Draws lanes and axis, where they have changed. */
  function layOut(scale: Scale): void {
    if (drawn && drawn.width === scale.width && drawn.spanMs === scale.spanMs && String(drawn.lanes) === String(scale.lanes)) return
    drawn = scale
    set(element, { width: scale.width, height: height(scale), viewBox: `0 0 ${scale.width} ${height(scale)}` })
    grid.replaceChildren(...lanesOf(scale), ...linesOf(scale))
  }

  return {
    element,
    paint(histories, marks, scale) {
      layOut(scale)
      drawings.paint(histories, marks, scale)
    }
  }
}

const labelled = (text: string, attributes: Record<string, string | number>): SVGTextElement => {
  const label = svg('text', attributes)
  label.textContent = text
  return label
}

const lanesOf = (scale: Scale): SVGElement[] =>
  scale.lanes.flatMap((lane) => {
    const y = laneTop(scale, lane) + LANE
    const label = labelled(laneName(lane), { class: `lane-name ${lane}`, x: 0, y: laneTop(scale, lane) + 11 })
    return [svg('line', { class: 'lane', x1: 0, x2: scale.width, y1: y, y2: y }), label]
  })

const linesOf = (scale: Scale): SVGElement[] =>
  Array.from({ length: scale.spanMs / scale.stepMs + 1 }, (_, index) => {
    const agoMs = index * scale.stepMs
    const at = Math.round(scale.width - (agoMs / scale.spanMs) * scale.width) - 0.5
    const anchor = agoMs === 0 ? 'end' : agoMs === scale.spanMs ? 'start' : 'middle'
    const label = agoMs === 0 ? 'now' : `−${agoMs / 1000} s`
    const text = labelled(label, { class: 'axis', x: at, y: height(scale) - 4, 'text-anchor': anchor })
    return [svg('line', { class: 'second', x1: at, x2: at, y1: TOP, y2: bottom(scale) }), text]
  }).flat()
