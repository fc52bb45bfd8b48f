/** The `fetch` and `WebSocket` of a page, over the simulated network. */

import { clock } from './clock.ts'
import type { Connection } from './connection.ts'
import type { Kind } from './faults.ts'
import type { Network } from './network.ts'

const kindOf = (accept: string | null, isHeld: boolean): Kind => (accept === 'text/event-stream' ? 'sse' : isHeld ? 'long-poll' : 'json')

const NO_BODY = [204, 304]

/** An answer as a cache keeps it. */
type Answer = { status: number; headers: Record<string, string>; body: string }

const repeat =
  ({ status, headers, body }: Answer) =>
  (connection: Connection): void => {
    connection.head(status, headers)
    connection.data(body)
    connection.end()
  }

/** The response that a browser makes of a redirect. */
function redirected(response: Response, redirect: 'followed' | 'opaque'): Response {
  const told = redirect === 'opaque' ? Response.error() : response
  return Object.defineProperties(told, redirect === 'opaque' ? { type: { value: 'opaqueredirect' } } : { redirected: { value: true } })
}

export function createFetch(network: Network, client: number): typeof fetch {
  const answers = new Map<string, Answer>()

  return (input, { headers: given, signal, method = 'GET', redirect: mode } = {}) => {
    const url = new URL(String(input))
    const headers = new Headers(given)
    const kind = kindOf(headers.get('accept'), url.searchParams.has('wait') || headers.has('prefer'))
    // A cache repeats its answers to single reads, except where each answer is another one.
    const isCached = (kind === 'json' || kind === 'long-poll') && url.pathname.endsWith('/events') && !url.href.includes('=tail')
    const key = `${url.href} ${headers.get('last-event-id')} ${headers.get('authorization')}`
    const bare = new URL(url)
    bare.searchParams.delete('after')
    const bareKey = `${bare.href} ${headers.get('accept')} ${headers.get('authorization')}`

    return new Promise<Response>((resolve, reject) => {
      if (signal?.aborted) return reject(signal.reason)
      let body: ReadableStreamDefaultController<Uint8Array> | undefined
      let connection: Connection | undefined
      const answer: Answer = { status: 0, headers: {}, body: '' }
      const decoder = new TextDecoder()

      const over = (): void => signal?.removeEventListener('abort', abort)
      const abort = (): void => {
        over()
        connection?.close()
        reject(signal?.reason)
        body?.error(signal?.reason)
      }
      signal?.addEventListener('abort', abort)

      const end = {
        head(status: number, headers: Record<string, string>, redirect?: 'followed' | 'opaque') {
          if (redirect === 'opaque') {
            over()
            return resolve(redirected(Response.error(), redirect))
          }
          Object.assign(answer, { status, headers })
          const stream = new ReadableStream<Uint8Array>({
            start(controller) {
              body = controller
            },
            cancel() {
              over()
              connection?.close()
            }
          })
          const response = new Response(NO_BODY.includes(status) ? null : stream, { status, headers })
          resolve(redirect ? redirected(response, redirect) : response)
        },
        data(piece: Uint8Array | string) {
          if (typeof piece === 'string') return
          answer.body += decoder.decode(piece, { stream: true })
          body?.enqueue(piece)
        },
        end() {
          over()
          if (isCached && answer.status === 200) {
            answers.set(key, answer)
            // An answer with a refusal is stored only under its own URL: a refusal is believed wherever it comes from.
            if (!answer.body.includes('"error"')) answers.set(bareKey, answer)
          }
          body?.close()
        },
        fail() {
          over()
          reject(new TypeError('fetch failed'))
          body?.error(new TypeError('terminated'))
        }
      }

      // A request without a cursor can't tell another request's answer from its own.
      const hasCursor = headers.has('last-event-id') || (url.searchParams.has('after') && !url.searchParams.getAll('after').includes(''))
      const ignoring = isCached && hasCursor ? network.windowFor(kind, 'ignorant-cache') : undefined
      const repeated = ignoring ?? (isCached && kind === 'json' ? network.windowFor(kind, 'repeated-answer') : undefined)
      const before = repeated && answers.get(ignoring ? bareKey : key)
      if (before) repeated.hit(kind)
      connection = network.connect(kind, client, { url, method, headers, protocols: [], isManual: mode === 'manual' }, end, before && repeat(before))
    })
  }
}

type Handler<E> = ((event: E) => void) | null

export function createWebSocketClass(network: Network, client: number): typeof WebSocket {
  class VirtualWebSocket {
    static readonly CONNECTING = 0
    static readonly OPEN = 1
    static readonly CLOSING = 2
    static readonly CLOSED = 3
    readonly url: string
    readyState = 0
    onopen: Handler<object> = null
    onmessage: Handler<{ data: string }> = null
    onerror: Handler<object> = null
    onclose: Handler<{ code: number; reason: string; wasClean: boolean }> = null
    readonly #connection: Connection

    constructor(given: string | URL, protocols: string | string[] = []) {
      const url = new URL(given)
      this.url = url.href
      this.#connection = network.connect(
        'websocket',
        client,
        { url, method: 'GET', headers: new Headers(), protocols: [protocols].flat() },
        {
          head: () => {
            this.readyState = 1
            this.onopen?.({})
          },
          data: (data) => this.onmessage?.({ data: String(data) }),
          end: (code) => this.#closed(code),
          fail: () => {
            this.onerror?.({})
            this.#closed(1006)
          }
        }
      )
    }

    #closed(code: number): void {
      this.readyState = 3
      this.onclose?.({ code, reason: '', wasClean: code !== 1006 })
    }

    send(text: string): void {
      if (this.readyState === 0) throw new DOMException('still connecting', 'InvalidStateError')
      if (this.readyState === 1) this.#connection.send(text)
    }

    close(code = 1005): void {
      if (this.readyState >= 2) return
      const isOpen = this.readyState === 1
      this.readyState = 2
      this.#connection.close()
      clock.after(1, () => this.#closed(isOpen ? code : 1006))
    }
  }
  return VirtualWebSocket as unknown as typeof WebSocket // as: what the client uses of one
}
