/** Creates an element with these attributes and children. An attribute that is `undefined` is left out. */
export function el<K extends keyof HTMLElementTagNameMap>(
  name: K,
  attributes: Record<string, string | undefined> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(key, value)
  element.append(...children)
  return element
}

export function svg<K extends keyof SVGElementTagNameMap>(name: K, attributes: Record<string, string | number> = {}): SVGElementTagNameMap[K] {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name)
  set(element, attributes)
  return element
}

export function set(element: Element, attributes: Record<string, string | number>): void {
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value))
}

/** Sets an element's text if it differs. Setting the same text again would make a screen reader repeat a live region. */
export function say(element: Element, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

/** Milliseconds since 1970 by the page's monotonic clock, the same that diagnostics use. */
export const now = (): number => performance.timeOrigin + performance.now()

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
