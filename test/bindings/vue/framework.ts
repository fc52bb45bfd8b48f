/** The card with Vue. */

import { type App, createApp, createSSRApp, h, nextTick, shallowReactive } from 'vue'
import type { Client } from '../../../src/index.ts'
import { jobtailKey } from '../../../src/vue.ts'
import type { CardProps, Framework, Mounted } from '../card.ts'
import Card from './JobCard.vue'

export const appOf = (client: Client, props: CardProps, create: typeof createApp): App =>
  create({
    render() {
      const { cards = 1, ...rest } = props
      return Array.from({ length: cards }, () => h(Card, rest))
    }
  }).provide(jobtailKey, client)

async function mounted(element: Element, client: Client, given: CardProps, create: typeof createApp): Promise<Mounted> {
  const props = shallowReactive({ ...given })
  const app = appOf(client, props, create)
  app.mount(element)
  return {
    async set(change) {
      Object.assign(props, change)
      await nextTick()
    },
    unmount: () => app.unmount()
  }
}

export const vue: Framework = {
  name: 'Vue',
  mount: (element, client, props) => mounted(element, client, props, createApp),
  hydrate: (element, client, props) => mounted(element, client, props, createSSRApp)
}
