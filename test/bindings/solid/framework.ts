/** The card with Solid, in a page. */

import { createComponent, createSignal, type JSX } from 'solid-js'
import { hydrate, render } from 'solid-js/web'
import type { Client } from '../../../src/index.ts'
import type { CardProps, Framework, Mounted } from '../card.ts'
import { Cards } from './cards.tsx'

async function mounted(
  element: Element,
  client: Client,
  given: CardProps,
  begin: (code: () => JSX.Element, element: HTMLElement) => () => void
): Promise<Mounted> {
  const [props, setProps] = createSignal(given)
  const tree = {
    client,
    get props() {
      return props()
    }
  }
  return {
    // Solid renders at once.
    async set(change) {
      setProps((before) => ({ ...before, ...change }))
    },
    unmount: begin(() => createComponent(Cards, tree), element as HTMLElement) // as: its type says so; any element will do
  }
}

export const solid: Framework = {
  name: 'Solid',
  mount: (element, client, props) => mounted(element, client, props, render),
  hydrate: (element, client, props) => mounted(element, client, props, (code, place) => hydrate(code, place))
}
