/** createClient: wiring, no logic. */

import { createConnection } from './connection/connection.ts'
import { askCredentials } from './credentials.ts'
import { createEmit, type Emit } from './diagnostics.ts'
import { JobtailError } from './errors.ts'
import { createHints } from './hints.ts'
import { createPage } from './page.ts'
import { createPool } from './pool.ts'
import { isCursor, isJobId } from './protocol/rules.ts'
import { createRequests } from './requests.ts'
import { type CoreOptions, type Settings, settingsOf } from './settings.ts'
import { createSubscription, type Wired } from './subscription.ts'
import { look } from './transports/poll.ts'
import type { Client, StartOptions, SubscribeOptions, Subscription } from './types.ts'

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')

/** A client with the given transports; the other options have their defaults, but for `memory`: none. */
export function createClient(options: CoreOptions): Client {
  const settings = settingsOf(options)
  const life = new AbortController()
  const emit = createEmit(settings.onDiagnostic)
  let wired: Wired | undefined

  /** What needs the environment is made at the first use: a server that renders a page has no location. */
  const wire = (): Wired => (wired ??= wireUp(settings, emit))

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

function wireUp(settings: Settings, emit: Emit): Wired {
  const { fetch = globalThis.fetch, WebSocket = globalThis.WebSocket, credentials, token, headers, memory } = settings
  const base = baseOf(settings.url)
  let hasWarned = false

  function warn(message: string): void {
    if (!hasWarned) console.warn(message)
    hasWarned = true
  }

  const shared = {
    ...settings,
    request: { base, credentials, fetch, WebSocket },
    transports: settings.transports.filter((transport) => transport.isSupported({ fetch, WebSocket })),
    readOnce: look(),
    authorize: () => askCredentials(settings),
    canReauthorize: [token, headers].some((source) => typeof source === 'function'),
    hints: createHints(memory, base, emit),
    page: createPage((type) => emit({ type })),
    emit,
    warn
  }
  return { pool: createPool((capacity) => createConnection({ ...shared, ...capacity })), requests: createRequests(shared) }
}
