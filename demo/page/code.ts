import { el } from '../../src/devtools/dom.ts'

/** A disclosure that shows the code of one part of the demo. The code is fetched when it is opened. */
export function showCode(part: string, title = 'Code'): HTMLDetailsElement {
  const code = el('code')
  const details = el('details', { class: 'code' }, el('summary', {}, title), el('pre', { tabindex: '0', 'aria-label': `Code of ${part}` }, code))
  details.addEventListener('toggle', async () => {
    if (!details.open || code.textContent !== '') return
    try {
      code.textContent = await (await fetch(`/_code/${part}`)).text()
    } catch {
      details.open = false // the demo server is gone; the switches' status says so
    }
  })
  return details
}
