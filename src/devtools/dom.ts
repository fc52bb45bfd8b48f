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

export function button(label: string, onClick: () => void): HTMLButtonElement {
  const element = el('button', { type: 'button' }, label)
  element.onclick = onClick
  return element
}
