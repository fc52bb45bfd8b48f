import { el, say } from './dom.ts'

export interface Copy {
  /** The button, and a choice whether data is in the report. */
  readonly controls: HTMLElement
  /** What came of it; with the text to copy where the browser denies the clipboard. */
  readonly outcome: HTMLElement
}

/** Copies what `report` returns. `withData`: the user wants the jobs' data in it. */
export function createCopy(report: (withData: boolean) => string): Copy {
  const data = el('input', { type: 'checkbox' })
  const copy = el('button', { type: 'button', class: 'copy' }, 'Copy report')
  const status = el('p', { role: 'status' })
  const text = el('textarea', { rows: '8', 'aria-label': 'Report to copy' })
  text.readOnly = true
  const close = el('button', { type: 'button' }, 'Close')
  const denied = el('div', {}, text, close)
  denied.hidden = true

  copy.onclick = async () => {
    const wanted = report(data.checked)
    denied.hidden = await isCopied(wanted)
    say(status, denied.hidden ? 'The report is in the clipboard.' : 'The browser denies the clipboard. Copy the text below.')
    if (denied.hidden) return
    text.value = wanted
    text.focus()
    text.select()
  }
  close.onclick = () => {
    denied.hidden = true
    say(status, '')
    copy.focus()
  }
  return {
    controls: el('span', { class: 'report' }, copy, el('label', {}, data, 'with data')),
    outcome: el('div', { class: 'outcome' }, status, denied)
  }
}

async function isCopied(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    return false // denied by the user or a policy; or there is none, on a page without TLS
  }
}
