/** A client's options. */

import type { Backend, JobStorage, Memory } from './backend.ts'
import type { Diagnostic } from './diagnostics.ts'
import type { Share } from './reader.ts'
import type { Transport } from './transport.ts'

/** A value, or a function that gets it. */
type Provided<T> = T | (() => T | Promise<T>)

/**
 * How long the client pauses after failures: a random time from 0 to `baseMs`, doubled with each failure in a row, up to `maxMs` (full jitter). It reconnects
 * at once after a connection that lasted 5 s or longer. After something was live, no pause is longer than the outage so far, or `baseMs`.
 */
export interface RetryOptions {
  /**
   * The upper bound of the first pause, in ms, from 1.
   * @defaultValue 250
   */
  baseMs?: number
  /**
   * The upper bound of every pause, in ms, from 1. While the browser reports that it is offline, pauses last at least this long.
   * @defaultValue 30,000
   */
  maxMs?: number
  /**
   * After how many races in a row that deliver nothing, or failed tries of one request, the client gives up with `unreachable`: from 1.
   * @defaultValue Infinity: it never gives up
   */
  attempts?: number
}

/**
 * Options of a client. They are checked when the client is made: an unknown name or an invalid value throws `JobtailError` with code `bad-request`. An option
 * that is `undefined` has its default. Times are in ms. A time longer than a timer can wait (24.8 days, HTML §8.6), such as `Infinity`, is that longest time.
 */
export interface ClientOptions {
  /**
   * Where the jobs are: `{base}` of PROTOCOL.md, an `http:` or `https:` URL without a user name and password. A relative one is resolved as `fetch` resolves it; outside of a page it has to
   * be absolute. The `ws:` URL is derived from it.
   * @defaultValue `'/jobs'`
   */
  url?: string | URL | undefined
  /**
   * The transports to use, in order of preference. Their names must differ.
   * @defaultValue the backend's: `[webSocket(), sse(), longPoll(), shortPoll()]`
   */
  transports?: readonly Transport[] | undefined
  /**
   * The protocol that the server speaks.
   * @defaultValue Jobtail's own
   */
  backend?: Backend | undefined
  /**
   * A bearer token (RFC 6750), or a function that gets one. The function is called once per connect, for all transports together, and once more after a 401.
   * A token may have any characters that a header value can carry, except blanks (RFC 9110 §5.5); otherwise `bad-request` is thrown. `undefined` or `null`: no token.
   */
  token?: Provided<string | null | undefined> | undefined
  /** Further headers, or a function that gets them, called as the one of `token` is. Sent with every `fetch`; a browser's WebSocket cannot send them. */
  headers?: Provided<HeadersInit> | undefined
  /**
   * The `credentials` mode of every `fetch`. A WebSocket always sends its cookies.
   * @defaultValue `'same-origin'`
   */
  credentials?: RequestCredentials | undefined
  /**
   * How long after one transport's start the next one starts, in ms; at once where the one before it fails sooner. 0: all start together. `Infinity`: the
   * next one starts only after the one before it has failed.
   * @defaultValue 250
   */
  staggerMs?: number | undefined
  /**
   * How long a transport has to deliver its first frame, in ms, from 1. Doubled with each race in a row that delivers nothing, up to a minute, and never
   * less than the last winner's own time allows.
   * @defaultValue 5000
   */
  probeTimeoutMs?: number | undefined
  /**
   * Whether a single read runs beside the first probes. It delivers a finished job without a connection.
   * @defaultValue `true`
   */
  firstLook?: boolean | undefined
  /**
   * Where the winning transport is remembered; `false`: nowhere.
   * @defaultValue `indexedDbMemory()`; in `jobtail/core`: `false`
   */
  memory?: Memory | false | undefined
  /**
   * Whose jobs these are: the application's own id of the user, never a token. It tells the lists of `jobs()` apart that one browser keeps for several users.
   * @defaultValue nobody's in particular; with a `token` or `headers` the list is then kept in this page only
   */
  identity?: string | undefined
  /**
   * Where the list of `jobs()` is kept beyond this page; `false`: nowhere.
   * @defaultValue `indexedDbMemory()`; in `jobtail/core`: `false`
   */
  jobStorage?: JobStorage | false | undefined
  /** Pauses after failures, and when to give up. */
  retry?: RetryOptions | undefined
  /**
   * How long the client keeps asking for a job that the server does not know yet, in ms. 0: it does not ask again.
   * @defaultValue 5000
   */
  unknownJobGraceMs?: number | undefined
  /**
   * How many events are held for a slow loop before the client stops reading for it: from 1. `Infinity`: no limit.
   * @defaultValue 100,000
   */
  bufferSize?: number | undefined
  /**
   * The same limit in bytes, as estimated. Four times this is the window that the server is asked to keep to (PROTOCOL.md §2). `Infinity`: no limit and no
   * window.
   * @defaultValue 4 MiB
   */
  bufferBytes?: number | undefined
  /**
   * Shares what is read with other clients, for example those of the page's other tabs.
   * @defaultValue nothing is shared
   */
  share?: Share | undefined
  /** Called with everything that the connection does. What it throws is logged to the console and has no other effect. */
  onDiagnostic?: ((diagnostic: Diagnostic) => void) | undefined
  /**
   * Used in place of the global `fetch`.
   * @defaultValue `globalThis.fetch`
   */
  fetch?: typeof fetch | undefined
  /**
   * Used in place of the global `WebSocket`.
   * @defaultValue `globalThis.WebSocket`
   */
  WebSocket?: typeof WebSocket | undefined
}
