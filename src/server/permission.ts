import type { NodeRequest } from './types.ts'

/**
 * What a request wants to do. `read`: a job's snapshot and its events. `start`: `POST {base}`. `cancel`: `POST {base}/{id}/cancel`. `connect`: open a WebSocket
 * that names no job yet; each job that it subscribes later is authorised as `read`.
 */
export type Action = 'connect' | 'read' | 'start' | 'cancel'

/** What is known about the sender of a request, beside the request. */
export interface Source {
  /**
   * Node's own request, with what middleware has put on it (`req.user`, `req.session`). For a WebSocket: its handshake, also at a later subscribe.
   * Absent with `fetch`.
   */
  node?: NodeRequest
  /** The remote address of the socket. Behind a reverse proxy that is the proxy's. Absent with `fetch`. */
  address?: string
  /** What the caller of `fetch` passed beside the request. */
  context?: unknown
}

/**
 * The answer of `authorize`.
 *
 * - `true` or `{ allow: true }` permits.
 * - `false`, `null` or `undefined` refuses: 401 where the request has no credentials (`Authorization`, `Cookie`), else 403.
 * - `{ status }` refuses with that status.
 * - Anything else refuses with 500, and `onError` gets a `TypeError`: an answer that may be a mistake never permits.
 */
export type Permission =
  | boolean
  | null
  | undefined
  | { status: 401 | 403 }
  | {
      allow: true
      /**
       * Who sent the request. An `Idempotency-Key` belongs to one subject, and `maxRunningPerSubject` counts by it. Without a subject, `Idempotency-Key` has to
       * be a random UUID (RFC 9562, version 4 or 7); other keys are refused with 400.
       */
      subject?: string
      /**
       * When the permission ends, in ms since 1970. Streams and sockets that are open then get `bye` with the reason `auth`; clients reconnect with a new
       * token.
       *
       * @defaultValue never
       */
      expiresAt?: number
    }

/** What `authorize` is asked. */
export interface Question {
  /** A request of the Fetch standard. Its body can't be read here. */
  request: Request
  /** What the request wants to do. */
  action: Action
  /** The job that it is about. Absent for `connect` and `start`. */
  jobId?: string
  /** What is known about the sender, beside the request. */
  source: Source
}

/**
 * Decides who may do what: called for every request, and for every job that a WebSocket subscribes. Where it throws, the request is answered with 500, without
 * the error's message, and `onError` gets the error. Nothing limits how long it may take.
 */
export type Authorize = (question: Question) => Permission | Promise<Permission>
