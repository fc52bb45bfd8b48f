/** One connection over the simulated path: its two ends, and the faults between them. */

import { clock } from './clock.ts'
import type { Kind } from './faults.ts'
import type { NetworkOptions, Window } from './network.ts'
import { createPipe, type PipeOptions } from './pipe.ts'

/** The client's end: what happens to it. */
export interface ClientEnd {
  /** The status line and headers have come; a WebSocket has opened. */
  head(status: number, headers: Record<string, string>, redirect?: 'followed' | 'opaque'): void
  /** A piece of the body, or a message, has come. */
  data(piece: Uint8Array | string): void
  end(code: number): void
  /** The connection broke. */
  fail(): void
}

/** The server's end. */
export interface ServerEnd {
  data(text: string): void
  gone(): void
}

export interface Request {
  url: URL
  method: string
  headers: Headers
  protocols: readonly string[]
  /** A redirect is not followed. */
  isManual?: boolean
}

/** The jobs that a URL requests. */
export const jobsOf = ({ url }: Request): string => `${url.pathname} ${url.searchParams.getAll('job')}`

export interface Connection {
  readonly kind: Kind
  readonly client: number
  readonly number: number
  readonly openedAt: number
  readonly request: Request
  /** Whether the client still holds it. */
  readonly isOpen: boolean
  /** Whether nothing passes any more, without either end being told. */
  readonly isDead: boolean
  /** Whether the client has got anything: a piece of the body has come. */
  readonly isHeard: boolean
  server: ServerEnd | undefined
  // For the client's end.
  send(text: string): void
  close(): void
  // For the server's end.
  head(status: number, headers: Record<string, string>): void
  data(text: string): void
  end(code?: number): void
  // For the path.
  reset(): void
  die(): void
}

export interface ConnectionOptions extends PipeOptions, Pick<NetworkOptions, 'pieces' | 'trace' | 'accept' | 'farMs' | 'onInstead' | 'hasStarts'> {
  kind: Kind
  client: number
  number: number
  request: Request
  end: ClientEnd
  onOpened(connection: Connection): void
  /** Something that was sent at that time has arrived. */
  onDelivered(sentAt: number): void
  onClosed(connection: Connection): void
}

const encoder = new TextEncoder()
const decoder = new TextDecoder()

/** Cuts a text anywhere, even in the middle of a character. */
function piecesOf(text: string, { random, pieces }: Pick<ConnectionOptions, 'random' | 'pieces'>): Uint8Array[] {
  const bytes = encoder.encode(text)
  const count = 1 + Math.floor(random() * pieces)
  const cuts = Array.from({ length: count - 1 }, () => Math.floor(random() * bytes.length)).sort((a, b) => a - b)
  return [0, ...cuts].map((from, index) => bytes.subarray(from, cuts[index] ?? bytes.length)).filter(({ length }) => length > 0)
}

export function createConnection({ kind, client, number, request: asked, end, ...path }: ConnectionOptions): Connection {
  const { windowFor, random } = path
  const request = strip(asked)
  const [up, down] = [createPipe(kind, path), createPipe(kind, path)]
  let isOpen = true
  let isDead = false
  let isHeadDelivered = false
  let isHeard = false
  let callOffLimit: (() => void) | undefined
  /** What a proxy buffers until the end of the body. */
  let held: (() => void)[] | undefined
  /** After how many more bytes the body is cut. */
  let left = Number.POSITIVE_INFINITY
  let cutBy: Window | undefined

  /** The client has closed it. The server learns that as late as it gets bytes. */
  function letGo(): void {
    if (!isOpen) return
    isOpen = false
    path.trace(`${name} is over`)
    path.onClosed(connection)
    callOffLimit?.()
    down.clear()
    if (!isDead) up.send(() => connection.server?.gone())
  }

  /** Runs as a task of the page. */
  function failNow(): void {
    if (!isOpen) return
    letGo()
    end.fail()
  }

  const fail = (): void => void (isOpen && clock.ofPage(failNow))

  function toClient(run: () => void): void {
    if (!isOpen || isDead) return
    if (held) held.push(run)
    else down.send(() => clock.ofPage(() => isOpen && run()))
  }

  function deliver(piece: Uint8Array | string, sentAt: number): void {
    isHeard = true
    path.onDelivered(sentAt)
    path.trace(`${name}: ${typeof piece === 'string' ? piece : decoder.decode(piece)}`)
    if (piece.length <= left) {
      left -= piece.length
      return end.data(piece)
    }
    cutBy?.hit(kind)
    if (typeof piece !== 'string' && left > 0) end.data(piece.subarray(0, left))
    failNow()
  }

  const name = `${kind} #${number} of client ${client}`
  path.trace(`${name} opens: ${request.url.href} ${request.headers.get('last-event-id') ?? ''}`)
  const connection: Connection = {
    kind,
    client,
    number,
    openedAt: clock.now,
    request,
    get isOpen() {
      return isOpen
    },
    get isDead() {
      return isDead
    },
    get isHeard() {
      return isHeard
    },
    server: undefined,
    send(text) {
      path.trace(`${name} sends ${text}`)
      if (isOpen && !isDead) up.send(() => connection.server?.data(text))
    },
    close: letGo,
    head(status, headers) {
      const buffering = kind === 'sse' && !held ? windowFor(kind, 'buffered') : undefined
      buffering?.hit(kind)
      const isHeadHeld = buffering && buffering.amount % 2 === 1
      if (isHeadHeld) held = []
      toClient(() => {
        isHeadDelivered = true
        const killed = windowFor(kind, 'killed')
        if (killed)
          clock.after(killed.amount, () => {
            if (isOpen) killed.hit(kind)
            connection.reset()
          })
        path.trace(`${name}: ${status}`)
        end.head(status, headers)
      })
      if (buffering) held ??= []
    },
    data(text) {
      const mute = windowFor(kind, 'mute')
      if (mute) {
        if (isOpen) mute.hit(kind)
        connection.die()
        return
      }
      const cut = windowFor(kind, 'cut')
      if (cut && !cutBy) {
        cutBy = cut
        left = Math.floor(random() * cut.amount)
      }
      const sentAt = clock.now
      for (const piece of kind === 'websocket' ? [text] : piecesOf(text, path)) toClient(() => deliver(piece, sentAt))
    },
    end(code = 1000) {
      const all = held ?? []
      held = undefined
      for (const run of all) toClient(run)
      toClient(() => {
        letGo()
        end.end(code)
      })
    },
    reset() {
      if (isDead) return
      fail()
    },
    die() {
      isDead = true
      up.clear()
      down.clear()
      // The server notices at last that the connection is dead.
      clock.after(60_000, () => connection.server?.gone())
    }
  }
  path.onOpened(connection)
  begin()
  return connection

  function begin(): void {
    const fault = windowFor(kind, 'refused', 'unanswered', 'portal', 'not-found', 'login', 'too-many', 'no-content', 'redirected')
    fault?.hit(kind)
    if (fault?.fault === 'unanswered') return connection.die()
    if (fault?.fault === 'refused' || (fault && kind === 'websocket')) return down.send(fail)
    if (fault) return inBetween(fault)
    const limit = windowFor(kind, 'gateway-timeout')
    if (limit && kind !== 'websocket')
      callOffLimit = clock.after(limit.amount, () => {
        if (isHeadDelivered) return
        limit.hit(kind)
        held = undefined
        connection.server?.gone()
        connection.server = undefined
        answerInstead(504)
      })
    up.send(() => {
      if (path.farMs) clock.after(path.farMs, () => isOpen && !isDead && path.accept(connection))
      else path.accept(connection)
    })
  }

  function inBetween({ fault, amount }: Window): void {
    switch (fault) {
      case 'not-found':
        return answerInstead(404, { 'content-type': 'text/plain' })
      case 'login':
        return answerInstead(401, { 'content-type': 'text/plain', 'www-authenticate': 'Basic realm="staging"' })
      case 'too-many': {
        const at = new Date(Date.now() + amount).toUTCString()
        return answerInstead(429, { 'content-type': 'text/html', 'retry-after': amount % 2 ? at : `${Math.ceil(amount / 1000)}` }, amount)
      }
      case 'no-content':
        return answerInstead(204, {})
      case 'redirected':
        // A redirect to another origin can't be followed.
        if (!request.isManual) return amount % 2 ? down.send(fail) : answerInstead(200, { 'content-type': 'text/html' }, 0, 'followed')
        return down.send(() => {
          if (!isOpen) return
          letGo()
          end.head(0, {}, 'opaque')
        })
      default:
        return answerInstead(200)
    }
  }

  /** Removes the cursor from one of its places. A tail is only in one. */
  function strip(given: Request): Request {
    const stripping = windowFor(kind, 'stripped')
    const after = given.url.searchParams.getAll('after')
    if (!stripping || after.includes('tail')) return given
    const url = new URL(given.url)
    const headers = new Headers(given.headers)
    if (stripping.amount % 2) url.searchParams.delete('after')
    else headers.delete('last-event-id')
    const isOnly = !given.headers.has('last-event-id')
    // The client can't notice the loss of a cursor that it has from elsewhere.
    if (stripping.amount % 2 && isOnly && path.hasStarts) return given
    if (stripping.amount % 2 ? after.some(Boolean) : given.headers.has('last-event-id')) stripping.hit(kind)
    return { ...given, url, headers }
  }

  /** An intermediary answers. */
  function answerInstead(status: number, headers: Record<string, string> = { 'content-type': 'text/html' }, retryAfterMs = 0, redirect?: 'followed'): void {
    down.send(() => {
      if (!isOpen) return
      path.trace(`${name}: ${status} from in between ${JSON.stringify(headers)}`)
      isHeard = true
      path.onInstead(connection, status, retryAfterMs)
      end.head(status, headers, redirect)
      if (status !== 204) return
      letGo()
      end.end(1000)
    })
    down.send(() => isOpen && status !== 204 && end.data(encoder.encode('<h1>Welcome</h1>')))
    down.send(() => {
      if (!isOpen) return
      letGo()
      end.end(1000)
    })
  }
}
