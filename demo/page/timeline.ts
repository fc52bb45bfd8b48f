import type { Diagnostic } from 'jobtail'
import { explain } from 'jobtail/explain'
import { el, now, say } from './dom.ts'
import { createHistory } from './history.ts'
import { createPicture } from './picture.ts'

export interface Timeline {
  add(diagnostic: Diagnostic): void
  /** Records that an event has arrived now. */
  tick(): void
  /** Marks what the user did to the network. */
  mark(label: string): void
  /** Ends the live bars: no job is followed any more. */
  rest(): void
}

const KEPT_LINES = 60

/** Shows in `host` what the connection did in the last half minute: as a picture, and as a list in words. */
export function createTimeline(host: HTMLElement): Timeline {
  const history = createHistory()
  const words = el('p', { class: 'words' }, 'Each lane is a way for news to reach this page. Point at a bar, or touch it, to read what it was.')
  const list = el('ol', { class: 'happened', tabindex: '0', 'aria-label': 'What happened, latest last' })
  const picture = createPicture(history, (about) => say(words, explain(about)))
  host.append(picture.element, words, list)

  function paint(): void {
    const end = now()
    history.forget(end - picture.spanMs - 1000)
    picture.paint(end)
  }

  function tell(at: number, text: string): void {
    const time = new Date(at).toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit', fractionalSecondDigits: 1 })
    const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 2
    list.append(el('li', {}, el('time', {}, time), ' ', text))
    while (list.childElementCount > KEPT_LINES) list.firstElementChild?.remove()
    // A user who has scrolled back to read is left where they are.
    if (isAtEnd) list.scrollTop = list.scrollHeight
  }

  new ResizeObserver(() => {
    picture.fit(host.clientWidth)
    paint()
  }).observe(host)
  keepPainting(paint)

  return {
    add(diagnostic) {
      history.add(diagnostic)
      tell(diagnostic.at, explain(diagnostic))
    },
    tick: () => history.tick(now()),
    mark(label) {
      history.mark(now(), label)
      tell(now(), `You: ${label}`)
    },
    rest: () => history.rest(now())
  }
}

/** Repaints every 30 ms, since a pixel is about 30 ms wide. Repaints once a second where the user has asked for reduced motion. */
function keepPainting(paint: () => void): void {
  const still = matchMedia('(prefers-reduced-motion: reduce)')
  let last = 0
  requestAnimationFrame(function frame(at) {
    if (at - last >= (still.matches ? 1000 : 30)) {
      last = at
      paint()
    }
    requestAnimationFrame(frame)
  })
}
