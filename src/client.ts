/** createClient: wiring, no logic. */

import { callOut } from './async/callback.ts'
import { now } from './async/clock.ts'
import { jobtailBackend } from './backend/jobtail.ts'
import { createConnection } from './connection.ts'
import { askCredentials } from './credentials.ts'
import { JobtailError } from './errors.ts'
import { recallWinner, rememberWinner, type Winner } from './memory/winner.ts'
import { createOperations } from './operations.ts'
import { createPool } from './pool.ts'
import { isCursor, isJobId } from './protocol/rules.ts'
import { type CoreOptions, type Settings, settingsOf } from './settings.ts'
import type { Learnt } from './strategy/experience.ts'
import { createSubscription, type Wired } from './subscription.ts'
import type { Client, DiagnosticDetail, RequestContext, StartOptions, SubscribeOptions, Subscription, Transport } from './types.ts'

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')

/** A client with the given transports; the other options have their defaults, but for `memory`: none. */
export function createClient(options: CoreOptions): Client {
  const settings = settingsOf(options)
  const life = new AbortController()
  let wired: Wired | undefined

  /** What needs the environment is made at the first use: a server that renders a page has no location. */
  const wire = (): Wired => (wired ??= wireUp(settings, emit))

  function emit(detail: DiagnosticDetail, attempt = 0, transport?: string): void {
    if (settings.onDiagnostic) callOut(settings.onDiagnostic, { at: now(), attempt, transport, ...detail })
  }

  function subscribe(jobId: string, { after, signal, onGap }: SubscribeOptions = {}): Subscription {
    if (!isJobId(jobId)) throw refused('job id', '1 to 256 bytes of UTF-8 other than ".", "..", "events"', jobId)
    if (after !== undefined && !isCursor(after)) throw refused('after', 'an event\'s id or "tail"', after)
    return createSubscription({ ...settings, jobId, after, signal, onGap, life: life.signal, wire, emit })
  }

  const close = (): void => life.abort(new JobtailError('closed', 'the client is closed'))

  async function start(input: unknown, { idempotencyKey = randomKey(), ...rest }: StartOptions = {}): Promise<Subscription> {
    const signal = rest.signal ? AbortSignal.any([rest.signal, life.signal]) : life.signal
    const { id } = await wire().requests.start(input, idempotencyKey, signal)
    return subscribe(id, rest)
  }

  // as: the type parameters say what the application sends, and TypeScript doesn't see the computed key
  return { subscribe, start, close, [dispose]: close } as unknown as Client
}

const refused = (what: string, expected: string, got: unknown): JobtailError =>
  new JobtailError('bad-request', `${what}: expected ${expected}, got ${JSON.stringify(got)}`)

/** 128 random bits. Not crypto.randomUUID(), which a page without TLS doesn't have. */
const randomKey = (): string => crypto.getRandomValues(new Uint32Array(4)).join('-')

/** `{base}` as an absolute URL. */
function baseOf(url: string | URL): URL {
  const page = globalThis.location?.href
  const base = URL.canParse(url, page) && new URL(url, page)
  if (!base || !/^https?:$/.test(base.protocol)) throw refused('url', 'an http: or https: URL, absolute outside of a page', url)
  return base
}

function wireUp(settings: Settings, emit: (detail: DiagnosticDetail, attempt?: number, transport?: string) => void): Wired {
  const { fetch = globalThis.fetch, WebSocket = globalThis.WebSocket, credentials, token, headers, memory } = settings
  const base = baseOf(settings.url)
  const winners = new Map<string, Winner>()
  let hasWarned = false

  /** Per base URL and, where the browser tells it, type of network. */
  const keyOf = (network: string | undefined): string => base.href + (network ? ` ${network}` : '')

  async function recall(network: string | undefined, signal: AbortSignal): Promise<Learnt> {
    const key = keyOf(network)
    if (memory && !winners.has(key)) {
      const winner = await recallWinner(memory, key, signal)
      if (winner) {
        winners.set(key, winner)
        emit({ type: 'recalled', latencyMs: winner.latencyMs }, 0, winner.transport)
      }
    }
    const { transport: favourite, records = {} } = winners.get(key) ?? {}
    return { favourite, records }
  }

  function remember(network: string | undefined, { favourite: transport, records }: Learnt & { favourite: string }, latencyMs: number): void {
    const winner = { transport, latencyMs, at: now(), records }
    winners.set(keyOf(network), winner)
    if (!memory) return
    void rememberWinner(memory, keyOf(network), winner)
    emit({ type: 'remembered', latencyMs }, 0, transport)
  }

  function warn(message: string): void {
    if (!hasWarned) console.warn(message)
    hasWarned = true
  }

  const backend = jobtailBackend()
  const shared = {
    ...settings,
    request: { base, credentials, fetch, WebSocket },
    transports: settings.transports.filter((transport) => transport.isSupported({ fetch, WebSocket })),
    look: backend.readOnce as Transport, // as: Jobtail's own has one
    authorize: () => askCredentials(settings),
    canReauthorize: [token, headers].some((source) => typeof source === 'function'),
    recall,
    remember,
    emit,
    warn
  }
  const context = async (signal: AbortSignal): Promise<RequestContext> => ({ base, credentials, fetch, signal, ...(await shared.authorize()) })
  return { pool: createPool((capacity) => createConnection({ ...shared, ...capacity })), requests: createOperations({ ...shared, backend, context }) }
}
