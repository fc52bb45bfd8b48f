import { el, say } from '../../src/devtools/dom.ts'

/** Returns a function that runs `paint` at the next frame, once, however often it is called before. */
export function onceAFrame(paint: () => void): () => void {
  let isDue = false
  return () => {
    if (isDue) return
    isDue = true
    requestAnimationFrame(() => {
      isDue = false
      paint()
    })
  }
}

/** A progress bar with its percentage. `show` takes 0 to 1; `undefined` makes it indeterminate. */
export function createMeter(label: string): { element: HTMLElement; show(ratio: number | undefined): void } {
  const percent = el('span', { class: 'percent' }, '0 %')
  const fill = el('div', { class: 'fill' })
  const bar = el('div', { class: 'bar', role: 'progressbar', 'aria-label': label, 'aria-valuemin': '0', 'aria-valuemax': '100' }, fill)
  return {
    element: el('div', { class: 'meter' }, bar, percent),
    show(ratio) {
      const value = Math.floor((ratio ?? 0) * 100)
      bar.classList.toggle('open', ratio === undefined)
      fill.style.inlineSize = ratio === undefined ? '' : `${ratio * 100}%`
      if (ratio === undefined) bar.removeAttribute('aria-valuenow')
      else bar.setAttribute('aria-valuenow', String(value))
      say(percent, ratio === undefined ? '…' : `${value} %`)
    }
  }
}
