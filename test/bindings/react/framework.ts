/** The card with React: its state alone, for a page of several frameworks. */

import { createElement, type ReactElement } from 'react'
import { createRoot } from 'react-dom/client'
import { JobtailProvider, useJob } from '../../../src/react.ts'
import type { CardProps, Framework } from '../card.ts'

function Card({ id, enabled, initial, show, onEvent, onEnd }: CardProps): ReactElement {
  return createElement('article', {}, createElement('output', {}, show(useJob(id, { enabled, initial, onEvent, onEnd }))))
}

export const react: Pick<Framework, 'name' | 'mount'> = {
  name: 'React',
  async mount(element, client, given) {
    const root = createRoot(element)
    let props = given
    const render = (): void => {
      const cards = Array.from({ length: props.cards ?? 1 }, (_, key) => createElement(Card, { ...props, key }))
      root.render(createElement(JobtailProvider, { client }, ...cards))
    }
    render()
    return {
      async set(change) {
        props = { ...props, ...change }
        render()
      },
      unmount: () => root.unmount()
    }
  }
}
