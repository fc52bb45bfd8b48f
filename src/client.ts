/** createClient: wiring, no logic. */

import { callOut } from './async/callback.ts'
import { now } from './async/clock.ts'
import { createConnection } from './connection.ts'
import { askCredentials } from './credentials.ts'
import { JobtailError } from './errors.ts'
import { recallWinner, rememberWinner, type Winner } from './memory/winner.ts'
import { createPool, type Pool } from './pool.ts'
import { isCursor, isJobId, TAIL } from './protocol/rules.ts'
import { createRequests, type Requests } from './requests.ts'
import { createSubscription } from './subscription.ts'
import { look } from './transports/poll.ts'
import type {
  Client,
  ClientOptions,
  Diagnostic,
  DiagnosticDetail,
  Memory,
  OpenRequest,
  RetryOptions,
  SubscribeOptions,
  Subscription,
  Transport
} from './types.ts'

/** The options of a client that brings no defaults of its own for what is large. */
export interface CoreOptions extends ClientOptions {
  transports: readonly Transport[]
}

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')

const RETRY: Required<RetryOptions> = { baseMs: 250, maxMs: 30_000, attempts: Infinity }

/** `{base}` as an absolute URL. Asked for at the first connect: a server that renders a page has no location. */
function baseOf(url: string | URL): URL {
  const page = globalThis.location?.href
  if (!URL.canParse(url, page)) throw new JobtailError('bad-request', `url: expected ${page ? 'a URL' : 'an absolute URL, outside of a page'}, got ${url}`)
  const base = new URL(url, page)
  if (base.protocol !== 'http:' && base.protocol !== 'https:') throw new JobtailError('bad-request', `url: expected http: or https:, got ${base.protocol}`)
  return base
}

/** What needs the environment: made at the first connect, so that nothing is touched before. */
interface Wired {
  pool: Pool
  requests: Requests
}

/** A client with the given transports; the other options have their defaults, but for `memory`: none. */
export function createClient(options: CoreOptions): Client {
  const { memory = false, onDiagnostic } = options
  const { bufferSize = 1000, bufferBytes = 4 * 2 ** 20 } = options
  const retry = { ...RETRY, ...options.retry }
  const life = new AbortController()
  const stops = new Set<() => void>()
  let wired: Wired | undefined

  function emit(detail: DiagnosticDetail, attempt = 0, transport?: string): void {
    if (!onDiagnostic) return
    const diagnostic: Diagnostic = { at: now(), attempt, ...(transport === undefined ? {} : { transport }), ...detail }
    callOut(onDiagnostic, diagnostic)
  }

  function wire(): Wired {
    if (life.signal.aborted) throw new JobtailError('closed', 'the client is closed')
    wired ??= wireUp(options, retry, memory, emit)
    return wired
  }

  function subscribe(jobId: string, subscribeOptions: SubscribeOptions = {}): Subscription {
    const { after } = subscribeOptions
    if (!isJobId(jobId))
      throw new JobtailError('bad-request', `job id: expected 1 to 256 bytes of UTF-8 other than ".", "..", "events", got ${JSON.stringify(jobId)}`)
    if (after !== undefined && after !== TAIL && !isCursor(after))
      throw new JobtailError('bad-request', `after: expected an event's id or "tail", got ${JSON.stringify(after)}`)
    return createSubscription({
      ...subscribeOptions,
      jobId,
      bufferSize,
      bufferBytes,
      join: (reader) => wire().pool.join(reader),
      leave: (reader) => wired?.pool.leave(reader),
      onResume(reader) {
        emit({ type: 'resumed' })
        wired?.pool.resume(reader)
      },
      snapshot: async (signal, once) => wire().requests.snapshot(jobId, signal, once),
      cancel: async () => wire().requests.cancel(jobId, life.signal),
      emit,
      onBegin(stop) {
        stops.add(stop)
        return () => stops.delete(stop)
      }
    })
  }

  function close(): void {
    life.abort(new JobtailError('closed', 'the client was closed'))
    for (const stop of [...stops]) stop()
  }

  const client: Omit<Client, typeof Symbol.dispose> = {
    subscribe: subscribe as Client['subscribe'], // as: the type parameter says what the application sends
    async start<E extends object>(input: unknown, { idempotencyKey = randomKey(), ...rest }: SubscribeOptions & { idempotencyKey?: string } = {}) {
      const signal = rest.signal ? AbortSignal.any([rest.signal, life.signal]) : life.signal
      const { id } = await wire().requests.start(input, idempotencyKey, signal)
      return subscribe(id, rest) as unknown as Subscription<E> // as: see subscribe
    },
    close
  }
  return Object.assign(client, { [dispose]: close }) as Client // as: TypeScript doesn't see the computed key
}

const randomKey = (): string => Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')

type Emit = (detail: DiagnosticDetail, attempt?: number, transport?: string) => void

function wireUp(options: CoreOptions, retry: Required<RetryOptions>, memory: Memory | false, emit: Emit): Wired {
  const { url = '/jobs', transports, token, headers, credentials = 'same-origin', staggerMs = 250, probeTimeoutMs = 5000 } = options
  const { firstLook = true, unknownJobGraceMs = 5000, fetch = globalThis.fetch, WebSocket = globalThis.WebSocket } = options
  const request: Pick<OpenRequest, 'base' | 'credentials' | 'fetch' | 'WebSocket'> = { base: baseOf(url), credentials, fetch, WebSocket }
  const authorize = (): ReturnType<typeof askCredentials> => askCredentials({ token, headers })
  const canReauthorize = typeof token === 'function' || typeof headers === 'function'
  const supported = transports.filter((transport) => transport.isSupported())
  const key = request.base.href
  let winner: Winner | undefined

  async function recall(): Promise<string | undefined> {
    if (!winner && memory) {
      winner = await recallWinner(memory, key)
      if (winner) emit({ type: 'recalled', latencyMs: winner.latencyMs }, 0, winner.transport)
    }
    return winner?.transport
  }

  function remember(transport: string, latencyMs: number): void {
    winner = { transport, latencyMs, at: now() }
    if (!memory) return
    rememberWinner(memory, key, winner)
    emit({ type: 'remembered', latencyMs }, 0, transport)
  }

  const pool = createPool((capacity) =>
    createConnection({
      ...capacity,
      ...{ transports: supported, look: look(), firstLook, request, staggerMs, probeTimeoutMs, unknownJobGraceMs, retry },
      ...{ authorize, canReauthorize, recall, remember, emit },
      warn: (message) => console.warn(message)
    })
  )
  return { pool, requests: createRequests({ request, retry, authorize, canReauthorize }) }
}
