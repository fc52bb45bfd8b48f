import { el, say } from '../../src/devtools/dom.ts'
import { type Caption, type Happening, noCaption, withHappening } from './caption.ts'

/** The least time that a sentence stays, since a screen reader reads each one aloud. */
const STAYS_MS = 1000

/**
 * Puts the caption into `host`: a live region that changes at most once a second, always to the latest sentence.
 * `remark` returns the words that follow the sentence, from the user's first click on. `refresh` calls it again.
 */
export function createCaptionLine(host: HTMLElement, remark: () => string): { add(happening: Happening): void; refresh(): void } {
  let caption: Caption = noCaption
  let changedAt = Number.NEGATIVE_INFINITY
  let timer: ReturnType<typeof setTimeout> | undefined
  const line = el('p', { class: 'caption', role: 'status' })
  host.append(line)

  function refresh(): void {
    if (timer !== undefined) return
    const text = caption.actAt === undefined ? caption.sentence : `${caption.sentence} ${remark()}`
    if (line.textContent === text) return
    const stillMs = changedAt + STAYS_MS - performance.now()
    if (stillMs > 0) {
      timer = setTimeout(() => {
        timer = undefined
        refresh()
      }, stillMs)
      return
    }
    changedAt = performance.now()
    say(line, text)
  }

  refresh()
  return {
    add(happening) {
      caption = withHappening(caption, happening)
      refresh()
    },
    refresh
  }
}
