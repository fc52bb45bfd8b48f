import type { Diagnostic } from 'jobtail'
import { say, set, svg } from './dom.ts'
import type { Bar, History, Mark, Pause } from './history.ts'
import { laneNames } from './lanes.ts'

export interface Picture {
  readonly element: SVGSVGElement
  /** The length of time that is visible, in ms. */
  readonly spanMs: number
  fit(width: number): void
  /** Draws the time up to `end`, in ms since 1970. */
  paint(end: number): void
}

const LANE = 36
/** Height of the two rows of labels. */
const TOP = 32
const AXIS = 18
const BOTTOM = TOP + Object.keys(laneNames).length * LANE
const HEIGHT = BOTTOM + AXIS
/** The width of a label's widest characters. */
const CHARACTER = 6.4

const laneTop = (lane: string): number => TOP + Math.max(0, Object.keys(laneNames).indexOf(lane)) * LANE

/** Draws `history` as lanes of bars that move to the left. `onPoint` gets the diagnostic of a bar that is pointed at or touched. */
export function createPicture(history: History, onPoint: (about: Diagnostic) => void): Picture {
  const element = svg('svg', { height: HEIGHT, role: 'img', 'aria-label': 'Timeline of the connection. The list below says the same in words.' })
  const layer = (name: string): SVGGElement => element.appendChild(svg('g', { class: name }))
  const grid = layer('grid')
  const pauses = layer('pauses')
  const bars = layer('bars')
  const ticks = layer('ticks')
  const marks = layer('marks')
  const labels = layer('labels')
  const drawn = new Map<Bar | Pause | Mark, SVGElement>()
  const drawnLabels = new Map<Bar, SVGTextElement>()
  const lines = new Map(Object.keys(laneNames).map((lane) => [lane, ticks.appendChild(svg('path', { class: `tick ${lane}` }))]))
  let width = 0
  let spanMs = 30_000
  let end = 0

  const x = (at: number): number => width - ((end - at) / spanMs) * width

  /** Returns the element of `item`, which `make` creates the first time. */
  function elementOf<T extends SVGElement>(item: Bar | Pause | Mark, make: () => T): T {
    const known = drawn.get(item)
    if (known) return known as T // as: an item is always drawn by the same function
    const made = make()
    drawn.set(item, made)
    return made
  }

  function pointable(item: Bar | Pause, made: SVGRectElement): SVGRectElement {
    made.onpointerenter = made.onclick = () => onPoint(item.about)
    return made
  }

  function paintBar(bar: Bar): void {
    const rect = elementOf(bar, () => pointable(bar, bars.appendChild(svg('rect'))))
    const left = x(bar.from)
    const wide = Math.max(4, x(bar.to ?? end) - left)
    const [inset, height] = bar.kind === 'live' ? [14, 13] : [17, 8]
    set(rect, {
      class: `${bar.kind} ${bar.outcome} ${bar.lane}`,
      x: left,
      y: laneTop(bar.lane) + inset,
      width: wide,
      height,
      rx: Math.min(3, wide / 4)
    })
    if (bar.why !== undefined) paintWhy(bar, bar.why, wide)
  }

  /** Puts the reason inside the end of a bar that is long enough; else behind it, unless the next bar is in the way. */
  function paintWhy(bar: Bar, why: string, wide: number): void {
    let label = drawnLabels.get(bar)
    if (!label) {
      label = labels.appendChild(svg('text', { y: laneTop(bar.lane) + 24.5 }))
      label.textContent = `✕ ${why}`
      drawnLabels.set(bar, label)
    }
    const room = (why.length + 3) * CHARACTER
    const isInside = bar.kind === 'live' && wide > room
    const at = x(bar.to ?? end) + (isInside ? -5 : 4)
    const isHidden = !isInside && (at + room > width || isTaken(bar, at + room))
    set(label, { class: isInside ? 'why inside' : 'why', x: at, 'text-anchor': isInside ? 'end' : 'start', visibility: isHidden ? 'hidden' : 'visible' })
  }

  const isTaken = (bar: Bar, until: number): boolean =>
    history.bars.some((other) => other !== bar && other.lane === bar.lane && (other.to ?? end) > (bar.to ?? end) && x(other.from) < until)

  function paintPause(pause: Pause): void {
    const rect = elementOf(pause, () => pointable(pause, pauses.appendChild(svg('rect', { class: 'pause', y: TOP, height: BOTTOM - TOP }))))
    const left = x(pause.from)
    set(rect, { x: left, width: Math.max(1, x(Math.min(pause.to, end)) - left) })
  }

  /** Puts each label into the first row that has room, within the picture. */
  function paintMarks(): void {
    const taken = [0, 0]
    for (const mark of history.marks) {
      const group = elementOf(mark, () => makeMark(mark))
      const at = x(mark.at)
      const room = (mark.label.length + 1) * CHARACTER
      const from = Math.max(0, Math.min(at, width - room))
      const row = taken.findIndex((until) => from >= until)
      if (row >= 0) taken[row] = from + room
      set(group, { transform: `translate(${at} 0)` })
      const [line, text] = group.children
      if (line) set(line, { y1: row === 1 ? 16 : 4 })
      if (text) set(text, { x: from - at + 3, y: row === 1 ? 25 : 12, visibility: row < 0 ? 'hidden' : 'visible' })
    }
  }

  function makeMark(mark: Mark): SVGGElement {
    const text = svg('text')
    say(text, mark.label)
    const group = marks.appendChild(svg('g', { class: 'mark' }))
    group.append(svg('line', { y2: BOTTOM }), text)
    return group
  }

  function paintTicks(): void {
    for (const [lane, path] of lines) {
      const columns = new Set((history.ticks.get(lane) ?? []).map((at) => Math.round(x(at))))
      set(path, { d: [...columns].map((column) => `M${column} ${laneTop(lane) + 28}v6`).join('') })
    }
  }

  function sweep(): void {
    const shown = new Set<unknown>([...history.bars, ...history.pauses, ...history.marks])
    for (const drawings of [drawn, drawnLabels] as Map<unknown, SVGElement>[]) {
      // as: keys of both are only compared
      for (const [item, drawing] of drawings) {
        if (shown.has(item)) continue
        drawing.remove()
        drawings.delete(item)
      }
    }
  }

  function paintGrid(): void {
    grid.replaceChildren()
    for (const [lane, name] of Object.entries(laneNames)) {
      const label = svg('text', { class: `lane-name ${lane}`, x: 0, y: laneTop(lane) + 11 })
      label.textContent = name
      grid.append(svg('line', { class: 'lane', x1: 0, x2: width, y1: laneTop(lane) + LANE, y2: laneTop(lane) + LANE }), label)
    }
    for (let ago = 0; ago <= spanMs; ago += 5000) {
      const at = Math.round(width - (ago / spanMs) * width) - 0.5
      const label = svg('text', { class: 'axis', x: at, y: HEIGHT - 4, 'text-anchor': ago === 0 ? 'end' : ago === spanMs ? 'start' : 'middle' })
      label.textContent = ago === 0 ? 'now' : `−${ago / 1000} s`
      grid.append(svg('line', { class: 'second', x1: at, x2: at, y1: TOP, y2: BOTTOM }), label)
    }
  }

  return {
    element,
    get spanMs() {
      return spanMs
    },
    fit(nextWidth) {
      width = nextWidth
      spanMs = width < 560 ? 20_000 : 30_000
      set(element, { width, viewBox: `0 0 ${width} ${HEIGHT}` })
      paintGrid()
    },
    paint(until) {
      end = until
      for (const bar of history.bars) paintBar(bar)
      for (const pause of history.pauses) paintPause(pause)
      paintMarks()
      paintTicks()
      sweep()
    }
  }
}
