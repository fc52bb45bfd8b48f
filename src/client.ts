/** Makes a client out of its parts. */

import { now } from './async/clock.ts'
import { createConnection } from './connection/connection.ts'
import { getCredentials } from './credentials.ts'
import { createEmit, type Emit } from './diagnostics.ts'
import { JobtailError } from './errors.ts'
import { createHints } from './hints.ts'
import { createJobs } from './jobs.ts'
import { createKnownJobs, pageStorage } from './known-jobs.ts'
import { createOperations } from './operations.ts'
import { createPage } from './page.ts'
import { createPool } from './pool.ts'
import { checkSnapshot } from './reduce.ts'
import { baseOf, type CoreOptions, checkOptions, invalid, JOB_RULES, type Settings, START_RULES, SUBSCRIBE_RULES, settingsOf } from './settings.ts'
import { createSubscription, type Wired } from './subscription.ts'
import type { Backend, Client, Job, JobOptions, RequestContext, StartOptions, SubscribeOptions, Subscription } from './types.ts'

const dispose: typeof Symbol.dispose = Symbol.dispose ?? Symbol.for('Symbol.dispose')

/** The options of a client, with its backend. */
export type ClientSetup = CoreOptions & { backend: Backend }

/** Makes a client with the given backend and transports. Other options have their defaults, except `memory`, which is `false`. */
export function createClient(options: ClientSetup): Client {
  const settings = settingsOf(options)
  const { backend } = options
  const life = new AbortController()
  const emit = createEmit(settings, () => client)
  let wired: Wired | undefined

  /** Connections are made at the first use: a server that renders a page has no location to resolve the URL against. */
  const wire = (): Wired => (wired ??= wireUp(settings, backend, life.signal, emit))

  /** What the value has to be, in words; `undefined` where it is that. */
  const expectedOf = (what: 'job id' | 'after', value: unknown): string | undefined =>
    backend.expected ? backend.expected(what, value) : typeof value === 'string' && value ? undefined : 'a string that is not empty'

  function expect(what: 'job id' | 'after', value: unknown): void {
    const expected = expectedOf(what, value)
    if (expected) throw invalid(what, expected, value)
  }

  const { identity, token, headers, jobStorage } = settings
  // Without an identity, nobody knows whose credentials these are: the next user of this browser must not get the list.
  const known = createKnownJobs(
    (identity || !(token || headers)) && jobStorage ? jobStorage : pageStorage(),
    () => `jobs ${baseOf(settings.url)} ${identity ?? ''}`,
    (id) => !expectedOf('job id', id)
  )
  const track = (id: string, isRunning: boolean): void => (isRunning ? known.add(id) : known.remove(id))
  const parts = { ...settings, life: life.signal, wire, emit, track }

  function subscribe(jobId: string, given: SubscribeOptions = {}): Subscription {
    checkOptions(SUBSCRIBE_RULES, given)
    const { after, signal, onGap } = given
    expect('job id', jobId)
    if (after !== undefined) expect('after', after)
    return createSubscription({ ...parts, jobId, after, signal, onGap }).subscription
  }

  const shared = createJobs((jobId) => (known) => createSubscription({ ...parts, jobId, known }))

  function job(jobId: string, given: JobOptions = {}): Job {
    checkOptions(JOB_RULES, given)
    expect('job id', jobId)
    const { initial } = given
    return shared(jobId, initial && checkSnapshot(initial).id === jobId ? initial : undefined)
  }

  const close = (): void => life.abort(new JobtailError('closed', 'the client is closed'))

  async function start(input: unknown, given: StartOptions = {}): Promise<Subscription> {
    checkOptions(START_RULES, given)
    const { idempotencyKey = randomKey(), ...rest } = given
    const signal = rest.signal ? AbortSignal.any([rest.signal, life.signal]) : life.signal
    const { id } = await wire().operations.start(input, idempotencyKey, signal)
    known.add(id)
    return subscribe(id, rest)
  }

  // as: the type parameters say what the application sends, and TypeScript doesn't see the computed key
  const client = { url: `${settings.url}`, subscribe, start, job, jobs: () => known.list, forget: known.forget, close, [dispose]: close } as unknown as Client
  return client
}

/** A random UUID (RFC 9562, version 4). Not `crypto.randomUUID()`: a page without TLS does not have it. */
const randomKey = (): string => {
  const hex = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
  return hex.replace(/^(.{8})(.{4}).(.{3}).(.{3})/, '$1-$2-4$3-a$4-')
}

function wireUp(settings: Settings, backend: Backend, life: AbortSignal, emit: Emit): Wired {
  const { fetch = globalThis.fetch, WebSocket = globalThis.WebSocket, credentials, token, headers, memory, share } = settings
  const base = baseOf(settings.url)
  let hasWarned = false
  let answeredAt = 0
  const isShared = !backend.promises

  const pool = createPool(
    (capacity) =>
      createConnection({
        ...settings,
        firstLook: settings.firstLook && isShared,
        request: { base, credentials, fetch, WebSocket },
        transports: transports.filter((transport) => transport.isSupported({ fetch, WebSocket })),
        readOnce: backend.readOnce,
        authorize,
        canReauthorize,
        answeredAt: () => answeredAt,
        hints: createHints(memory, base, emit),
        page,
        emit,
        warn(message) {
          if (!hasWarned) console.warn(message)
          hasWarned = true
        },
        ...capacity
      }),
    isShared
  )
  const page = createPage((type) => emit({ type }))
  const authorize = (): ReturnType<typeof getCredentials> => getCredentials(settings)
  const canReauthorize = [token, headers].some((source) => typeof source === 'function')
  const shared = share?.({ base, credentials, signal: life, join: pool.join, leave: pool.leave, changed: pool.changed })
  const transports = shared ? [shared, ...settings.transports] : settings.transports
  const context = async (signal: AbortSignal): Promise<RequestContext> => ({ base, credentials, fetch, signal, ...(await authorize()) })
  const onAnswer = (): void => {
    answeredAt = now()
  }
  return { pool, operations: createOperations({ backend, context, canReauthorize, onAnswer, retry: settings.retry }) }
}
