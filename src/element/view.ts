/** The shadow tree of `<job-progress>`: made once, and changed where a picture differs from the one before. */

import { isEnd } from './announce.ts'
import type { Picture } from './picture.ts'
import { addStyle } from './style.ts'

/** What is shown: the job's picture, and what is around it. */
export interface Shown extends Picture {
  /** What the job is called; the slot `label` goes before it. */
  label: string
  /** The bar's name, where there is neither. */
  name: string
  /** The button's text; empty: there is no button. */
  cancel: string
}

export interface View {
  /** What a form's message points at. */
  readonly bar: HTMLElement
  draw(shown: Shown): void
  /** Tells it to a screen reader. */
  say(text: string): void
}

/** Makes an HTML element. */
export function make(tag: string, attributes: Readonly<Record<string, string>>, ...children: Node[]): HTMLElement {
  const element = document.createElement(tag)
  for (const name in attributes) element.setAttribute(name, `${attributes[name]}`)
  element.append(...children)
  return element
}

/** Makes an element that CSS can reach by this name, and labels by the same id. */
export const part = (name: string, tag = 'span', ...children: Node[]): HTMLElement => make(tag, { part: name, id: name }, ...children)
export const slot = (name: string): HTMLElement => make('slot', { name })
/** A live region that is only heard. */
export const makeVoice = (): HTMLElement => make('span', { role: 'status' })
export const makeRow = (...children: Node[]): HTMLElement => make('div', { class: 'row' }, ...children)

/** Sets the text, where it is another one. */
export function write(element: HTMLElement, text: string): void {
  if (element.textContent !== text) element.textContent = text
}

export function createView(root: ShadowRoot, onCancel: () => void): View {
  addStyle(root)
  /** What has a text, by the text's name. */
  const texts = {
    label: slot('label'),
    value: part('value'),
    stage: part('stage'),
    left: part('left'),
    cancel: part('cancel', 'button'),
    connection: part('connection', 'div'),
    error: slot('error')
  }
  const { cancel } = texts
  const [fill, voice] = [part('fill', 'div'), makeVoice()]
  const [bar, result, error] = [part('track', 'div', fill), part('result', 'div', slot('result')), part('error', 'div', texts.error)]
  bar.role = 'progressbar'
  // By script only: a form that cannot be sent moves the focus here, and so does the button when it goes.
  bar.tabIndex = -1
  bar.setAttribute('aria-labelledby', 'label')
  bar.setAttribute('aria-describedby', 'stage left')
  cancel.setAttribute('type', 'button')
  cancel.setAttribute('aria-describedby', 'label')
  cancel.onclick = onCancel
  root.append(makeRow(part('label', 'span', texts.label), texts.value), bar, makeRow(texts.stage, texts.left, cancel), texts.connection, result, error, voice)

  return {
    bar,
    say: (text) => write(voice, text),
    draw(shown) {
      const { status, ratio } = shown
      const isKnown = ratio !== undefined
      for (const name in texts) write(texts[name as keyof typeof texts], shown[name as keyof typeof texts]) // as: its own names
      bar.className = status === 'running' && !isKnown ? 'busy' : status
      bar.ariaValueNow = isKnown ? `${Math.floor(ratio * 100)}` : null
      bar.ariaLabel = shown.name
      fill.style.inlineSize = isKnown ? `${ratio * 100}%` : ''
      if (!shown.cancel && root.activeElement === cancel) bar.focus()
      cancel.hidden = !shown.cancel
      result.hidden = status !== 'succeeded'
      error.hidden = !isEnd(status) || !result.hidden || status === 'cancelled'
    }
  }
}
