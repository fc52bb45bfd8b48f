/** jobtail/devtools: a panel that shows what the page's clients do, for development. */

import { now } from './devtools/dom.ts'
import { createPanel, type Panel } from './devtools/panel.ts'
import { readPlace } from './devtools/place.ts'
import { createRecording } from './devtools/recording.ts'
import { reportOf } from './devtools/report.ts'
import { styles } from './devtools/styles.ts'
import { observe } from './index.ts'

const NAME = 'jobtail-devtools'

/** What a server that renders a page has in place of the browser's class. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement) // as: nobody makes one there

/**
 * `<jobtail-devtools>`: what every client of the page does, while the element is in the document: transports and their attempts on a time axis, each
 * diagnostic in words, jobs, settings, and a report to copy. It keeps the latest 2,000 diagnostics and 50 jobs.
 *
 * It lies in a corner of the window, collapsed until somebody opens it. With the attribute `open` it begins open; a choice of the user's is kept for the tab's
 * session. With the attribute `inline` it stands in the page's flow, and can't be collapsed. Both are read when the element is added to the document.
 */
export class JobtailDevtools extends Base {
  readonly #recording = createRecording()
  #panel: Panel | undefined
  #unobserve: (() => void) | undefined

  /** Begins to record. Called by the browser. */
  connectedCallback(): void {
    const root = this.shadowRoot ?? createRoot(this)
    const panel = createPanel(this.#recording, this.hasAttribute('inline') ? undefined : readPlace(this.hasAttribute('open')))
    root.replaceChildren(panel.element)
    this.#panel = panel
    this.#unobserve = observe((observation, client, options) => {
      this.#recording.add(observation, client, options)
      panel.wake()
    })
  }

  /** Ends all that it does. What was recorded is kept with the element. Called by the browser. */
  disconnectedCallback(): void {
    this.#unobserve?.()
    this.#recording.stop(now())
    this.#panel?.stop()
    this.shadowRoot?.replaceChildren()
  }

  /** Marks this moment in the timeline with a word or two, and in the list with a sentence: what the user did, for example. */
  mark(label: string, sentence: string = label): void {
    this.#recording.mark(now(), label, sentence)
    this.#panel?.wake()
  }

  /**
   * The report that the button copies, in Markdown. It has no token, no header and no query of a URL. `data`: with the jobs' progress, results and errors,
   * which it has not by default.
   */
  report({ data = false }: { data?: boolean | undefined } = {}): string {
    return reportOf(this.#recording, now(), data)
  }
}

/** What happens in the panel is none of the application's business: its shortcuts, and whatever closes when the user clicks elsewhere. */
const OWN_EVENTS = ['keydown', 'keyup', 'pointerdown', 'mousedown', 'click']

function createRoot(host: HTMLElement): ShadowRoot {
  const root = host.attachShadow({ mode: 'open' })
  const sheet = new CSSStyleSheet()
  sheet.replaceSync(styles) // a policy that allows no inline style allows this
  root.adoptedStyleSheets = [sheet]
  for (const type of OWN_EVENTS) root.addEventListener(type, (event) => event.stopPropagation())
  return root
}

declare global {
  interface HTMLElementTagNameMap {
    'jobtail-devtools': JobtailDevtools
  }
}

// A module that is replaced while the page lives (HMR) runs again, and a name can be defined once only.
if (globalThis.customElements && !customElements.get(NAME)) customElements.define(NAME, JobtailDevtools)
