/** The card with Svelte. */

import { hydrate, mount, tick, unmount } from 'svelte'
import { fromStore, writable } from 'svelte/store'
import type { Client } from '../../../src/index.ts'
import type { CardProps, Framework, Mounted } from '../card.ts'
import Cards from './Cards.svelte'

async function mounted(target: Element, client: Client, given: CardProps, begin: typeof mount): Promise<Mounted> {
  const props = fromStore(writable(given))
  const component = begin(Cards, {
    target,
    props: {
      client,
      get props() {
        return props.current
      }
    }
  })
  return {
    async set(change) {
      props.current = { ...props.current, ...change }
      await tick()
    },
    unmount: () => void unmount(component)
  }
}

export const svelte: Framework = {
  name: 'Svelte',
  mount: (element, client, props) => mounted(element, client, props, mount),
  hydrate: (element, client, props) => mounted(element, client, props, hydrate as typeof mount) // as: options of its own have to be there or not, which none of these is
}
