import type { Diagnostic } from '../index.ts'
import { say, set, svg } from './dom.ts'
import type { Bar, History, Mark, Pause } from './history.ts'
import { bottom, CHARACTER, laneTop, type Scale, TOP, x } from './scale.ts'

export interface Drawings {
  /** Draws what there is in these histories, within the scale, and removes what has gone. */
  paint(histories: readonly History[], marks: readonly Mark[], scale: Scale): void
}

/** Draws bars, pauses, events and marks into `host`. `onPoint` gets the diagnostic of a bar that is pointed at or touched. */
export function createDrawings(host: SVGElement, onPoint: (about: Diagnostic) => void): Drawings {
  const layer = (name: string): SVGGElement => host.appendChild(svg('g', { class: name }))
  const pauses = layer('pauses')
  const bars = layer('bars')
  const ticks = layer('ticks')
  const marks = layer('marks')
  const labels = layer('labels')
  const drawn = new Map<Bar | Pause | Mark, SVGElement>()
  const drawnLabels = new Map<Bar, SVGTextElement>()
  const lines = new Map<string, SVGPathElement>()

  /** Returns the element of `item`, which `make` creates the first time. */
  function elementOf<K, T extends SVGElement>(known: Map<K, SVGElement>, item: K, make: () => T): T {
    const made = (known.get(item) as T | undefined) ?? make() // as: an item is always drawn by the same function
    known.set(item, made)
    return made
  }

  function pointable(host: SVGGElement, item: Bar | Pause): SVGRectElement {
    const made = host.appendChild(svg('rect'))
    made.onpointerenter = made.onclick = () => onPoint(item.about)
    return made
  }

  function paintBar(bar: Bar, others: readonly Bar[], scale: Scale): void {
    const rect = elementOf(drawn, bar, () => pointable(bars, bar))
    const left = x(scale, bar.from)
    const wide = Math.max(4, x(scale, bar.to ?? scale.end) - left)
    const [inset, tall] = bar.kind === 'live' ? [14, 13] : [17, 8]
    set(rect, {
      class: `${bar.kind} ${bar.outcome} ${bar.lane}`,
      x: left,
      y: laneTop(scale, bar.lane) + inset,
      width: wide,
      height: tall,
      rx: Math.min(3, wide / 4)
    })
    if (bar.why !== undefined) paintWhy(bar, bar.why, others, scale)
  }

  /** Puts the reason inside the end of a bar that is long enough; else behind it, unless the next bar is in the way. */
  function paintWhy(bar: Bar, why: string, others: readonly Bar[], scale: Scale): void {
    const label = elementOf(drawnLabels, bar, () => labels.appendChild(svg('text')))
    say(label, `✕ ${why}`)
    const to = bar.to ?? scale.end
    const room = (why.length + 3) * CHARACTER
    const isInside = bar.kind === 'live' && x(scale, to) - x(scale, bar.from) > room
    const at = x(scale, to) + (isInside ? -5 : 4)
    const isTaken = (other: Bar): boolean => other !== bar && other.lane === bar.lane && (other.to ?? scale.end) > to && x(scale, other.from) < at + room
    const isHidden = !isInside && (at + room > scale.width || others.some(isTaken))
    set(label, {
      class: isInside ? 'why inside' : 'why',
      x: at,
      y: laneTop(scale, bar.lane) + 24.5,
      'text-anchor': isInside ? 'end' : 'start',
      visibility: isHidden ? 'hidden' : 'visible'
    })
  }

  function paintPause(pause: Pause, scale: Scale): void {
    const rect = elementOf(drawn, pause, () => pointable(pauses, pause))
    const left = x(scale, pause.from)
    set(rect, { class: 'pause', x: left, y: TOP, width: Math.max(1, x(scale, Math.min(pause.to, scale.end)) - left), height: bottom(scale) - TOP })
  }

  /** Puts each label into the first row that has room, within the picture. */
  function paintMarks(visible: readonly Mark[], scale: Scale): void {
    const taken = [0, 0]
    for (const mark of visible) {
      const group = elementOf(drawn, mark, () => makeMark(mark))
      const at = x(scale, mark.at)
      const room = (mark.label.length + 1) * CHARACTER
      const from = Math.max(0, Math.min(at, scale.width - room))
      const row = taken.findIndex((until) => from >= until)
      if (row >= 0) taken[row] = from + room
      set(group, { transform: `translate(${at} 0)` })
      const [line, text] = group.children
      if (line) set(line, { y1: row === 1 ? 16 : 4, y2: bottom(scale) })
      if (text) set(text, { x: from - at + 3, y: row === 1 ? 25 : 12, visibility: row < 0 ? 'hidden' : 'visible' })
    }
  }

  function makeMark(mark: Mark): SVGGElement {
    const text = svg('text')
    say(text, mark.label)
    const group = marks.appendChild(svg('g', { class: 'mark' }))
    group.append(svg('line'), text)
    return group
  }

  function paintTicks(histories: readonly History[], scale: Scale): void {
    for (const lane of scale.lanes) {
      const path = elementOf(lines, lane, () => ticks.appendChild(svg('path', { class: `tick ${lane}` })))
      const times = histories.flatMap(({ ticks }) => ticks.get(lane) ?? []).filter((at) => at >= scale.end - scale.spanMs)
      const columns = new Set(times.map((at) => Math.round(x(scale, at))))
      set(path, { d: [...columns].map((column) => `M${column} ${laneTop(scale, lane) + 28}v6`).join('') })
    }
    sweep(lines, new Set(scale.lanes))
  }

  return {
    paint(histories, given, scale) {
      const from = scale.end - scale.spanMs
      const shown = histories.map((history) => ({
        bars: history.bars.filter(({ to }) => to === undefined || to >= from),
        pauses: history.pauses.filter(({ to }) => to >= from)
      }))
      const visible = [...given, ...histories.flatMap(({ marks }) => marks)].filter(({ at }) => at >= from).sort((a, b) => a.at - b.at)
      for (const { bars } of shown) for (const bar of bars) paintBar(bar, bars, scale)
      for (const pause of shown.flatMap(({ pauses }) => pauses)) paintPause(pause, scale)
      paintMarks(visible, scale)
      paintTicks(histories, scale)
      const items = new Set<unknown>([...shown.flatMap(({ bars, pauses }) => [...bars, ...pauses]), ...visible])
      sweep(drawn, items)
      sweep(drawnLabels, items)
    }
  }
}

/** Removes the drawings of what is not shown any more. */
function sweep(drawings: Map<unknown, SVGElement>, shown: ReadonlySet<unknown>): void {
  for (const [item, drawing] of drawings) {
    if (shown.has(item)) continue
    drawing.remove()
    drawings.delete(item)
  }
}
