/** In a page: the panel of jobtail/devtools, mounted for one test. */

import { expect, onTestFinished } from 'vitest'
import { JobtailDevtools } from '../../../src/devtools.ts'
import type { Client, ClientOptions } from '../../../src/index.ts'
import { createClient } from '../../../src/index.ts'

export interface Mounted {
  readonly element: JobtailDevtools
  readonly root: ShadowRoot
  /** All text of the panel, as it stands in the tree. */
  text(): string
  /** The button with this text or label. */
  button(name: string): HTMLButtonElement
}

/** Adds the element with these attributes to the page. */
export function mount(...attributes: string[]): Mounted {
  const element = document.createElement('jobtail-devtools')
  for (const attribute of attributes) element.setAttribute(attribute, '')
  document.body.append(element)
  onTestFinished(() => {
    element.remove()
    sessionStorage.clear()
  })
  expect(element).toBeInstanceOf(JobtailDevtools)
  const root = element.shadowRoot
  if (!root) throw new Error('the element has no shadow root')
  return {
    element,
    root,
    text: () => [...root.querySelectorAll('.box')].map(({ textContent }) => textContent).join(),
    button(name) {
      const found = [...root.querySelectorAll('button')].find((each) => each.textContent === name || each.getAttribute('aria-label') === name)
      if (!found) throw new Error(`there is no button ${name}, but ${[...root.querySelectorAll('button')].map(({ textContent }) => textContent).join(', ')}`)
      return found
    }
  }
}

/** A client without a memory, closed at the end of the test. */
export function connect(options: ClientOptions): Client {
  const client = createClient({ memory: false, retry: { baseMs: 1, maxMs: 200 }, ...options })
  onTestFinished(client.close)
  return client
}

/** Counts the changes of a tree, and the frames and timers that anybody asks for, until `stop`. */
export function watchWork(root: Node): { stop(): { changes: number; frames: number } } {
  let changes = 0
  let frames = 0
  const observer = new MutationObserver((records) => {
    changes += records.length
  })
  observer.observe(root, { subtree: true, childList: true, attributes: true, characterData: true })
  const { requestAnimationFrame } = globalThis
  globalThis.requestAnimationFrame = (callback) => {
    frames += 1
    return requestAnimationFrame.call(globalThis, callback)
  }
  const restore = (): void => {
    globalThis.requestAnimationFrame = requestAnimationFrame
  }
  onTestFinished(restore)
  return {
    stop() {
      changes += observer.takeRecords().length
      observer.disconnect()
      restore()
      return { changes, frames }
    }
  }
}
