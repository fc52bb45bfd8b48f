import { button, el } from './dom.ts'
import { keepPlace, nextCorner, type Place } from './place.ts'

export interface Box {
  readonly element: HTMLElement
  readonly isOpen: boolean
}

/** A box in a corner of the window, which opens, collapses, and moves to another corner. Without a `place` it stands where it was put, open. */
export function createBox(place: Place | undefined, given: readonly HTMLElement[], body: HTMLElement, onToggle: () => void): Box {
  const tools = el('span', { class: 'tools' }, ...given)
  const head = el('div', { class: 'head' }, tools)
  const element = el('section', { class: 'box inline', 'aria-label': 'Jobtail devtools', lang: 'en', dir: 'ltr' }, head, body)
  if (!place) return { element, isOpen: true }
  let { isOpen, corner } = place
  const toggle = button('Jobtail', () => {
    isOpen = !isOpen
    settle()
    onToggle()
  })
  const move = button('Move', () => {
    corner = nextCorner(corner)
    settle()
  })
  toggle.className = 'toggle'
  head.prepend(toggle)
  tools.append(move)

  function settle(): void {
    element.className = `box ${corner}`
    tools.hidden = body.hidden = !isOpen
    toggle.setAttribute('aria-expanded', String(isOpen))
    keepPlace({ isOpen, corner })
  }

  settle()
  return {
    element,
    get isOpen() {
      return isOpen
    }
  }
}
