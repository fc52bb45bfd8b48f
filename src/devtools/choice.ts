import { el } from './dom.ts'
import type { ClientRecord } from './recording.ts'
import { placeOf } from './settings.ts'

export interface Choice {
  readonly element: HTMLSelectElement
  /** Offers these clients. Returns those that are chosen: at first all. */
  among(clients: readonly ClientRecord[]): readonly ClientRecord[]
}

/** A choice of the client that is shown. It is hidden while there is only one. */
export function createChoice(onChange: () => void): Choice {
  const all = el('option', { value: '' }, 'All clients')
  const element = el('select', { 'aria-label': 'Clients shown' }, all)
  let offered: readonly ClientRecord[] = []
  element.hidden = true
  element.onchange = onChange

  function offer(clients: readonly ClientRecord[]): void {
    if (clients === offered) return
    offered = clients
    const { value } = element
    const options = clients.map(({ number, options }) => el('option', { value: String(number) }, `Client ${number}: ${placeOf(String(options.url))}`))
    element.replaceChildren(all, ...options)
    element.value = options.some((option) => option.value === value) ? value : ''
    element.hidden = clients.length < 2
  }

  return {
    element,
    among(clients) {
      offer(clients)
      return element.value === '' ? clients : clients.filter(({ number }) => String(number) === element.value)
    }
  }
}
