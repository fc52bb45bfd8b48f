import { createBox } from './box.ts'
import { createChoice } from './choice.ts'
import { createCopy } from './copy.ts'
import { button, el, now } from './dom.ts'
import { createFrames } from './frames.ts'
import { createHappened } from './happened.ts'
import { createClientList, createJobList } from './lists.ts'
import type { Place } from './place.ts'
import type { Recording } from './recording.ts'
import { reportOf } from './report.ts'
import { createTimeline } from './timeline.ts'
import type { View } from './view.ts'

export interface Panel {
  readonly element: HTMLElement
  /** Has to be called when the recording has changed. Does nothing while the panel is not seen. */
  wake(): void
  /** Ends all that goes on. */
  stop(): void
}

/** Shows a recording: in a corner of the window, or without a `place` where it is put. */
export function createPanel(recording: Recording, place: Place | undefined): Panel {
  const frames = createFrames(paint)
  const timeline = createTimeline(wake)
  const happened = createHappened()
  const folds = [createFold('Clients', createClientList(), false), createFold('Jobs', createJobList(), place !== undefined)]
  const copy = createCopy((withData) => reportOf(recording, now(), withData))
  const choice = createChoice(wake)
  const pause = createPause(wake)
  const body = el('div', { class: 'body' }, copy.outcome, timeline.element, happened.element, ...folds.map(({ element }) => element))
  const box = createBox(place, [choice.element, copy.controls, pause.element, timeline.zoom], body, () => (box.isOpen ? wake() : frames.stop()))
  for (const { element } of folds) element.ontoggle = wake
  let width = 0
  const sizes = new ResizeObserver(() => {
    width = timeline.element.clientWidth
    timeline.fit(width)
    if (width > 0) wake()
    else frames.stop()
  })
  sizes.observe(timeline.element)

  /** A width of 0: it is collapsed, or the page hides it. */
  function wake(): void {
    if (width > 0 && box.isOpen) frames.wake()
  }

  function paint(): boolean {
    const at = pause.since ?? now()
    const shown = { recording, clients: choice.among(recording.clients), at }
    timeline.paint(shown)
    if (pause.since === undefined) for (const view of [happened, ...folds.filter(({ element }) => element.open)]) view.paint(shown)
    return pause.since === undefined && width > 0 && recording.lastAt > at - timeline.spanMs
  }

  return {
    element: box.element,
    wake,
    stop() {
      sizes.disconnect()
      frames.stop()
    }
  }
}

/** A view that can be folded away. */
function createFold(name: string, view: View, isOpen: boolean): View & { element: HTMLDetailsElement } {
  return { element: el('details', isOpen ? { open: '' } : {}, el('summary', {}, name), view.element), paint: view.paint }
}

/** A button that stops the time that is shown. `since`: when it was pressed; `undefined` while time goes on. */
function createPause(onChange: () => void): { element: HTMLButtonElement; readonly since: number | undefined } {
  let since: number | undefined
  const element = button('Pause', () => {
    since = since === undefined ? now() : undefined
    element.setAttribute('aria-pressed', String(since !== undefined))
    onChange()
  })
  element.setAttribute('aria-pressed', 'false')
  return {
    element,
    get since() {
      return since
    }
  }
}
