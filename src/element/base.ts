/** What both elements are: attributes, and something that runs with a client while the element is in a document. */

import { type Client, type ClientOptions, JobtailError, sharedClient } from '../index.ts'
import { backendNamed, onConfigure, options } from './configuration.ts'
import { addStyle } from './style.ts'

/** Which client an element uses, and what is known of it. */
export interface Chosen {
  client: Client
  /** Whether its server cancels jobs, as far as is known. */
  canCancel: boolean
}

/** What an element does while it is in a document. */
export interface Core {
  /**
   * The element is in a document now, or its attributes or the page's configuration have changed. `chosen`: `undefined` where there is no client yet; `error`:
   * why there can be none.
   */
  use(chosen: Chosen | undefined, error?: JobtailError): void
  /** The element is in no document any more. */
  stop(): void
}

/** In Node there are no elements: a module that is imported to render a page there must not fail. */
const Base: typeof HTMLElement = globalThis.HTMLElement ?? (class {} as typeof HTMLElement) // as: nobody makes one there

/** The part that both elements have. */
export abstract class JobtailElement extends Base {
  /** The attributes that it looks at; each is a property, too. */
  static readonly observedAttributes: readonly string[] = ['url', 'backend', 'label']

  /** Where the jobs are, as the client's option `url`; `null`: as configured, by default `/jobs`. */
  declare url: string | null
  /** The name of the backend that the server speaks; `null`: as configured, by default Jobtail's own. */
  declare backend: string | null
  /** What it is called, for people; `null`: a word of the element's own. */
  declare label: string | null

  readonly #own: Core
  #client: Client | undefined
  #isDue = false
  #unlisten: (() => void) | undefined

  constructor(createCore: (host: never) => Core) {
    super()
    this.#own = createCore(this as never) // as: each subclass passes what works for itself
  }

  /** The client to use, in place of the one that `url`, `backend` and the configuration say. */
  get client(): Client | undefined {
    return this.#client
  }
  set client(client: Client | undefined) {
    this.#client = client
    this.attributeChangedCallback()
  }

  /** Of the platform. */
  connectedCallback(): void {
    // Properties that were set before the script was there hide those of the class.
    const own = { ...this }
    for (const name in own) delete this[name]
    Object.assign(this, own)
    this.#unlisten = onConfigure(this.attributeChangedCallback.bind(this))
    this.attributeChangedCallback()
  }

  /** Of the platform. */
  disconnectedCallback(): void {
    this.#unlisten?.()
    this.#own.stop()
  }

  /** Of the platform: `moveBefore()` changes nothing. */
  connectedMoveCallback(): void {}

  /** Of the platform: another document has it now, such as that of a picture-in-picture window. */
  adoptedCallback(): void {
    if (this.shadowRoot) addStyle(this.shadowRoot)
  }

  /** Of the platform: looks at the attributes once the changes of the current task are complete. */
  attributeChangedCallback(): void {
    if (!this.#isDue) queueMicrotask(() => this.#look())
    this.#isDue = true
  }

  #look(): void {
    this.#isDue = false
    if (!this.isConnected) return
    try {
      this.#own.use(choose(this))
    } catch (error) {
      console.error(this, error)
      this.#own.use(undefined, error as JobtailError) // as: an invalid option or id throws no other
    }
  }
}

/**
 * The client of an element; `undefined` where its backend is not there yet, and the page is still being loaded.
 * @throws JobtailError `bad-request` for an unknown backend, or an invalid `url`
 */
function choose({ url, backend: name, client }: JobtailElement): Chosen | undefined {
  if (client) return { client, canCancel: true }
  const backend = name === null ? options.backend : backendNamed(name)
  if (name !== null && !backend) {
    if (document.readyState !== 'complete') return undefined
    throw new JobtailError('bad-request', `backend: expected a name of configure({ backends }), or of jobtail-backends.min.js, got ${name}`)
  }
  const own: ClientOptions = { ...options, ...(url !== null && { url }), backend }
  return { client: sharedClient(own), canCancel: !backend || !!backend.cancel }
}

/** Makes the attributes properties of the same name, and defines the element. On a server, and where a page loads the script twice, it does nothing. */
export function define(name: string, element: (new () => JobtailElement) & { observedAttributes: readonly string[] }): void {
  const registry = globalThis.customElements
  if (!registry || registry.get(name)) return
  for (const attribute of element.observedAttributes)
    Object.defineProperty(element.prototype, attribute, {
      get(this: Element) {
        return this.getAttribute(attribute)
      },
      set(this: Element, value: unknown) {
        setOrRemove(this, attribute, value)
      }
    })
  registry.define(name, element)
}

/** Sets the attribute where it differs; `null` and `undefined` remove it. */
export function setOrRemove(element: Element, name: string, value: unknown): void {
  if (value == null) element.removeAttribute(name)
  else if (element.getAttribute(name) !== `${value}`) element.setAttribute(name, `${value}`)
}
