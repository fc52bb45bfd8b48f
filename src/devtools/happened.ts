import { explain } from '../explain.ts'
import { el } from './dom.ts'
import type { Entry } from './recording.ts'
import { isShown, type View } from './view.ts'

const KEPT_LINES = 200

/** Lists in words what happened, latest last. */
export function createHappened(): View {
  const list = el('ol', { class: 'happened', 'aria-label': 'What happened, latest last' })
  list.tabIndex = 0
  /** What the list was made for: with another choice of clients it is made anew. */
  let madeFor = ''
  let total = 0

  function lineOf({ at, client, about }: Entry, isNamed: boolean): HTMLLIElement {
    const text = typeof about === 'string' ? about : explain(about)
    return el('li', {}, el('time', {}, clockTime(at)), isNamed && client !== undefined ? ` client ${client}: ${text}` : ` ${text}`)
  }

  return {
    element: list,
    paint(shown) {
      const { entries } = shown.recording
      const wanted = shown.clients.map(({ number }) => number).join()
      if (wanted !== madeFor) {
        list.replaceChildren()
        total = 0
        madeFor = wanted
      }
      if (entries.total === total) return
      const isAtEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 2
      const added = entries.since(total).filter(({ client }) => isShown(shown, client))
      list.append(...added.slice(-KEPT_LINES).map((entry) => lineOf(entry, shown.clients.length > 1)))
      total = entries.total
      while (list.childElementCount > KEPT_LINES) list.firstElementChild?.remove()
      // A user who has scrolled back to read is left where they are.
      if (isAtEnd) list.scrollTop = list.scrollHeight
    }
  }
}

/** To the tenth of a second. */
const clockTime = (at: number): string => `${new Date(at).toLocaleTimeString('en-GB')}.${Math.floor(at / 100) % 10}`
