/** A framework on a stage, and what happens there. */

import { onTestFinished } from 'vitest'
import { type Client, createClient, type JobState } from '../../src/index.ts'
import { type CardProps, type Framework, type Mounted, textOf } from './card.ts'
import { createStage, type Stage } from './stage.ts'

/** A framework on a stage. */
export interface Scene {
  framework: Framework
  stage: Stage
  client: Client
  element: HTMLElement
  /** What the cards have rendered. */
  shown: JobState[]
  /** What of the card's props the scene gives. */
  props: CardProps
  /** Mounts cards, which are unmounted at the end of the test. */
  mount(props: Partial<CardProps>): Promise<Mounted>
  /** What the cards show now. */
  texts(): string[]
  /** What the first card shows of its start, and of its events. */
  started(): string
  listed(): string
  /** The jobs that it knows. */
  known(): string
  press(button: 'Start' | 'Cancel'): void
}

export async function createScene(framework: Framework): Promise<Scene> {
  const stage = await createStage()
  const client = createClient({ url: stage.url, memory: false, jobStorage: false, retry: { baseMs: 20, maxMs: 200 } })
  const element = document.body.appendChild(document.createElement('main'))
  onTestFinished(() => {
    client.close()
    element.remove()
  })
  const shown: JobState[] = []
  const show = (state: JobState): string => {
    shown.push(state)
    return textOf(state)
  }
  const props: CardProps = { id: '42', show }
  return {
    framework,
    stage,
    client,
    element,
    shown,
    props,
    async mount(change) {
      const mounted = await framework.mount(element.appendChild(document.createElement('div')), client, { ...props, ...change })
      let isMounted = true
      const unmount = (): void => {
        if (isMounted) mounted.unmount()
        isMounted = false
      }
      onTestFinished(unmount)
      return { ...mounted, unmount }
    },
    texts: () => [...element.querySelectorAll('output')].map(({ textContent }) => textContent),
    known: () => element.querySelector('kbd')?.textContent?.trim() ?? '',
    started: () => element.querySelector('samp')?.textContent ?? '',
    listed: () => element.querySelector('pre')?.textContent?.trim() ?? '',
    press: (button) => [...element.querySelectorAll('button')].find(({ textContent }) => textContent?.trim() === button)?.click()
  }
}
